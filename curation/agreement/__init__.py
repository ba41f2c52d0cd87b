"""Estimates from sources that agree or not, without audits."""
