"""What the data is worth: a ResNet trained on shards and evaluated on held-out images."""
