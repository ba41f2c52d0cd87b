"""The kinds of input: for each its section of the configuration, its files and its reader.

A new kind is a subclass of `pipelines.inputs.input.Input` in a file here, and a line in
`pipelines.run.config.Config`.
"""
