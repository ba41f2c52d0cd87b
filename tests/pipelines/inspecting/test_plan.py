"""`winnow plan`: the job as it would be done, from names, sizes and footers alone."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

import pipelines
from curation.runs.sealed import seal, unseal
from curation.runs.stage import open_stage
from curation.runs.staging import write_stage
from labeling.errors import InputError
from labeling.readers.table_files.parquet_footers import rows_of
from pipelines.cli import main
from pipelines.inputs.splits import input_paths, splits_of
from pipelines.inspecting import forecast
from pipelines.run.config import read_config
from pipelines.run.dependencies import digests_of, settings_of

CONFIG = """\
[taxonomy]
path = "labels.jsonl"

[[signals]]
path = "texts"
columns = { image = "image", text = "text" }

[[links]]
path = "links.csv"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "texts").mkdir()
    for number in range(3):
        rows = pa.table({"image": ["a", "b"] * 2, "text": ["red"] * 4})
        pq.write_table(rows, tmp_path / "texts" / f"{number}.parquet")
    (tmp_path / "labels.jsonl").write_text('{"id": "red"}\n')
    (tmp_path / "links.csv").write_text("src,dst\n" + "http://a.org/1,http://a.org/2\n" * 1000)
    path = tmp_path / "run.toml"
    path.write_text(CONFIG)
    return path


def plan(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["plan", *map(str, arguments)])


def cells(done: Result) -> dict[str, list[str]]:
    """Return the cells of each line by its first one."""
    lines = [re.split(r"  +", line.strip()) for line in done.stdout.splitlines()]
    return {line[0]: line[1:] for line in lines}


def test_inputs_are_counted_exactly_or_guessed_and_marked(config: Path) -> None:
    done = plan(config)
    lines = cells(done)
    n_bytes = sum(path.stat().st_size for path in (config.parent / "texts").iterdir())
    assert lines["texts"][:3] == ["signals", "3", "12"]
    assert lines["texts"][3] == f"{n_bytes / 1024:.1f} KiB"
    assert lines["links.csv"] == ["links", "1", "~300", "29 KiB"]
    assert lines["together"][:2] == ["5", "~312"]
    assert lines["inputs"] == ["4", "1"]
    assert done.stderr == f"next: winnow label {config} --out RUN\n"


def test_the_arithmetic_of_the_disk_adds_up(config: Path) -> None:
    lines = cells(plan(config))
    parts, needed = forecast.disk(312, with_signals=True)
    assert sum(part.n_bytes for part in parts) >= needed
    assert lines["signals"][:2] == ["312", f"× {forecast.BYTES_PER_ROW['signals']}"]
    assert lines["at most at a time"] == [f"~{needed / 1024:.0f} KiB"]


def test_json_is_the_fields_of_the_plan(config: Path) -> None:
    run_dir = config.parent / "run"
    commit_as_label_would(config, run_dir)
    done = plan(config, "--out", run_dir, "-o", "links=[]", "--format", "json")
    content = json.loads(done.stdout)
    assert done.stdout.isascii() and "\x1b" not in done.stdout
    assert [*content] == [field.name for field in dataclasses.fields(pipelines.Plan)]
    assert content["run"] == str(run_dir)
    signals, taxonomy = content["inputs"]
    assert signals == {
        "kind": "signals",
        "path": "texts",
        "n_files": 3,
        "n_bytes": sum(path.stat().st_size for path in (config.parent / "texts").iterdir()),
        "n_rows": 12,
        "is_exact": True,
    }
    assert (taxonomy["kind"], taxonomy["n_files"]) == ("taxonomy", 1)
    first = {"name": "inputs", "n_splits": 3, "n_buckets": 1, "n_rows": 4 * 18}
    assert content["passes"][0] == first
    assert content["disk"][1]["n_bytes"] == 12 * forecast.BYTES_PER_ROW["signals"]
    assert [(stage["name"], stage["state"]) for stage in content["stages"]] == [
        ("signals", "again"),
        ("candidates", "reused"),
    ]
    assert "settings have changed: links" in content["stages"][0]["reasons"]
    assert done.stderr == f"next: winnow label {config} --out {run_dir}\n"


def test_a_notebook_shows_a_plan_escaped(config: Path) -> None:
    strange = config.parent / "<b>"
    shutil.move(config.parent / "texts", strange)
    config.write_text(CONFIG.replace('"texts"', '"<b>"'))
    shown = pipelines.plan(config)
    assert repr(shown).startswith("<Plan of 3 inputs")
    assert "<td>&lt;b&gt;</td>" in shown._repr_html_()
    assert len(shown._repr_html_()) < 2000


