"""Keys and passwords in texts that are printed or kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MASK = "***"

# With one slash too, which is left of two where a URL is treated as a path. Keys of Amazon hold
# slashes, so that what precedes an @ may be more than a host can be; digits are a port.
_USER_INFO = re.compile(
    r"""(:/{1,3})(?:[^\s/?#'"<>]*|[^\s/@:'"<>]+:(?!\d+/)(?:[^\s@:'"<>]|:(?!/))*)@"""
)
_ASSIGNMENT = re.compile(r"""([?&][\w.\-]{1,64}|(?<![\w.\-?&])[\w.\-]{1,64})=([^\s&#;'"<>]+)""")
_SEPARATORS = re.compile(r"[^a-z0-9]+")
_WITHIN = ("secret", "passw", "pwd", "credential", "signature", "bearer")
_KEYS = ("api", "access", "account", "private", "session", "client", "shared", "master")
_WORDS = frozenset(("sig", "sas", "auth", "token"))
_OF_A_URL = ("?key", "&key")
_HEADER = re.compile(r"\b((?:bearer|basic) )[\w.~+/=\-]{8,}", re.IGNORECASE)
_AMAZON_ID = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")


def masked(text: object) -> str:
    """Return a text without the keys and passwords in it.

    These are users and passwords of URLs, parameters of URLs and options whose names announce
    them, and headers of HTTP. What follows no such name cannot be recognised.

    Examples
    --------
    >>> masked("s3://KEY:SE/CRET@bucket/x")
    's3://***@bucket/x'
    >>> masked("https://a.org/x.jpg?size=2&X-Amz-Signature=2f4e")
    'https://a.org/x.jpg?size=2&X-Amz-Signature=***'
    >>> masked("https://a.org:80/@user?tokens=5")
    'https://a.org:80/@user?tokens=5'
    """
    shown = _USER_INFO.sub(rf"\1{MASK}@", str(text))
    shown = _ASSIGNMENT.sub(_masked_assignment, shown)
    return _AMAZON_ID.sub(MASK, _HEADER.sub(rf"\1{MASK}", shown))


def masked_values(value: Any) -> Any:
    """Return settings with every text in them masked.

    Examples
    --------
    >>> masked_values({"work_dir": "s3://KEY:SECRET@bucket", "n": [1, "a"]})
    {'work_dir': 's3://***@bucket', 'n': [1, 'a']}
    """
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, Mapping):
        return {name: masked_values(inner) for name, inner in value.items()}
    return [masked_values(inner) for inner in value] if isinstance(value, list | tuple) else value


def _masked_assignment(assignment: re.Match[str]) -> str:
    name = assignment[1]
    return f"{name}={MASK}" if _announces_a_secret(name.lower()) else assignment[0]


def _announces_a_secret(name: str) -> bool:
    words = _SEPARATORS.split(name)
    together = "".join(words)
    return (
        name in _OF_A_URL
        or not _WORDS.isdisjoint(words)
        or together.endswith("token")
        or any(part in together for part in _WITHIN)
        or any(f"{part}key" in together for part in _KEYS)
    )
