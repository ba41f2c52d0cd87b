"""Files of a task to images of one size with their classes, boxes or masks."""
