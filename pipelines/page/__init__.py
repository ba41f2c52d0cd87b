"""The audit page: people judge pairs in a browser, and each verdict is on disk before it counts."""
