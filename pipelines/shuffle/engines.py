"""The engines that can run the passes, by short names."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pipelines.shuffle import dask_cluster

RUNNERS = {
    "embedded": "",
    "dask": "apache_beam.runners.dask.dask_runner.DaskRunner",
    "flink": "FlinkRunner",
    "spark": "SparkRunner",
    "dataflow": "DataflowRunner",
}
"""Beam's runner for each name, empty for the one by default; Beam's own names are taken, too."""


@contextmanager
def ready(beam_options: Sequence[str]) -> Iterator[list[str]]:
    """Yield Beam's options with its name of the runner; the runner's workers exist in the block.

    Examples
    --------
    >>> with ready(["--runner=Flink", "--parallelism=8"]) as options:
    ...     print(*options)
    --parallelism=8 --runner=FlinkRunner
    """
    runner, others = runner_of(beam_options)
    options = [*others, *([f"--runner={runner}"] if runner else [])]
    if runner == RUNNERS["dask"]:
        with dask_cluster.connected(options) as connected:
            yield connected
    else:
        yield options


def runner_of(beam_options: Sequence[str]) -> tuple[str, list[str]]:
    """Return Beam's name of the runner, empty where none is named, and the other options."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--runner", default="")
    named, others = parser.parse_known_args(list(beam_options))
    short = named.runner.rpartition(".")[2].lower().removesuffix("runner")
    return RUNNERS.get(short, named.runner), others
