"""Workers of a cluster that was there before the command, and will be there after it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from curation.runs.stage import Stage, current
from pipelines.cli import main
from pipelines.jobs.label import label
from pipelines.run.config import read_config

pytestmark = pytest.mark.engine


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[list[str]]:
    """Yield the options for a cluster whose one worker has a working folder of its own."""
    distributed = pytest.importorskip("distributed")
    folder, before = tmp_path / "worker", Path.cwd()
    folder.mkdir()
    os.chdir(folder)
    try:
        cluster = distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0"
        )
    finally:
        os.chdir(before)
    with cluster:
        yield ["--runner=dask", f"--dask_client_address={cluster.scheduler_address}"]


def files_of(stage: Stage) -> dict[str, str]:
    return {entry["name"]: entry["sha256"] for entry in stage.manifest["files"]}


def swap_names(path: Path) -> None:
    labels = [json.loads(line) for line in path.read_text().splitlines()]
    red, green = (label for label in labels if label["id"] in ("red", "green"))
    red["names"], green["names"] = green["names"], red["names"]
    path.write_text("".join(json.dumps(label) + "\n" for label in labels))


def test_a_worker_that_outlives_a_run_reads_the_next_taxonomy(
    shop: Path, tmp_path: Path, cluster: list[str]
) -> None:
    config = read_config(shop)
    first = label(config, tmp_path / "first", cluster)
    swap_names(shop.parent / "taxonomy.jsonl")
    second = label(config, tmp_path / "second", cluster)
    assert files_of(second) == files_of(label(config, tmp_path / "embedded"))
    assert files_of(second) != files_of(first)


def test_a_relative_run_folder_is_that_of_the_command_not_of_the_worker(
    shop: Path, tmp_path: Path, cluster: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["label", "shop/run.toml", "--out", "run", "--", *cluster])
    assert done.exit_code == 0, done.stderr
    assert current(tmp_path / "run", "candidates") is not None
    assert list((tmp_path / "worker").rglob("*.parquet")) == []
