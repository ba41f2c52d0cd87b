"""Jobs of engines such as Flink and Spark: watched to their end, and cancelled with the command.

A job has a name of its own, by which it can be asked for also where the command is interrupted
while it submits the job.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
import traceback
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, PortableOptions, StandardOptions

from labeling.errors import EngineError
from pipelines.shuffle import cancelling

ENGINES = ("PortableRunner", "FlinkRunner", "SparkRunner", "PrismRunner", "DataflowRunner")
"""Beam's runners that send a job to an engine, and wait for it."""

_WORKER_THREADS = ("run_worker_", "read_grpc_client_inputs")

_TO_END = 3.0
"""Seconds in which worker threads of this process end after their job."""

_CAUSES = (
    (
        "finishConnect|Connection refused",
        "start workers where --environment_config names them, or correct the address",
    ),
    (
        "error=2, No such file|Cannot run program",
        "correct the command of --environment_config: it must exist where the engine runs",
    ),
    (
        "No module named|ModuleNotFoundError|ImportError",
        "install the same version of winnow where the workers run",
    ),
    ("Insufficient number of network buffers", "raise taskmanager.memory.network.max of Flink"),
    ("NoResourceAvailable", "start more workers of the engine, or lower --parallelism"),
)
"""Sign of a cause in the engine's messages, and the remedy."""


def with_name(beam_options: Sequence[str], step: str) -> list[str]:
    """Return the options with a name that no other job has, if it is sent to an engine."""
    if not is_sent(beam_options):
        return list(beam_options)
    # Of characters that every engine takes.
    name = f"winnow-{step.replace('_', '-')}-{uuid.uuid4().hex[:8]}"
    return [*beam_options, f"--job_name={name}"]


def is_sent(beam_options: Sequence[str]) -> bool:
    """Return whether a pipeline with these options is sent to an engine as a job."""
    return _is_sent(PipelineOptions(list(beam_options)))


def _is_sent(options: PipelineOptions) -> bool:
    runner = options.view_as(StandardOptions).runner
    return (runner or "").rpartition(".")[2] in ENGINES


def run_to_end(pipeline: beam.Pipeline) -> None:
    """Run a pipeline and wait for its end, which is that of a job where an engine runs it.

    Raises
    ------
    EngineError
        If the engine refuses the job, or it fails.
    KeyboardInterrupt
        If the process was interrupted; the job is cancelled before.
    """
    if not _is_sent(pipeline.options):
        pipeline.run().wait_until_finish()
        return
    result = None
    with _worker_threads_muted() as tracebacks:
        try:
            result = pipeline.run()
            result.wait_until_finish()
        except KeyboardInterrupt:
            cancelling.cancel(pipeline.options, result)
            raise
        except Exception as error:
            failed = _failure(error, pipeline.options, result)
            failed.add_note("".join(tracebacks))
            raise failed from error


def workers_of(beam_options: Sequence[str]) -> str:
    """Return which workers a job waits for; nothing where no job is sent to an engine.

    Examples
    --------
    >>> workers_of(["--runner=FlinkRunner", "--environment_type=EXTERNAL",
    ...     "--environment_config=pool:50000"])
    'workers at pool:50000 (EXTERNAL)'
    """
    parsed = PipelineOptions(list(beam_options))
    if not _is_sent(parsed):
        return ""
    options = parsed.view_as(PortableOptions)
    kind = (options.environment_type or "DOCKER").upper()
    named = options.environment_config or ", ".join(options.environment_options or ())
    return {
        "LOOPBACK": "workers in this process",
        "PROCESS": f"processes of {_command(named)}",
        "EXTERNAL": f"workers at {named}",
    }.get(kind, f"containers of {named or 'the image of Beam'}") + f" ({kind})"


def _command(config: str) -> str:
    try:
        return str(json.loads(config)["command"])
    except (ValueError, KeyError, TypeError):
        return config


@contextmanager
def _worker_threads_muted() -> Iterator[list[str]]:
    """Keep the tracebacks of worker threads in this process: they end so when their job is done.

    Also mutes what Beam logs as the root logger: the messages of the job, which are in the error.

    Yields
    ------
    list
        The tracebacks.
    """
    tracebacks: list[str] = []
    before = threading.excepthook

    def keep(args: threading.ExceptHookArgs) -> None:
        if args.thread is None or not args.thread.name.startswith(_WORKER_THREADS):
            before(args)
        elif args.exc_value is not None:
            tracebacks.extend(traceback.format_exception(args.exc_value))

    def refuse(record: logging.LogRecord) -> bool:
        return False

    threading.excepthook = keep
    logging.getLogger().addFilter(refuse)
    try:
        yield tracebacks
        _join_workers()
    finally:
        logging.getLogger().removeFilter(refuse)
        threading.excepthook = before


def _join_workers() -> None:
    deadline = time.monotonic() + _TO_END
    for thread in threading.enumerate():
        if thread.name.startswith(_WORKER_THREADS):
            thread.join(max(0.0, deadline - time.monotonic()))


def _failure(error: Exception, options: Any, result: Any) -> EngineError:
    """Return the error of a job, with its first cause in place of the engine's tracebacks."""
    name = cancelling.name_of(options)
    messages = [*_messages(result), str(error)]
    job_id = next(iter(re.findall(r"\(JobID: ([0-9a-f]{32})\)", "\n".join(messages))), None)
    remedy = next((r for sign, r in _CAUSES if re.search(sign, "\n".join(messages))), "")
    facts = {"job": name, "id": job_id or _id_of(result), "cause": _plain(_first_cause(messages))}
    page = cancelling.flink_page(options)
    return EngineError(
        "a job failed on the engine" if result is not None else "the engine takes no job",
        facts={name: value for name, value in {**facts, "page": page}.items() if value},
        help=(remedy or "see the logs of the engine and of its workers")
        + "; finished work is kept: give the same command again",
    )


def _id_of(result: Any) -> str:
    """Return the id of a job by which its service knows it."""
    known = getattr(result, "_job_id", None) or getattr(result, "job_id", None)
    return str(known() if callable(known) else known or "")


def _messages(result: Any) -> list[str]:
    """Return the messages of a job service that are errors or their tracebacks."""
    responses = [m.message_response for m in getattr(result, "_messages", ())]
    return [
        r.message_text for r in sorted(responses, key=lambda r: -r.importance) if r.message_text
    ]


def _first_cause(messages: Sequence[str]) -> str:
    """Return the last line of a traceback of Python, or what Java gives as the cause of all."""
    text = messages[0]
    if "Traceback (most recent call last)" in text:
        return text.strip().splitlines()[-1]
    causes = [line for line in text.splitlines() if line.startswith("Caused by: ")]
    return (causes or text.strip().splitlines() or [""])[-1 if causes else 0]


def _plain(cause: str) -> str:
    """Return a cause without the classes of Java in front of it.

    Examples
    --------
    >>> _plain("java.io.IOException: java.net.ConnectException: Connection refused")
    'Connection refused'
    """
    return re.sub(r"^(Caused by: )?(?:[a-z][\w$]*\.[\w.$]+: ?)+", "", cause) or cause
