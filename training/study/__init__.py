"""The study: how performance grows with the data, and what may be said of it."""
