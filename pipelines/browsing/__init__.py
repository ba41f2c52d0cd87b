"""Looks at the candidates of a run, by an index on disk."""
