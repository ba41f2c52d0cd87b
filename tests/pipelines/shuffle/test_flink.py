"""Jobs on a real cluster of Flink: the same bytes, and the end of jobs that do not go well."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from curation.runs.stage import Stage, current
from labeling.errors import EngineError
from pipelines.jobs.label import label
from pipelines.run.config import read_config
from pipelines.shuffle import monitor
from pipelines.shuffle.engine import Shuffle, run
from tests.engines import Cluster, cluster
from tests.pipelines.shuffle.test_engine import contents, read_numbers, splits, sum_by_key

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

STATES = ("FINISHED", "FAILED", "CANCELED")


@pytest.fixture(scope="module")
def flink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster("flink", tmp_path_factory.mktemp("flink")) as started:
        yield started


def shuffled(folder: Path, options: Sequence[str]) -> dict[str, bytes]:
    keys = {"numbers": "key", "squares": "key"}
    work, out = str(folder / "work"), str(folder / "out")
    run(Shuffle(read_numbers, keys, sum_by_key, 8, work, out), splits(11), options)
    return contents(folder / "out")


def files_of(run_dir: Path) -> dict[str, str]:
    digests: dict[str, str] = {}
    for name in ("signals", "candidates"):
        stage = current(run_dir, name)
        assert isinstance(stage, Stage)
        digests |= {entry["name"]: entry["sha256"] for entry in stage.manifest["files"]}
    return digests


def winnow(shop: Path, run_dir: Path, options: Sequence[str]) -> subprocess.Popen[str]:
    runner, *others = options
    command = [sys.executable, "-m", "pipelines.cli", "label", str(shop), "--out", str(run_dir)]
    return subprocess.Popen(
        [*command, runner, "--", *others],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        # Ctrl-C is ignored in the background of a shell, where tests may run.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def wait_for_job(flink: Cluster, known: set[str]) -> None:
    deadline = time.monotonic() + 60
    while not any(j["state"] == "RUNNING" and j["jid"] not in known for j in flink.jobs()):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_run_has_the_bytes_of_the_embedded_runner_and_prints_no_traceback(
    shop: Path, tmp_path: Path, flink: Cluster
) -> None:
    label(read_config(shop), tmp_path / "plain")
    process = winnow(shop, tmp_path / "flink", flink.options())
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    assert files_of(tmp_path / "flink") == files_of(tmp_path / "plain")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_job_is_cancelled_with_the_command(
    shop: Path, tmp_path: Path, flink: Cluster, number: int
) -> None:
    known = {job["jid"] for job in flink.jobs()}
    process = winnow(shop, tmp_path / "run", flink.options())
    wait_for_job(flink, known)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}[number], errors
    assert "cancelled the job winnow-" in errors
    assert "Traceback" not in errors
    assert all(job["state"] in STATES for job in flink.jobs())


def test_a_job_without_workers_is_waited_for_and_its_failure_explained(
    tmp_path: Path,
    flink: Cluster,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    notices: list[str] = []
    monkeypatch.setattr(monitor, "notify", notices.append)
    monkeypatch.setattr(monitor, "EVERY_SECONDS", 0.5)
    monkeypatch.setattr(monitor, "BEGIN_SECONDS", 2.0)
    options = [*flink.options("EXTERNAL"), "--environment_config=localhost:1"]
    with pytest.raises(EngineError) as caught:
        shuffled(tmp_path, options)
    assert caught.value.facts["cause"] == "finishConnect(..) failed: Connection refused"
    assert caught.value.facts["id"] in {job["jid"] for job in flink.jobs()}
    assert caught.value.facts["page"] == flink.address
    assert "start workers" in caught.value.help
    assert notices[0].startswith("shuffle: no worker has begun after 2 s; waiting for workers at")
