"""Precision and its confidence interval."""
