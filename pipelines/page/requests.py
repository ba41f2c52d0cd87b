"""Values of requests, checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from labeling.errors import InputError

RELOAD = "reload the page; all verdicts that it saved are kept"


async def content_of(request: Request) -> dict[str, Any]:
    """Return the body, which is a JSON object."""
    try:
        content = json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise InputError("the body is not JSON", facts={"cause": error}, help=RELOAD) from error
    if not isinstance(content, dict):
        raise InputError("the body is not a JSON object", help=RELOAD)
    return content


def number_in(asked: Mapping[str, str], name: str) -> int:
    """Return a whole number of a query, 0 where it is left out."""
    given = asked.get(name, "0")
    if not (given.isascii() and given.isdigit() and len(given) < 12):
        raise InputError(
            "a number of the address is not valid", facts={name: given[:200]}, help=RELOAD
        )
    return int(given)


def share_in(given: object) -> float:
    """Return a share in (0, 1], of a query or of JSON."""
    try:
        share = float(given) if isinstance(given, str | int | float) else 0.0
    except (ValueError, OverflowError):
        share = 0.0
    if isinstance(given, bool) or not 0 < share <= 1:
        raise InputError(
            "a share is not above 0 and at most 1",
            facts={"share": str(given)[:200]},
            help="a third is 0.333",
        )
    return share
