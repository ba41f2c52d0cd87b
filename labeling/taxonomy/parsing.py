"""Texts of taxonomies' files to values, with errors that name the line."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from typing import Any

from labeling.errors import InputError

Lines = Iterable[tuple[int, str]]
"""Number from 1 and text of each line that is not blank."""


def parse_json(text: str, where: str) -> Any:
    """Return the value of a JSON text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(
            "a line of the taxonomy is not JSON", facts={"where": where, "cause": error}
        ) from error


def csv_rows(lines: Lines, where: str, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Yield each row with the number of its last line; a field may hold line breaks."""
    number = 0

    def texts() -> Iterator[str]:
        nonlocal number
        for number, text in lines:  # noqa: B007
            yield text

    try:
        for row in csv.reader(texts(), delimiter=delimiter, strict=True):
            yield number, row
    except csv.Error as error:
        raise InputError(
            "the taxonomy is not CSV", facts={"where": f"{where}:{number}", "cause": error}
        ) from error


def bad_line(message: str, where: str, text: str) -> InputError:
    """Return the error for a line that is not of the format."""
    return InputError(message, facts={"where": where, "found": text.strip()[:200]})
