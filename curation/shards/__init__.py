"""Selected labels to WebDataset shards."""
