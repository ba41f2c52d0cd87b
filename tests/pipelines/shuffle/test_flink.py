"""Jobs on a real cluster of Flink: the same bytes, and the end of jobs that do not go well."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from labeling.errors import EngineError
from pipelines.jobs.label import label
from pipelines.run.config import read_config
from pipelines.shuffle import monitor
from tests.engines import Cluster, cluster, digests, start_label, wait_until, worker_pool
from tests.pipelines.shuffle.test_job_servers import shuffled

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def flink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster("flink", tmp_path_factory.mktemp("flink")) as started:
        yield started


@pytest.fixture
def ours(flink: Cluster) -> Cluster:
    if flink.folder is None:
        pytest.skip("only the job server of the cluster is known")
    return flink


def test_a_shuffle_has_the_bytes_of_the_embedded_runner(tmp_path: Path, flink: Cluster) -> None:
    expected = shuffled(str(tmp_path / "plain"), ())
    assert shuffled(str(tmp_path / "flink"), flink.options()) == expected


def test_a_run_has_the_bytes_of_the_embedded_runner_and_prints_no_traceback(
    shop: Path, tmp_path: Path, flink: Cluster
) -> None:
    label(read_config(shop), tmp_path / "plain")
    process = start_label(shop, tmp_path / "flink", flink.options())
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    assert digests(tmp_path / "flink") == digests(tmp_path / "plain")


def test_bytes_are_the_same_after_a_task_manager_was_killed(
    shop: Path, tmp_path: Path, ours: Cluster
) -> None:
    label(read_config(shop), tmp_path / "plain")
    with worker_pool() as pool:
        process = start_label(shop, tmp_path / "flink", ours.options("EXTERNAL", pool))
        wait_until(lambda: any("hosts-to-merge" in name for name in ours.running()))
        ours.replace_worker()
        _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert digests(tmp_path / "flink") == digests(tmp_path / "plain")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_job_is_cancelled_with_the_command(
    shop: Path, tmp_path: Path, ours: Cluster, number: int
) -> None:
    process = start_label(shop, tmp_path / "run", ours.options())
    wait_until(lambda: bool(ours.running()))
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}[number], errors
    assert "cancelled the job winnow-" in errors
    assert "Traceback" not in errors
    assert ours.running() == []


def test_workers_are_waited_for_and_the_failure_of_their_job_explained(
    tmp_path: Path, ours: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    notices: list[str] = []
    monkeypatch.setattr(monitor, "notify", notices.append)
    monkeypatch.setattr(monitor, "EVERY_SECONDS", 0.5)
    monkeypatch.setattr(monitor, "BEGIN_SECONDS", 2.0)
    with pytest.raises(EngineError) as caught:
        shuffled(str(tmp_path), ours.options("EXTERNAL", "localhost:1"))
    facts = caught.value.facts
    assert facts["cause"] == "finishConnect(..) failed: Connection refused"
    assert len(facts["id"]) == len("bd37c5b75cb8ce84f606dabd654c0471")
    assert facts["page"] == ours.address
    assert "start workers" in caught.value.help
    assert notices[0].startswith("shuffle: no worker has begun after 2 s; waiting for workers at")
