"""Functions on tables: pandas or Arrow in, the same kind out, no folder."""
