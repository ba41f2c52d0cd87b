"""The same bytes from Beam's own job server in Python, and from Dataflow.

What is submitted to the job server goes the way of a job for Flink or Spark. For Dataflow the
environment has to name a project:

``WINNOW_DATAFLOW_OPTIONS``, ``WINNOW_DATAFLOW_FOLDER``
    Beam's options (project, region, temp_location, sdk_container_image, …), and a ``gs://`` folder.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from apache_beam.internal.cloudpickle import cloudpickle

from pipelines.shuffle import storage
from pipelines.shuffle.engine import Shuffle, run
from tests.engines import answers, wait_until, worker_pool
from tests.pipelines.shuffle import test_engine
from tests.pipelines.shuffle.test_engine import read_numbers, splits, sum_by_key

pytestmark = pytest.mark.engine


def shuffled(folder: str, options: Sequence[str]) -> dict[str, bytes]:
    keys = {"numbers": "key", "squares": "key"}
    work, out = storage.join(folder, "work"), storage.join(folder, "out")
    run(Shuffle(read_numbers, keys, sum_by_key, 8, work, out), splits(11), options)
    return {name: storage.read(storage.join(out, name)) for name in storage.list_names(out)}


def submitted(runner: str, endpoint: str) -> list[str]:
    return [f"--runner={runner}", f"--job_endpoint={endpoint}", "--environment_type=LOOPBACK"]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return shuffled(str(tmp_path_factory.mktemp("embedded")), ())


@pytest.fixture
def job_server() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    module = "apache_beam.runners.portability.local_job_service_main"
    with subprocess.Popen(
        [sys.executable, "-m", module, "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            wait_until(lambda: answers(port))
            yield f"localhost:{port}"
        finally:
            server.terminate()


@pytest.mark.parametrize("runner", ["portable", "flink", "spark"])
def test_a_job_server_gets_the_job(
    tmp_path: Path, job_server: str, expected: dict[str, bytes], runner: str
) -> None:
    assert shuffled(str(tmp_path), submitted(runner, job_server)) == expected


def test_a_job_server_gets_the_job_and_processes_do_it(
    tmp_path: Path, job_server: str, expected: dict[str, bytes]
) -> None:
    with worker_pool() as pool:
        options = [*submitted("portable", job_server)[:-1], "--environment_type=EXTERNAL"]
        options.append(f"--environment_config={pool}")
        assert shuffled(str(tmp_path), options) == expected


def test_dataflow_gives_the_same_bytes(expected: dict[str, bytes]) -> None:
    options = os.environ.get("WINNOW_DATAFLOW_OPTIONS")
    folder = os.environ.get("WINNOW_DATAFLOW_FOLDER")
    if options is None or folder is None:
        pytest.skip("no cloud: WINNOW_DATAFLOW_OPTIONS or WINNOW_DATAFLOW_FOLDER is not set")
    cloudpickle.register_pickle_by_value(test_engine)
    run_folder = storage.join(folder, uuid.uuid4().hex)
    try:
        assert shuffled(run_folder, ["--runner=dataflow", *options.split()]) == expected
    finally:
        cloudpickle.unregister_pickle_by_value(test_engine)
        storage.remove(run_folder)