def test_a_disk_that_is_too_small_is_warned_of(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(9, 9, 0))
    done = plan(config, "--out", config.parent / "not" / "yet")
    assert done.exit_code == 0
    assert "warning: about" in done.stderr
    assert f"needed in {config.parent}" in done.stderr
    assert not (config.parent / "not").exists()


@pytest.mark.parametrize("missing", ["texts", "links.csv", "labels.jsonl"])
def test_a_missing_input_is_an_error(config: Path, missing: str) -> None:
    gone = config.parent / missing
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    done = plan(config)
    assert (done.exit_code, done.stdout) == (3, "")
    assert str(gone) in done.stderr


def test_a_damaged_footer_is_named(config: Path) -> None:
    path = config.parent / "texts" / "1.parquet"
    path.write_bytes(path.read_bytes()[:-6])
    done = plan(config)
    assert done.exit_code == 3
    assert str(path) in done.stderr


def test_a_reader_that_dies_names_the_file_it_died_of(tmp_path: Path) -> None:
    good = tmp_path / "good.parquet"
    pq.write_table(pa.table({"a": [1, 2, 3]}), good)
    fifo = tmp_path / "dir.parquet"
    fifo.mkdir()
    assert rows_of([good] * 500) == [3] * 500
    with pytest.raises(InputError, match=r"cannot be read(.|\n)*dir\.parquet"):
        rows_of([good, fifo])


def commit_as_label_would(config: Path, run_dir: Path) -> None:
    """Commit outputs without rows whose manifests name the inputs as they are."""
    settings = read_config(config)
    paths = input_paths(settings, splits_of(settings))
    inputs = {path.relative_to(config.parent).as_posix(): "digest" for path in paths}
    of_inputs = settings_of("signals", settings)
    with write_stage(run_dir, "signals", inputs=inputs, config=of_inputs) as work:
        work.counts |= {
            "signals": 5_000_000,
            "links": 3_000_000,
            "placements": 4_000_000,
            "feedback": 0,
        }
    inputs = {"signals": open_stage(run_dir, "signals").content}
    inputs |= digests_of("candidates", settings)
    of_labels = settings_of("candidates", settings)
    with write_stage(run_dir, "candidates", inputs=inputs, config=of_labels):
        pass


def test_what_a_rerun_would_reuse_is_shown(config: Path) -> None:
    run_dir = config.parent / "run"
    assert "signals: will be made\n" in plan(config, "--out", run_dir).stdout
    commit_as_label_would(config, run_dir)
    before = sorted(run_dir.rglob("*"))
    done = plan(config, "--out", run_dir)
    assert "signals: there, and used again if" in done.stdout
    assert "candidates: there, and used again if the signals have not" in done.stdout
    assert (cells(done)["hosts"][-1], cells(done)["merge"][-1]) == ("32", "256")
    assert "inputs" not in cells(done)
    assert sorted(run_dir.rglob("*")) == before
    changed = plan(config, "--out", run_dir, "-o", "label.support_only=['page']").stdout
    assert "candidates: will be made again: settings have changed: support_only" in changed


def test_why_signals_will_be_made_again_is_shown(config: Path) -> None:
    run_dir = config.parent / "run"
    commit_as_label_would(config, run_dir)
    changed = plan(config, "--out", run_dir, "-o", "taxonomy.format=edges").stdout
    assert "candidates: will be made again: settings have changed: taxonomy.format" in changed
    assert "signals: there" in changed
    changed = plan(config, "--out", run_dir, "-o", "links=[]").stdout
    assert "settings have changed: links" in changed
    shutil.copy2(config.parent / "texts" / "2.parquet", config.parent / "texts" / "3.parquet")
    (config.parent / "texts" / "0.parquet").unlink()
    links = config.parent / "links.csv"
    links.write_text(links.read_text() + "\n")
    os.utime(links, (2e9, 2e9))
    manifest = next((run_dir / "signals").glob("*/manifest.json"))
    manifest.write_text(seal(unseal(manifest.read_text()) | {"winnow": "0.0.0+00000000"}))
    shown = plan(config, "--out", run_dir).stdout
    for reason in (
        "winnow itself has changed",
        "inputs are new: texts/3.parquet",
        "inputs are gone: texts/0.parquet",
        "inputs have changed: links.csv",
    ):
        assert reason in shown


def test_thousands_of_files_are_quick(config: Path) -> None:
    source = (config.parent / "texts" / "0.parquet").read_bytes()
    for number in range(3, 500):
        (config.parent / "texts" / f"{number}.parquet").write_bytes(source)
    started = time.perf_counter()
    lines = cells(plan(config))
    assert lines["texts"][:3] == ["signals", "500", "2,000"]
    assert time.perf_counter() - started < 20
