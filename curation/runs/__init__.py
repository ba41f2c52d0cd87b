"""The run folder: outputs of stages, committed whole."""
