"""`winnow select`: candidates are scored, and the best of them kept."""
