"""Pairs of an image and a label: keys, joins and related labels."""
