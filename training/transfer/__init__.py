"""What a model's features are worth on other tasks: classes, boxes and masks of other images."""
