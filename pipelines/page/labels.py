"""Labels as the audit page shows them: name, sense, and what they may be confused with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from labeling.taxonomy.taxonomy import Taxonomy

MOST = 8
"""Labels below one, or beside it, that are shown."""


def describe_labels(
    taxonomy: Taxonomy, label_ids: Iterable[str], drawn: Iterable[str]
) -> dict[str, dict[str, Any]]:
    """Return what a person needs to know of each label.

    Who does not know that *Navy Blue* is a label too calls it *Blue*.

    Parameters
    ----------
    taxonomy
        All labels.
    label_ids
        Those to describe.
    drawn
        The label of each pair of the draw. Labels beside one have a parent in common with it and
        are of the draw: first those with a word of its name, then those drawn most often.

    Raises
    ------
    InputError
        If a label is not in the taxonomy.
    """
    beside = _beside(taxonomy, Counter(drawn))
    return {label: _describe(taxonomy, taxonomy.code(label), beside) for label in label_ids}


def _beside(taxonomy: Taxonomy, counts: Counter[str]) -> dict[int, list[int]]:
    """Return the drawn labels below each parent, those drawn most often first."""
    below: dict[int, list[int]] = {}
    for label, _ in counts.most_common():
        code = taxonomy.code(label)
        for parent in taxonomy.parents[code]:
            below.setdefault(parent, []).append(code)
    return below


def _describe(taxonomy: Taxonomy, code: int, beside: dict[int, list[int]]) -> dict[str, Any]:
    names = [name for name, _ in taxonomy.names[code]]
    name = taxonomy.display_name(code)
    parents = taxonomy.parents[code]
    near = (taxonomy.display_name(each) for parent in parents for each in beside.get(parent, ()))
    below = map(taxonomy.display_name, taxonomy.children[code])
    return {
        "name": name,
        "others": list(dict.fromkeys(names[1:])),
        "gloss": taxonomy.glosses[code] or "",
        "parents": [taxonomy.display_name(parent) for parent in parents],
        "below": _few(below, name),
        "beside": _few(sorted(near, key=lambda each: not _words(name) & _words(each)), name),
    }


def _few(names: Iterable[str], name: str) -> list[str]:
    return [each for each in dict.fromkeys(names) if each != name][:MOST]


def _words(name: str) -> set[str]:
    return set(name.casefold().split())
