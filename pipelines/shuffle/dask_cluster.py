"""Dask for Beam's Dask runner: worker processes on this machine, or another cluster.

Beam connects a client for each pipeline, leaves it open, and cuts the input into parts of 128
elements. Here one cluster serves all passes of a command, the number of parts follows from the
number of workers, and every client is closed.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from labeling.errors import ConfigError, InputError

if TYPE_CHECKING:
    from distributed import Client

MIN_WORKERS = 2
"""Least number of processes that are started here: if one dies, the other continues."""

PARTS_PER_THREAD = 4
"""Parts of the input for each thread of the workers: little is lost with one that dies."""

MAX_DEATHS = 5
"""Workers that may die over one part before the run is given up."""

TIMEOUT = 60
"""Seconds in which a scheduler must answer."""

QUIET = {
    "version": 1,
    "disable_existing_loggers": False,
    "root": {"level": "CRITICAL"},
    "loggers": {"distributed": {"level": "CRITICAL"}},
}
"""Logging of the workers: none, because their errors arrive here."""

SETTINGS: dict[str, Any] = {
    # Dask sets the trim threshold of malloc to 64 KiB, which costs a quarter of the time.
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": str(1 << 30),
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "distributed.scheduler.allowed-failures": MAX_DEATHS,
    "distributed.comm.timeouts.connect": f"{TIMEOUT}s",
    "distributed.comm.timeouts.tcp": "120s",
    "distributed.nanny.pre-spawn-environ.DASK_LOGGING": str(QUIET),
}
"""Settings of a cluster that is started here, where they differ from Dask's defaults."""


@contextmanager
def connected(options: Sequence[str]) -> Iterator[list[str]]:
    """Yield options for Beam's Dask runner with the address of a cluster; start one if needed.

    Parameters
    ----------
    options
        Beam's options for Dask, and ``--dask_workers``: processes to start where no scheduler is
        named, by default as many as there are cores, and two at least.

    Raises
    ------
    ConfigError
        If Dask is not installed, no scheduler answers, or its workers cannot run winnow.
    InputError
        If workers died over the same part again and again.
    """
    try:
        import dask

        # Before `dask.config.set`: settings that Dask loads inside the block are lost with it.
        importlib.import_module("distributed")
    except ImportError as error:
        raise ConfigError(
            "Dask is not installed", help="install it with: pip install 'winnow[dask]'"
        ) from error
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    asked, others = _parser().parse_known_args(options)
    with dask.config.set(SETTINGS), _client(asked) as client, _explained():
        n_threads = sum(client.nthreads().values())
        n_parts = asked.dask_npartitions or PARTS_PER_THREAD * max(n_threads, MIN_WORKERS)
        address = client.scheduler.address
        yield [
            *others,
            f"--dask_client_address={address}",
            f"--dask_npartitions={n_parts}",
            f"--dask_connection_timeout={asked.dask_connection_timeout}",
        ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--dask_workers", type=int, default=max(MIN_WORKERS, os.cpu_count() or 1))
    parser.add_argument("--dask_npartitions", type=int)
    parser.add_argument("--dask_client_address")
    parser.add_argument("--dask_scheduler_file")
    parser.add_argument("--dask_connection_timeout", type=int, default=TIMEOUT)
    return parser


@contextmanager
def _client(asked: argparse.Namespace) -> Iterator[Client]:
    """Yield a client, and close it with those that Beam opened after it."""
    from distributed import Client

    with _scheduler(asked) as where:
        try:
            client = Client(**where, timeout=asked.dask_connection_timeout)
        except (OSError, ValueError) as error:
            raise ConfigError(
                "no Dask scheduler answers",
                facts={**where, "cause": error},
                help="start one with `dask scheduler`, or leave the address out to have worker"
                " processes started on this machine",
            ) from error
        try:
            yield client
        finally:
            while (latest := Client.current()) is not client:
                latest.close()
            client.close()


@contextmanager
def _scheduler(asked: argparse.Namespace) -> Iterator[dict[str, str]]:
    """Yield the address of the scheduler, as arguments of a client."""
    if asked.dask_scheduler_file:
        yield {"scheduler_file": asked.dask_scheduler_file}
    elif asked.dask_client_address:
        yield {"address": asked.dask_client_address}
    else:
        from distributed import LocalCluster

        with LocalCluster(
            n_workers=asked.dask_workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
        ) as cluster:
            yield {"address": cluster.scheduler_address}


@contextmanager
def _explained() -> Iterator[None]:
    """Raise errors of Dask about workers as errors with a remedy."""
    from distributed import KilledWorker

    try:
        yield
    except KilledWorker as error:
        raise InputError(
            f"workers of Dask died {MAX_DEATHS + 1} times over the same part of the work",
            facts={"cause": str(error).splitlines()[0]},
            help="they may lack memory: see their logs; finished work is kept",
        ) from error
    except ImportError as error:
        raise ConfigError(
            "the workers of Dask cannot run winnow",
            facts={"cause": error},
            help="install the same version of winnow where the workers run",
        ) from error
