"""JSON files that hold a digest of themselves, so that damage is noticed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

KEY = "sha256"
"""The last key of a sealed file: the sha256 of the file without it."""


def seal(content: Mapping[str, Any], *, allow_nan: bool = True) -> str:
    """Return content as the text of a sealed file.

    Examples
    --------
    >>> unseal(seal({"keep": 0.5}))
    {'keep': 0.5}
    >>> unseal(seal({"keep": 0.5}).replace("5", "7", 1))
    Traceback (most recent call last):
    ValueError: it differs from what was written: one of its bytes has changed
    """
    digest = hashlib.sha256(_text(content, allow_nan).encode()).hexdigest()
    return _text({**content, KEY: digest}, allow_nan)


def unseal(text: str) -> dict[str, Any]:
    """Return the content of a sealed file, or of one that an earlier version wrote without a seal.

    Raises
    ------
    ValueError
        If it is not a JSON object, or differs from what was sealed.
    """
    try:
        content = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(content, dict):
        raise ValueError("it is not a JSON object")
    if content.pop(KEY, None) is not None and seal(content) != text:
        raise ValueError("it differs from what was written: one of its bytes has changed")
    return content


def _text(content: Mapping[str, Any], allow_nan: bool) -> str:
    return json.dumps(content, indent=1, default=str, allow_nan=allow_nan) + "\n"
