"""`winnow evidence`: votes of further sources join the candidates of a run."""
