"""Training of a network on shards."""
