"""Beam's runners: their short names, their workers and their options."""

from __future__ import annotations

import argparse
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from labeling.errors import ConfigError
from pipelines.shuffle import dask_cluster, job_servers

RUNNERS = {
    "embedded": "",
    "dask": "apache_beam.runners.dask.dask_runner.DaskRunner",
    "flink": "FlinkRunner",
    "spark": "SparkRunner",
    "dataflow": "DataflowRunner",
}
"""Beam's runner for each name, empty for the one by default; Beam's own names are taken, too."""

EMBEDDED = "FnApiRunner"
"""Beam's embedded runner by its own name: ``DirectRunner`` would first try to download another."""

MAX_WORKERS = 4
"""Threads of the embedded runner: each holds a chunk or a bucket in memory."""


@contextmanager
def ready(beam_options: Sequence[str]) -> Iterator[list[str]]:
    """Yield Beam's options with its name of the runner; the runner's workers exist in the block.

    Examples
    --------
    >>> with ready(["--runner=dataflow", "--project=mine"]) as options:
    ...     print(*options)
    --project=mine --runner=DataflowRunner
    """
    runner, others = runner_of(beam_options)
    options = [*others, *([f"--runner={runner}"] if runner else [])]
    if runner == RUNNERS["dask"]:
        with dask_cluster.connected(options) as connected:
            yield connected
    elif runner in job_servers.RUNNERS:
        with job_servers.connected(runner, options) as connected:
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


def pipeline(beam_options: Sequence[str], n_elements: int) -> beam.Pipeline:
    """Return a pipeline for options as on Beam's command line.

    Without ``--runner`` it is the embedded one, in as many threads as there are cores for this
    process, `MAX_WORKERS` and `n_elements` at most; kernels release the interpreter's lock. Few
    elements are done sooner by one worker, which needs no connection.

    Raises
    ------
    ConfigError
        If Beam refuses the options.
    """
    options = list(beam_options)
    if not _names(options, "--runner"):
        options.append(f"--runner={EMBEDDED}")
        n_workers = min(n_threads(), n_elements)
        threads = ("--direct_num_workers", "--direct_running_mode")
        if n_workers > 1 and not any(_names(options, option) for option in threads):
            options += [f"--direct_num_workers={n_workers}"]
            options += ["--direct_running_mode=multi_threading"]
    try:
        return beam.Pipeline(options=PipelineOptions(options))
    except (ValueError, TypeError, ImportError, AttributeError) as error:
        raise ConfigError(
            "Beam refuses the runner or its options",
            facts={"options": " ".join(options), "cause": error},
            help="correct the options after the configuration; docs/how-to/engines.md has examples",
        ) from error


def n_threads() -> int:
    """Return the threads of the embedded runner, at most."""
    return min(n_cores(), MAX_WORKERS)


def n_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _names(options: Sequence[str], option: str) -> bool:
    return any(given.partition("=")[0] == option for given in options)


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise `KeyboardInterrupt` at the end where one was wrapped or lost: Beam does both."""
    interrupts: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return

    def note(number: int, frame: FrameType | None) -> None:
        interrupts.append(number)
        before(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    except Exception as error:
        if interrupts:
            raise KeyboardInterrupt from error
        raise
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupts:
        raise KeyboardInterrupt
