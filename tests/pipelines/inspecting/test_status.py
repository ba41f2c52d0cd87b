"""`winnow status`: what a run has, from outside, while others work on it and when it is damaged."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import pipelines
from curation.runs.lock import locked
from curation.runs.sealed import seal
from pipelines.cli import main
from pipelines.inspecting.unfinished import holder
from pipelines.shuffle.markers import (
    SHARED,
    File,
    Marker,
    begin_job,
    bucket_marker,
    split_marker,
    write_marker,
)
from tests.pipelines.runfolders import write_run, write_signals


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run")


def status(run_dir: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["status", str(run_dir), *options])


def states(done: Result) -> dict[str, str]:
    lines = [line.split("  ") for line in done.stdout.splitlines()[1:]]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    return {line[0]: line[1] for line in cells if len(line) > 1 and ":" not in line[0]}


def files_of(run_dir: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in run_dir.rglob("*") if path.is_file()}


def test_a_run_is_shown_in_the_order_of_the_work(run_dir: Path) -> None:
    before = files_of(run_dir)
    done = status(run_dir)
    assert list(states(done).items()) == [
        ("signals", "current"),
        ("candidates", "current"),
        ("selected", "current"),
    ]
    assert "4 candidates, 1 kept, precision 0.900 (0.800 to 0.950)" in done.stdout
    assert done.stderr == f"next: winnow audit sample {run_dir}\n"
    assert files_of(run_dir) == before


def test_what_was_made_from_something_stale_is_stale(run_dir: Path) -> None:
    write_signals(run_dir, "another text")
    done = status(run_dir)
    assert states(done) == {"signals": "current", "candidates": "stale", "selected": "stale"}
    assert "candidates: made from other signals" in done.stdout
    assert done.stderr == f"next: winnow label CONFIG --out {run_dir}\n"


@pytest.mark.parametrize("damage", ["cut", "gone", "manifest", "pointer", "binary"])
def test_damage_is_named_and_the_rest_is_shown(run_dir: Path, damage: str) -> None:
    (table,) = (run_dir / "candidates").glob("*/candidates-*.parquet")
    damaged = {
        "manifest": table.with_name("manifest.json"),
        "pointer": run_dir / "candidates" / "CURRENT",
        "binary": run_dir / "candidates" / "CURRENT",
    }.get(damage, table)
    if damage == "gone":
        damaged.unlink()
    else:
        kept = damaged.read_bytes()[:5]
        damaged.write_bytes(b"\x00\xff/../" if damage == "binary" else kept)
    done = status(run_dir)
    assert done.exit_code == 3
    assert states(done)["candidates"] == "damaged"
    assert states(done)["signals"] == "current"
    assert "1 file" in done.stderr or "a file of the run is damaged" in done.stderr
    assert str(run_dir / "candidates") in done.stderr


def test_an_unfinished_shuffle_is_shown_by_its_markers(run_dir: Path) -> None:
    work = run_dir / ".staging" / "candidates-0123456789ab.work" / "merge.work"
    job = {"name": "merge", "n_splits": 3, "n_buckets": 8}
    begin_job(str(work), job)
    marker = Marker((File("x", 1, ""),), {"rows": 5}, {})
    for number in range(3):
        write_marker(split_marker(str(work), f"s{number}"), marker, str(work / "partial"))
    write_marker(bucket_marker(str(work), 0), marker, str(work / "partial"))
    done = status(run_dir)
    assert "unfinished: candidates" in done.stdout
    assert "merge: 3 of 3 splits, 1 of 8 buckets\n" in done.stdout
    assert done.stderr == f"next: winnow label CONFIG --out {run_dir}\n"
    with locked(run_dir):
        done = status(run_dir)
    assert "being made: candidates" in done.stdout
    assert "merge: 3 of 3 splits, 1 of 8 buckets, " in done.stdout
    (work / "splits" / "s1.json").write_text("{")
    for damaged in ("[", "[]", "{}"):
        (work / "job.json").write_text(damaged)
        assert status(run_dir).exit_code == 0


def test_json_is_the_fields_of_the_status(run_dir: Path) -> None:
    work = run_dir / ".staging" / "candidates-0123456789ab.work" / "merge.work"
    begin_job(str(work), {"name": "me\x1b[2Jrge", "n_splits": 3, "n_buckets": 8})
    write_signals(run_dir, "another text")
    (table,) = (run_dir / "selected").glob("*/selected-*.parquet")
    table.unlink()
    done = status(run_dir, "--format", "json")
    assert done.exit_code == 3  # as without --format
    assert done.stdout.isascii() and "\x1b" not in done.stdout
    content = json.loads(done.stdout)
    assert [*content] == [field.name for field in dataclasses.fields(pipelines.Status)]
    assert content["damages"] == {str(table): "no such file or directory"}
    signals, candidates, selected = content["stages"]
    assert [*signals] == [*candidates] == [*selected]
    assert (signals["name"], signals["state"], signals["counts"]["images"]) == (
        "signals",
        "current",
        1,
    )
    assert candidates["state"] == "stale"
    assert candidates["stale"] == ["made from other signals than the current"]
    assert selected["state"] == "damaged"
    assert selected["measures"] == {"precision": 0.9, "precision_low": 0.8, "precision_high": 0.95}
    assert isinstance(selected["seconds"], float) and isinstance(selected["n_bytes"], int)
    (attempt,) = content["attempts"]
    (shuffle,) = attempt["shuffles"]
    assert (shuffle["n_splits"], shuffle["n_splits_done"]) == (3, 0)
    assert (content["holder"], content["next"]) == (None, f"winnow label CONFIG --out {run_dir}")


def test_damage_is_not_an_error_for_a_program(run_dir: Path) -> None:
    (run_dir / "candidates" / "CURRENT").write_text("nothing")
    state = pipelines.status(run_dir)
    assert [stage.state for stage in state.stages] == ["current", "damaged", "current"]
    assert [Path(path).parts[-3] for path in state.damages] == ["candidates"]


def test_a_notebook_shows_a_status_escaped(tmp_path: Path) -> None:
    state = pipelines.status(write_run(tmp_path / "<b>"))
    assert repr(state) == f"<Status of {tmp_path / '<b>'} with 3 stages>"
    html = state._repr_html_()
    assert "&lt;b&gt;" in html and "<b>" not in html
    assert "1 kept, precision 0.900 (0.800 to 0.950)" in html
    assert len(html) < 2000


def test_a_shuffle_in_a_shared_folder_is_shown_too(run_dir: Path, tmp_path: Path) -> None:
    scratch = run_dir / ".staging" / "signals-0123456789ab.work"
    scratch.mkdir(parents=True)
    (scratch / SHARED).write_text(str(tmp_path / "shared"))
    job = {"name": "inputs", "n_splits": 3, "n_buckets": 1}
    begin_job(str(tmp_path / "shared" / "inputs.work"), job)
    assert "inputs: 0 of 3 splits, 0 of 1 buckets\n" in status(run_dir).stdout


def test_the_holder_of_the_lock_is_named_and_not_disturbed(run_dir: Path) -> None:
    assert holder(run_dir) is None
    with locked(run_dir):
        done = status(run_dir)
        assert f"process {os.getpid()} works in this folder since" in done.stdout
        assert done.stderr == f"next: winnow status {run_dir}\n"
    assert "nobody works in this folder" in status(run_dir).stdout


def test_a_killed_process_or_one_of_another_machine_does_not_hold_the_lock(run_dir: Path) -> None:
    hold = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from curation.runs.lock import locked\n"
        "with locked(Path(sys.argv[1])):\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", hold, str(run_dir)], check=False)
    holder_of_lock = holder(run_dir)
    assert holder_of_lock is not None
    assert holder_of_lock.is_alive is False
    (run_dir / ".lock").write_text("process 1 on another-host since 2026-01-01 00:00:00\n")
    assert "process 1 on another-host took the lock" in status(run_dir).stdout


def test_settings_that_have_changed_are_damage(run_dir: Path) -> None:
    (run_dir / "config.json").write_text(seal({"base": "/data"}).replace("data", "date"))
    done = status(run_dir)
    assert done.exit_code == 3
    assert "a file of the run is damaged" in done.stderr
    assert f"{run_dir / 'config.json'}: it differs" in done.stderr
    assert states(done)["signals"] == "current"


def test_a_run_that_has_only_begun_has_a_status_and_another_folder_is_refused(
    tmp_path: Path,
) -> None:
    with locked(tmp_path / "new"):
        assert status(tmp_path / "new").exit_code == 0
    assert status(tmp_path).exit_code == 3
    assert status(tmp_path / "absent").exit_code == 2


def test_a_stage_without_its_input_is_shown(run_dir: Path) -> None:
    shutil.rmtree(run_dir / "signals")
    assert states(status(run_dir)) == {"candidates": "current", "selected": "current"}
