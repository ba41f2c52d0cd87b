"""The job server of Beam, which takes jobs for Flink and Spark.

Beam starts one for each pipeline, lets it run until the command ends, and stops it on Ctrl-C, when
the job is still to be cancelled. Here one serves all jobs of a command.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import grpc
from apache_beam.options.pipeline_options import JobServerOptions, PipelineOptions, PortableOptions
from apache_beam.runners.portability.job_server import StopOnExitJobServer
from apache_beam.runners.runner import create_runner
from apache_beam.utils.subprocess_server import pick_port

from labeling.errors import ConfigError

RUNNERS = ("FlinkRunner", "SparkRunner", "PortableRunner")
"""Beam's names of the runners that send jobs to one."""

TIMEOUT = 20
"""Seconds in which a job server must answer."""


@contextmanager
def connected(runner: str, options: Sequence[str]) -> Iterator[list[str]]:
    """Yield options with the address of a job server; start that of Beam if none is named.

    Parameters
    ----------
    runner
        Beam's name of the runner.
    options
        All options of Beam.

    Raises
    ------
    ConfigError
        If no job server answers, or it cannot be started.
    """
    parsed = PipelineOptions(list(options))
    endpoint = parsed.view_as(PortableOptions).job_endpoint
    if endpoint:
        _refuse_silence(endpoint)
        yield list(options)
        return
    (port,) = pick_port(parsed.view_as(JobServerOptions).job_port or None)
    parsed.view_as(JobServerOptions).job_port = port
    server = create_runner(runner).default_job_server(parsed)
    if not isinstance(server, StopOnExitJobServer):  # a jar is sent with each job
        yield list(options)
        return
    try:
        _start(server)
        yield [*options, f"--job_endpoint=localhost:{port}"]
    finally:
        server.stop()


def _start(server: StopOnExitJobServer) -> None:
    """Start a job server of Beam, which does not stop on Ctrl-C but with the command."""
    before = signal.getsignal(signal.SIGINT)
    try:
        server.start()
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(
            "Beam's job server cannot be started",
            facts={"cause": error},
            help="it needs Java, and a jar that Beam fetches from Maven once; without a network,"
            " start one and name it with --job_endpoint",
        ) from error
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, before)


def _refuse_silence(endpoint: str) -> None:
    """Raise `ConfigError` if nothing answers at an address."""
    with grpc.insecure_channel(endpoint) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=TIMEOUT)
        except grpc.FutureTimeoutError as error:
            raise ConfigError(
                "no job server answers",
                facts={"--job_endpoint": endpoint, "seconds": TIMEOUT},
                help="start one, or leave the address out to have Beam start its own",
            ) from error
