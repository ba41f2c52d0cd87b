"""What each image might show: signals, links and feedback become candidate labels."""
