"""`winnow look`: networks judge the candidates of images that they were not trained on."""
