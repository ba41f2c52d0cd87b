"""Hints for names that are mistyped."""

from __future__ import annotations

import difflib
from collections.abc import Sequence


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """Return `` (did you mean "…"?)``, or nothing where no name is near.

    Examples
    --------
    >>> did_you_mean("stpes", ["seed", "steps"]), did_you_mean("x", ["steps"])
    (' (did you mean "steps"?)', '')
    """
    near = difflib.get_close_matches(name[:100], known, n=1, cutoff=0.5)
    return f' (did you mean "{near[0]}"?)' if near else ""
