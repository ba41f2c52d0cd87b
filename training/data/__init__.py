"""Shards to batches of pixels and targets."""
