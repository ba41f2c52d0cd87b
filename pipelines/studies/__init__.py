"""A study: networks trained on more and more images, and the trends that their measures prove."""
