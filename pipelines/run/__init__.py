"""Settings and stages of a run, and progress on the terminal."""
