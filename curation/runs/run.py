"""A run folder as an object: its stages, and its tables by their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from curation.runs.stage import MADE_BY, Stage, current, open_stage
from labeling.errors import InputError
from labeling.frames.notebook import MAX_CHARACTERS, MAX_ROWS, html_table
from labeling.schemas import (
    AUDITS,
    CANDIDATES,
    FEEDBACK,
    IMAGES,
    INTERVALS,
    LINKS,
    PHRASES,
    PLACEMENTS,
    REJECTS,
    SCORED,
    SELECTED,
    SIGNALS,
    TAXONOMY,
    TableSchema,
)
from labeling.taxonomy.taxonomy import Taxonomy, from_table

if TYPE_CHECKING:
    import pandas as pd

N_SHOWN = 5
"""Rows of a table that are shown."""


@dataclass(frozen=True, repr=False)
class RunTable:
    """One table of a stage; its rows are read when they are asked for.

    Attributes
    ----------
    stage
        The stage that holds it.
    schema
        Its columns, with their meaning.
    """

    stage: Stage
    schema: TableSchema

    def to_arrow(self, columns: list[str] | None = None) -> pa.Table:
        """Return the rows, or some of their columns, as a `pyarrow.Table`."""
        return self.stage.table(self.schema, columns)

    def to_pandas(self, columns: list[str] | None = None) -> pd.DataFrame:
        """Return the rows, or some of their columns, as a `pandas.DataFrame`."""
        frame: pd.DataFrame = self.to_arrow(columns).to_pandas()
        return frame

    def __repr__(self) -> str:
        columns = ", ".join(self.schema.arrow.names)
        return (
            f"<table {self.schema.name} of {self.stage.name} {self.stage.fingerprint}: {columns}>"
        )

    def _repr_html_(self) -> str:
        rows = self.to_arrow()
        title = f"{self.schema.name}: {len(rows):,} rows, each {self.schema.row}"
        shown = [row.values() for row in rows.slice(0, N_SHOWN).to_pylist()]
        return html_table(title, rows.column_names, [list(row) for row in shown])


class _Held:
    """Attribute of a run: one table of one of its stages."""

    def __init__(self, stage: str, schema: TableSchema) -> None:
        self._stage, self._schema = stage, schema
        self.__doc__ = f"The table ``{schema.name}`` of the stage ``{stage}``: {schema.row}."

    def __get__(self, run: Run | None, owner: type) -> Any:
        return self if run is None else RunTable(run.stage(self._stage), self._schema)


@dataclass(frozen=True, repr=False)
class Run:
    """A run folder. Nothing is read before it is asked for; every file is compared with its digest.

    Attributes
    ----------
    dir
        The folder.

    Raises
    ------
    InputError
        From an attribute whose stage the run does not have yet; it names the command that makes it.
    IntegrityError
        From an attribute whose stage differs from its manifest.
    """

    dir: Path

    signals = _Held("signals", SIGNALS)
    placements = _Held("signals", PLACEMENTS)
    images = _Held("signals", IMAGES)
    links = _Held("signals", LINKS)
    feedback = _Held("signals", FEEDBACK)
    rejects = _Held("signals", REJECTS)
    candidates = _Held("candidates", CANDIDATES)
    phrases = _Held("candidates", PHRASES)
    audits = _Held("audits", AUDITS)
    scored = _Held("scored", SCORED)
    intervals = _Held("scored", INTERVALS)
    selected = _Held("selected", SELECTED)

    @property
    def taxonomy(self) -> Taxonomy:
        """The labels that the candidates refer to."""
        return from_table(self.stage("candidates").table(TAXONOMY))

    @property
    def stages(self) -> Mapping[str, Stage]:
        """The current output of each stage by its name, in the order in which they are made."""
        names = [path.parent.name for path in self.dir.glob("*/CURRENT")]
        order = {name: number for number, name in enumerate(MADE_BY)}
        names.sort(key=lambda name: (order.get(name.split("-")[0], len(order)), name))
        found = {name: current(self.dir, name) for name in names}
        return {name: stage for name, stage in found.items() if stage is not None}

    def stage(self, name: str) -> Stage:
        """Return the current output of a stage, after comparing its files with their digests."""
        return open_stage(self.dir, name)

    def __repr__(self) -> str:
        return f"<Run {self.dir} with {', '.join(self.stages)}>"

    def _repr_html_(self) -> str:
        rows = []
        for name, stage in list(self.stages.items())[:MAX_ROWS]:
            counts = ", ".join(
                f"{n:,} {of}" for of, n in stage.counts.items() if isinstance(n, int)
            )
            rows.append((name, stage.fingerprint, counts[:MAX_CHARACTERS]))
        return html_table(f"run {self.dir}", ("stage", "fingerprint", "counts"), rows)


def open_run(path: Path | str) -> Run:
    """Return the run of a folder.

    Parameters
    ----------
    path
        A run folder, as `winnow label` or `winnow demo` makes it.

    Raises
    ------
    InputError
        If the folder holds no stage.
    """
    run = Run(Path(path))
    if not run.stages:
        raise InputError(
            "this is not a run folder",
            facts={"folder": path},
            help="make one with `winnow label CONFIG --out RUN`, or name the folder of one",
        )
    return run
