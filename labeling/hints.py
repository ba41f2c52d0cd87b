"""Hints for names that are mistyped."""

from __future__ import annotations

import difflib
from collections.abc import Sequence


def did_you_mean(name: str, known: Sequence[str], likeness: float = 0.5) -> str:
    """Return `` (did you mean "…"?)``, or nothing where no name has the likeness, in [0, 1].

    Examples
    --------
    >>> did_you_mean("stpes", ["seed", "steps"]), did_you_mean("x", ["steps"])
    (' (did you mean "steps"?)', '')
    """
    near = difflib.get_close_matches(name[:100], known, n=1, cutoff=likeness)
    return f' (did you mean "{near[0]}"?)' if near else ""
