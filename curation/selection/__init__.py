"""Candidates to keep."""
