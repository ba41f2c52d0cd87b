"""The labels: their names, and which label is a kind of which."""
