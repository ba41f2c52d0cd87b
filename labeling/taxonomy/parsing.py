"""Texts of taxonomies' files to values, with errors that name the line."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from labeling.errors import InputError

Lines = Iterable[tuple[int, str]]
"""Number from 1 and text of each line that is not blank."""

MAX_FIELD = 1 << 17
"""Characters of a cell."""

CORRECT = "correct it, or set `taxonomy.format`; docs/how-to/taxonomies.md shows the formats"
"""Remedy for what is not of the format."""


def parse_json(text: str, where: str) -> Any:
    """Return the value of a JSON text."""
    try:
        return json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise InputError(
            "a line of the taxonomy is not JSON",
            facts={"where": where, "cause": error},
            help=CORRECT,
        ) from error


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON; of equal keys, Python would keep the last one only."""
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError(f"a key occurs twice in one object: {repeated(k for k, _ in pairs)!r}")
    return value


def repeated(keys: Iterable[Any]) -> Any:
    """Return the first of some keys that occurs again."""
    return next(key for key, n_times in Counter(keys).items() if n_times > 1)


def delimiter_of(line: str, is_header: Callable[[list[str]], bool]) -> str:
    """Return the sign that splits a line into the columns of a header; a comma if none does.

    It is a comma, a tab, the semicolon of spreadsheets whose decimals have commas, or a bar.
    """
    columns = {sign: [name.strip(' "') for name in line.strip().split(sign)] for sign in ",\t;|"}
    return next((sign for sign, names in columns.items() if is_header(names)), ",")


def csv_rows(lines: Lines, where: str, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Yield each row with the number of its last line; a field may hold line breaks."""
    number = 0
    csv.field_size_limit(MAX_FIELD)  # the reader of tables sets another one for the process

    def texts() -> Iterator[str]:
        nonlocal number
        for number, text in lines:  # noqa: B007
            yield text

    try:
        for row in csv.reader(texts(), delimiter=delimiter, strict=True):
            yield number, row
    except csv.Error as error:
        raise InputError(
            "the taxonomy is not CSV",
            facts={"where": f"{where}:{number}", "cause": error},
            help=CORRECT,
        ) from error


def bad_line(message: str, where: str, text: str) -> InputError:
    """Return the error for a line that is not of the format."""
    facts = {"where": where, "found": text.strip()[:200]}
    return InputError(message, facts=facts, help=CORRECT)
