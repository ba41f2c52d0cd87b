"""Clicks, votes and flags to evidence."""
