"""The shuffle: splits in, rows by key, files out; on Beam, on any runner, and resumable."""
