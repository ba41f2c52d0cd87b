"""Ids, hashes and runs of equal keys."""
