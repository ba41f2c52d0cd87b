"""How winnow runs, at any size: Beam pipelines, the run folder's stages and the command line."""
