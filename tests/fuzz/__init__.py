"""Mutated inputs for every reader: `python -m tests.fuzz` (see `tests.fuzz.__main__`)."""
