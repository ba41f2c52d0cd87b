"""The probability that a candidate is right."""
