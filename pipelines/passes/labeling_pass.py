"""Passes of the labeling, and how those of a stage run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from pipelines.passes.splits import splits_for
from pipelines.shuffle import chain
from pipelines.shuffle.engine import Combine, Shuffle, Split, Tables, keep_all, n_buckets_for
from pipelines.shuffle.workspace import Files, Workspace


class Pass(NamedTuple):
    """One shuffle: the tables that it reads, the keys of its rows, and the tables it makes."""

    name: str
    """Name of its module, also in the terminal and in the work folder."""
    inputs: tuple[str, ...]
    read: Callable[[Split], Iterator[tuple[str, pa.Table]]]
    keys: Mapping[str, str]
    reduce: Callable[[Tables], Tables]
    outputs: Mapping[str, pa.Schema]
    combine: Combine = keep_all
    conclude: Callable[[Path], None] | None = None
    """Adds tables that need the whole output to the folder of the output."""
    n_buckets: int | None = None
    """Number of buckets; by default it follows from the number of rows."""
    growth: int = 1
    """Rows that it holds for each row of the inputs, about: labels of a text, images of a page."""

    def buckets(self, n_rows: int) -> int:
        """Return the number of buckets, where the inputs have so many rows."""
        return self.n_buckets or n_buckets_for(self.growth * n_rows)


@dataclass(frozen=True)
class _Step:
    """A pass of a stage, with what it reads.

    `given` are the files of tables that no pass makes, `before` the earlier passes, and `others`
    splits that are not files of tables.
    """

    labeling_pass: Pass
    n_rows: int
    workspace: Workspace
    given: Files
    before: tuple[Pass, ...]
    others: tuple[Split, ...]
    is_last: bool

    def shuffle(self) -> Shuffle:
        """Return the shuffle of the pass."""
        made, workspace = self.labeling_pass, self.workspace
        return Shuffle(
            read=workspace.read(made.read),
            keys=made.keys,
            reduce=workspace.reduce(made.reduce),
            n_buckets=made.buckets(self.n_rows),
            work_dir=workspace.work_dir(made.name),
            out_dir=workspace.out_dir(made.name, self.is_last),
            combine=made.combine,
            carrier=workspace.carrier,
            name=made.name,
        )

    def splits(self) -> list[Split]:
        """Return the splits of the tables that the pass reads, by the latest that made them."""
        files = dict(self.given)
        for made in self.before:
            files |= self.workspace.files(made.name)
        return [
            *self.others,
            *splits_for({table: files[table] for table in self.labeling_pass.inputs}),
        ]

    def conclude(self) -> None:
        """Add the tables that need the whole output, and those without rows."""
        made = self.labeling_pass
        self.workspace.conclude(made.name, made.outputs, made.conclude, self.is_last)


def run_passes(
    passes: Sequence[Pass],
    n_rows: int,
    workspace: Workspace,
    beam_options: Sequence[str],
    given: Files,
    splits: Mapping[str, Sequence[Split]],
) -> None:
    """Run the passes of a stage; the last makes the output of the stage.

    Parameters
    ----------
    passes, n_rows
        The passes, and the number of rows of the inputs, from which their buckets follow.
    workspace
        The folders of the stage.
    beam_options
        Options for Beam.
    given
        Files of the tables that no pass makes.
    splits
        For the name of a pass, what it reads besides tables.
    """
    steps = [
        _Step(
            labeling_pass,
            n_rows,
            workspace,
            given,
            tuple(passes[:number]),
            tuple(splits.get(labeling_pass.name, ())),
            labeling_pass is passes[-1],
        )
        for number, labeling_pass in enumerate(passes)
    ]
    chain.run(steps, beam_options, is_shared=not workspace.shared)
