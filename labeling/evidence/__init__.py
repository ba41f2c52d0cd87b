"""Evidence of every source to candidates."""
