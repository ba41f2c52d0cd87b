"""Measures of a network on images that it has not been trained on."""
