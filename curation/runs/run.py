"""A run folder as an object: its stages, and its tables by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from curation.runs.stage import Stage, current, no_run, open_stage, stage_names
from labeling.arguments import checks_arguments
from labeling.frames.notebook import MAX_ROWS, html_table
from labeling.schemas import (
    AUDITS,
    CANDIDATES,
    FEEDBACK,
    IMAGES,
    IMPORTED_IMAGES,
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
"""Rows of a table in its view for notebooks."""


@dataclass(frozen=True, repr=False)
class RunTable:
    """One table of a stage; its rows are read on demand.

    Attributes
    ----------
    stage
        The stage that holds it.
    schema
        The columns with their meaning.
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
        shown = [list(row.values()) for row in rows.slice(0, N_SHOWN).to_pylist()]
        return html_table(title, rows.column_names, shown)


def _table(stage: str, schema: TableSchema) -> property:
    """Return an attribute of a run: one table of one of its stages."""

    def get(run: Run) -> RunTable:
        return RunTable(run.stage(stage), schema)

    return property(get, doc=f"The table ``{schema.name}`` of the stage ``{stage}``: {schema.row}.")


@dataclass(frozen=True, repr=False)
class Run:
    """A run folder. Files are read on demand, each after a comparison with its digest.

    Attributes
    ----------
    dir
        The folder.

    Raises
    ------
    InputError
        By an attribute whose stage is missing; the message names the command that makes it.
    IntegrityError
        By an attribute whose stage differs from its manifest.
    """

    dir: Path

    signals = _table("signals", SIGNALS)
    placements = _table("signals", PLACEMENTS)
    links = _table("signals", LINKS)
    feedback = _table("signals", FEEDBACK)
    rejects = _table("signals", REJECTS)
    candidates = _table("candidates", CANDIDATES)
    phrases = _table("candidates", PHRASES)
    audits = _table("audits", AUDITS)
    scored = _table("scored", SCORED)
    intervals = _table("scored", INTERVALS)
    selected = _table("selected", SELECTED)

    @property
    def images(self) -> RunTable:
        """The files of the images, of the stage ``signals``, or ``images`` of an imported run."""
        is_imported = current(self.dir, "signals") is None
        stage = current(self.dir, "images") if is_imported else None
        return (
            RunTable(self.stage("signals"), IMAGES)
            if stage is None
            else RunTable(self.stage("images"), IMPORTED_IMAGES)
        )

    @property
    def taxonomy(self) -> Taxonomy:
        """The labels that the candidates refer to."""
        return from_table(self.stage("candidates").table(TAXONOMY))

    @property
    def stages(self) -> Mapping[str, Stage]:
        """The current output of each stage by its name, in the order in which they are made."""
        stages = (current(self.dir, name) for name in stage_names(self.dir))
        return {stage.name: stage for stage in stages if stage is not None}

    @checks_arguments
    def stage(self, name: str) -> Stage:
        """Return the current output of a stage, after comparing its files with their digests."""
        return open_stage(self.dir, name)

    def __repr__(self) -> str:
        return f"<Run {self.dir} with {', '.join(self.stages)}>"

    def _repr_html_(self) -> str:
        rows = []
        for name, stage in list(self.stages.items())[:MAX_ROWS]:
            counts = [f"{n:,} {of}" for of, n in stage.counts.items() if isinstance(n, int)]
            rows.append((name, stage.fingerprint, ", ".join(counts)))
        return html_table(f"run {self.dir}", ("stage", "fingerprint", "counts"), rows)


@checks_arguments
def open_run(path: Path | str) -> Run:
    """Return the run of a folder.

    Parameters
    ----------
    path
        A run folder, as made by `winnow label` or `winnow demo`.

    Returns
    -------
    Run
        Its tables are attributes, such as ``run.candidates``; each is read when it is used.

    Raises
    ------
    InputError
        If the folder does not hold a stage.
    IntegrityError
        If the manifest of a stage is damaged.
    """
    run = Run(Path(path))
    if not run.stages:
        raise no_run(Path(path), "a stage")
    return run
