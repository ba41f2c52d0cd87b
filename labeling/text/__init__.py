"""Texts to words that can be compared."""
