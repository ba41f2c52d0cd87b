"""Workers, order of rows and files, locale, time zone and hash seed change no byte."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from curation.runs.stage import open_stage
from pipelines.jobs.label import label
from pipelines.run.config import read_config
from pipelines.shuffle import engine
from tests.faults import jobs

WORKERS = ("--direct_num_workers=8", "--direct_running_mode=multi_threading")

LABEL = f"""
from pipelines.shuffle import engine
engine.ROWS_PER_BUCKET = {jobs.ROWS_PER_BUCKET}
from pipelines.cli import main
main()
"""


@pytest.fixture(autouse=True)
def small_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "ROWS_PER_BUCKET", jobs.ROWS_PER_BUCKET)


def candidates(config: Path, out: Path) -> dict[str, bytes]:
    label(read_config(config), out)
    return {p.name: p.read_bytes() for p in open_stage(out, "candidates").paths(".parquet")}


@pytest.mark.slow
def test_another_process_elsewhere_makes_the_same_bytes(tmp_path: Path) -> None:
    config = jobs.write_job(tmp_path / "here" / "job")
    label(read_config(config), tmp_path / "one", ["--direct_num_workers=1"])
    there = tmp_path / "there"
    there.mkdir()
    for name in sorted(os.listdir(config.parent / "texts"), reverse=True):
        (there / "job" / "texts").mkdir(parents=True, exist_ok=True)
        shutil.copy(config.parent / "texts" / name, there / "job" / "texts")
    shutil.copytree(config.parent, there / "job", dirs_exist_ok=True)
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "PYTHONHASHSEED": "7",
        "TZ": "Asia/Kathmandu",
        "LC_ALL": "tr_TR.ISO8859-9",
        "PYTHONUTF8": "0",
    }
    command = [sys.executable, "-c", LABEL, "label", "job/run.toml", "--out", "../two", "--"]
    done = subprocess.run(
        [*command, *WORKERS], cwd=there, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert len(jobs.outputs(tmp_path / "one")) == 2
    assert jobs.outputs(tmp_path / "two") == jobs.outputs(tmp_path / "one")


def test_the_order_of_rows_and_files_makes_no_difference(tmp_path: Path) -> None:
    config = jobs.write_job(tmp_path / "job")
    first = candidates(config, tmp_path / "one")
    assert len(first) > 3
    files = [config.parent / "links.csv", config.parent / "feedback.csv"]
    texts = sorted((config.parent / "texts").iterdir())
    rng = random.Random(0)
    for path in (*files, *texts):
        head, *rows = path.read_text().splitlines(keepends=True)
        rng.shuffle(rows)
        path.write_text("".join((head, *rows)))
    for name, path in zip("cab", texts, strict=True):
        path.rename(path.with_name(f"{name}.csv"))
    assert candidates(config, tmp_path / "two") == first
