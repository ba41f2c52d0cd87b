"""Keys that are missing, as tools write them: an event, a user or an image without a name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labeling.keys.arrays import Mask

_OF_TOOLS = ("null", "none", "nan", "-nan", "nat", "na", "n/a", "nil", "undefined", "-", "--", "?")
_OF_SPREADSHEETS = ("#n/a", "#na", "#null!", "#ref!", "#value!", "#name?", "#div/0!", "#num!")

_NIL_UUID = "00000000-0000-0000-0000-000000000000"

MISSING = frozenset(
    {
        "",
        "''",
        '""',
        "\\n",
        _NIL_UUID,
        *_OF_TOOLS,
        *_OF_SPREADSHEETS,
        *(f"({name})" for name in _OF_TOOLS),
        *(f"<{name}>" for name in _OF_TOOLS),
        *(f"[{name}]" for name in _OF_TOOLS),
    }
)
r"""Texts that tools write for a key that is missing (`\N` is of MySQL and Hive), in lower case."""

_BLANK = "\0\u00ad\u200b\u200c\u200d\u2060\ufeff" + "".join(
    filter(str.isspace, map(chr, range(0x3001)))
)
"""Characters that nobody sees."""


def is_missing(keys: Sequence[str]) -> Mask:
    """Return ``bool[n]``: the texts that tools write for a missing key.

    Examples
    --------
    >>> is_missing(["e1", "", "NULL", "\u200b", "#N/A", "0"]).tolist()
    [False, True, True, True, True, False]
    """
    return np.array([is_null(key) for key in keys], bool)


def is_null(key: str) -> bool:
    """Return whether a key is missing, see `is_missing`."""
    return key.strip(_BLANK).lower() in MISSING
