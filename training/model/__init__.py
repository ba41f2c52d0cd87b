"""Residual networks, their files and averages of their weights."""
