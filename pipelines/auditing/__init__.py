"""`winnow audit`: people judge some of the candidates."""
