"""The steps of a run as functions: one for each command, with its name and its options.

Each holds the lock of the run folder while it works, prints its progress to stderr, and reuses
what is finished, as the command does. A function imports the code of its step when it is called:
`import pipelines` needs neither Beam nor torch.
"""
