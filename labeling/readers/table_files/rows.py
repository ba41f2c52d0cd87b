"""Rows of a table that were read, and the errors for those and for files that were not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import pyarrow as pa

from labeling.errors import InputError, UnreadableFile
from labeling.hints import did_you_mean
from labeling.keys.arrays import Ints
from labeling.objects.paths import path_of
from labeling.substitutes import Substitute, substitute_at


class BadRow(NamedTuple):
    """A row that cannot be read: its position, ``bad_row`` or ``truncated``, and its content."""

    position: int
    reason: str
    value: str


class Rows(NamedTuple):
    """Columns of text of some rows; the position of each, from 0; and the bad rows among them.

    The position is the number of the row in a Parquet file, and that of its first line in others.
    """

    table: pa.Table
    positions: Ints
    bad: Sequence[BadRow] = ()


class HasBad(Protocol):
    """Rows of which some may be bad."""

    @property
    def bad(self) -> Sequence[BadRow]:
        """The bad rows."""


def folded(name: str) -> str:
    """Return the name of a column without the case and the spaces in which files differ."""
    return name.strip().casefold()


def refuse_bad(path: Path, batches: Iterable[HasBad]) -> None:
    """Raise `InputError` for the first bad row of a file whose rows are all needed."""
    for batch in batches:
        for row in batch.bad:
            raise InputError(
                "a row of a table cannot be read",
                facts={"where": f"{path}:{row.position + 1}", "found": row.value[:200]},
                help="correct the row",
            )


def unreadable(
    path: str | Path, cause: object, instead: Substitute | None = None
) -> UnreadableFile:
    """Return the error for a file that cannot be read, or that is in the place of another."""
    instead = instead or substitute_at(path_of(path))
    return UnreadableFile(
        "an input file cannot be read",
        facts={"file": path, "cause": cause if instead is None else f"it is {instead.kind}"},
        help=instead.remedy if instead else "write it again from its source, or leave it out",
    )


class MissingColumn(InputError):
    """A file lacks a column; ``known`` are those that it has."""

    def __init__(self, path: str | Path, name: str, known: Sequence[str]) -> None:
        super().__init__(
            f"an input file has no column {name!r}{did_you_mean(name, known)}",
            facts={"file": path, "columns": ", ".join(known)[:1000]},
            help="rename the column, or name it in `columns` of its input in the configuration",
        )
        self.name, self.known = name, known
