"""The passes of `winnow label`: each is one shuffle, in a module of its name.

`plan` has their order.
"""
