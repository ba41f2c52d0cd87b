"""What looks at jobs and runs and changes nothing: ``plan``, ``status`` and ``inspect``."""
