"""Objects of JSON in which a key occurs twice: the parser of Python would keep the last value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Repeated(list[Any]):
    """The values of a key that occurs more than once in an object; arrays are joined."""


def with_repeated(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object for `json.loads`, as its ``object_pairs_hook``, without losing a value.

    Examples
    --------
    >>> with_repeated([("a", 1), ("b", 2), ("a", [3, 4])])
    {'a': [1, 3, 4], 'b': 2}
    """
    value = dict(pairs)
    if len(value) < len(pairs):
        all_values: dict[str, list[Any]] = {}
        for key, item in pairs:
            all_values.setdefault(key, []).append(item)
        value |= {key: _joined(items) for key, items in all_values.items() if len(items) > 1}
    return value


def _joined(items: Sequence[Any]) -> Repeated:
    return Repeated(v for item in items for v in (item if isinstance(item, list) else [item]))
