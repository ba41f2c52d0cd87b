"""Which labels we believe: scores, audits, the selection, and the shards."""
