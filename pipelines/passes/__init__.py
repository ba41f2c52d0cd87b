"""`winnow label`: the passes from inputs to signals and from signals to candidates.

Each pass is one shuffle, with a module of its name; `plan` has their order.
"""
