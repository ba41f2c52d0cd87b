"""The passes from signals to candidates, each one shuffle.

By host, text, page, pair of neighbours, node of the link graph, page again, and image: `plan` names
them in the order in which they run; each has a module of its own.
"""
