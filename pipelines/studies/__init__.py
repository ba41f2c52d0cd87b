"""The study: networks trained on more and more of the images, and what may be said of the trend."""
