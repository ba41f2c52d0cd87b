"""Visual evidence: networks judge the labels of images that they were not trained on."""
