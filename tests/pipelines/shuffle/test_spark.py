"""Jobs on a real cluster of Spark: the same bytes, and a job that is cancelled."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.jobs.label import label
from pipelines.run.config import read_config
from tests.engines import Cluster, cluster, digests, start_label, wait_until
from tests.pipelines.shuffle.test_job_servers import shuffled

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster("spark", tmp_path_factory.mktemp("spark")) as started:
        yield started


def test_a_shuffle_has_the_bytes_of_the_embedded_runner(tmp_path: Path, spark: Cluster) -> None:
    expected = shuffled(str(tmp_path / "plain"), ())
    assert shuffled(str(tmp_path / "spark"), spark.options()) == expected


def test_a_run_has_the_bytes_of_the_embedded_runner_and_prints_no_traceback(
    shop: Path, tmp_path: Path, spark: Cluster
) -> None:
    label(read_config(shop), tmp_path / "plain")
    process = start_label(shop, tmp_path / "spark", spark.options())
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    assert digests(tmp_path / "spark") == digests(tmp_path / "plain")


def test_the_job_is_cancelled_with_the_command(shop: Path, tmp_path: Path, spark: Cluster) -> None:
    if spark.folder is None:
        pytest.skip("only the job server of the cluster is known")
    process = start_label(shop, tmp_path / "run", spark.options())
    wait_until(lambda: bool(spark.running()))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "cancelled the job winnow-inputs-" in errors
    wait_until(lambda: spark.running() == [])
