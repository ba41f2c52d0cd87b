"""The study: trends of performance over the number of images, with their uncertainty."""
