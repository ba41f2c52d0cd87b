"""Pairs to judge, and the judgements that count."""
