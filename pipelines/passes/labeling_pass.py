"""One pass of the labeling."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from pipelines.shuffle.engine import Combine, Shuffle, Split, Tables, keep_all, run
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


def run_pass(
    labeling_pass: Pass,
    splits: Sequence[Split],
    n_buckets: int,
    workspace: Workspace,
    beam_options: Sequence[str],
    is_last: bool = False,
) -> Files:
    """Run a pass, and return the files of each table that it makes.

    Parameters
    ----------
    labeling_pass, splits, n_buckets
        The pass, its input and its number of buckets, unless the pass has one of its own.
    workspace
        The folders of the stage.
    beam_options
        Options for Beam.
    is_last
        Whether the output is that of the stage.
    """
    name = labeling_pass.name
    shuffle = Shuffle(
        read=workspace.read(labeling_pass.read),
        keys=labeling_pass.keys,
        reduce=workspace.reduce(labeling_pass.reduce),
        n_buckets=labeling_pass.n_buckets or n_buckets,
        work_dir=workspace.work_dir(name),
        out_dir=workspace.out_dir(name, is_last),
        combine=labeling_pass.combine,
        carrier=workspace.carrier,
        name=name,
    )
    run(shuffle, splits, beam_options)
    return workspace.conclude(name, labeling_pass.outputs, labeling_pass.conclude, is_last)
