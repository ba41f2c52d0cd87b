"""The passes from signals to candidates, each one shuffle: by host, text, page twice, and image.

`plan` names them in the order in which they run; each has a module of its own.
"""
