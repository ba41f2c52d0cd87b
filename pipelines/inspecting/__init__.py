"""`winnow plan`, `status` and `inspect`: a job before, during and after it, from outside."""
