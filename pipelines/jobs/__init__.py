"""`winnow label`: the stages signals and candidates, and the same passes on tables and in Beam."""
