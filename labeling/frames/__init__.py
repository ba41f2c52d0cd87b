"""Tables of callers, pandas or Arrow, and their view in a notebook."""
