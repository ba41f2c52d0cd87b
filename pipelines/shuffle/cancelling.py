"""Cancelling a job of an engine, by its name.

Flink's runner of Beam 2.70 reports a job as cancelled and lets the cluster run it on. So Flink
itself is asked, at the address that the job service knows.
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import grpc
from apache_beam.options.pipeline_options import (
    GoogleCloudOptions,
    PipelineOptions,
    PortableOptions,
)
from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc

from pipelines.run.progress import notify

SECONDS = 20.0
"""Seconds that are given to the cancelling of a job."""

_PAUSE = 0.5
_REQUEST = 5.0
"""Seconds of one request."""

_OVER = {"FINISHED", "FAILED", "CANCELED", "DONE", "CANCELLED", "DRAINED"}
"""States of a job that has ended, of Flink and of job services."""


def cancel(options: PipelineOptions, result: Any) -> None:
    """Cancel a job and wait until the engine confirms it, or print how to find it.

    Parameters
    ----------
    options
        The options of its pipeline, with the name of the job.
    result
        Result of the pipeline; None if it was interrupted while it submitted the job.
    """
    name = name_of(options)
    notify(f"cancelling the job {name}; a second interrupt leaves it alone")
    is_over, cause = False, ""
    try:
        is_over = _cancel(options, result)
    except KeyboardInterrupt:
        cause = ": interrupted"
    except (grpc.RpcError, OSError, ValueError, RuntimeError) as error:
        cause = f": {error.details() if isinstance(error, grpc.Call) else error}"
    if is_over:
        notify(f"cancelled the job {name}")
    else:
        page = flink_page(options)
        engine = f"the engine ({page})" if page else "the engine"
        notify(f"the job {name} may still run{cause}; look for it on {engine}, and cancel it")


def name_of(options: PipelineOptions) -> str:
    """Return the name of a job by the options of its pipeline."""
    return str(options.view_as(GoogleCloudOptions).job_name)


def flink_page(options: PipelineOptions) -> str:
    """Return the web page of the Flink that has a job; empty where it is not known."""
    with suppress(grpc.RpcError, OSError):
        return next(filter(None, (_flink_address(options, job) for job in _jobs(options))), "")
    return ""


def _cancel(options: PipelineOptions, result: Any) -> bool:
    """Cancel a job; return whether it has ended."""
    if not options.view_as(PortableOptions).job_endpoint:
        if result is not None:
            result.cancel()
        return result is not None
    deadline = time.monotonic() + SECONDS
    for job in _jobs(options):
        with _service(options) as service:
            request = beam_job_api_pb2.CancelJobRequest(job_id=job.job_id)
            service.Cancel(request, timeout=_REQUEST)
    while not all(_is_over(options, job) for job in _jobs(options)):
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE)
    return True


def _is_over(options: PipelineOptions, job: Any) -> bool:
    """Return whether a job has ended; Flink is asked to cancel it, where it has not."""
    address = _flink_address(options, job)
    if not address:
        return beam_job_api_pb2.JobState.Enum.Name(job.state) in _OVER
    with urllib.request.urlopen(f"{address}/jobs/overview", timeout=_REQUEST) as answer:
        jobs = [job for job in json.load(answer)["jobs"] if job["name"] == name_of(options)]
    running = [job["jid"] for job in jobs if job["state"] not in _OVER]
    for job_id in running:
        request = urllib.request.Request(f"{address}/jobs/{job_id}", method="PATCH")
        urllib.request.urlopen(request, timeout=_REQUEST).close()
    # A job appears on Flink seconds after it was sent to the job service.
    return bool(jobs) and not running


def _jobs(options: PipelineOptions) -> list[Any]:
    """Return what the job service knows of the job: none before it was sent."""
    with _service(options) as service:
        jobs = service.GetJobs(beam_job_api_pb2.GetJobsRequest(), timeout=_REQUEST).job_info
    return [job for job in jobs if _option(job, "job_name") == name_of(options)]


@contextmanager
def _service(options: PipelineOptions) -> Iterator[Any]:
    with grpc.insecure_channel(options.view_as(PortableOptions).job_endpoint) as channel:
        yield beam_job_api_pb2_grpc.JobServiceStub(channel)


def _option(job: Any, name: str) -> str:
    value = job.pipeline_options.fields.get(f"beam:option:{name}:v1")
    return "" if value is None else value.string_value


def _flink_address(options: PipelineOptions, job: Any) -> str:
    """Return the address of the Flink that runs a job, empty for other engines."""
    master = _option(job, "flink_master")
    if ":" not in master:  # [local], or the default in the options of another engine
        return ""
    url = urlsplit(master if "://" in master else f"http://{master}")
    host = url.hostname or ""
    if host in ("localhost", "127.0.0.1"):  # of the machine with the job service
        host = options.view_as(PortableOptions).job_endpoint.rpartition(":")[0]
    return f"{url.scheme}://{host}:{url.port}"
