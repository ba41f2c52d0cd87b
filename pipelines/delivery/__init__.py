"""A selection's shards, model, evaluation and report."""
