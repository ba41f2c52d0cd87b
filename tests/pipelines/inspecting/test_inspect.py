"""`winnow inspect`: rows of a run on stdout, whatever they hold and whatever reads them."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipelines.cli import main
from pipelines.inspecting.inspect import _write_csv
from tests.pipelines.runfolders import IMAGE_IDS, TEXT, write_run, write_signals

WINNOW = shutil.which("winnow", path=str(Path(sys.executable).parent)) or "winnow"


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("inspect") / "run")


def inspect(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["inspect", *map(str, arguments)])


def test_the_tables_of_a_run_are_listed(run_dir: Path) -> None:
    lines = [line.split() for line in inspect(run_dir).stdout.splitlines()]
    assert [line[:2] for line in lines] == [
        ["table", "rows"],
        ["rejects", "0"],
        ["signals", "1"],
        ["candidates", "4"],
        ["taxonomy", "2"],
        ["selected", "4"],
    ]
    assert lines[-1][-5:] == ["image_id,", "label_id,", "p_correct,", "kept,", "reason"]


def test_rows_are_shown_with_the_names_of_labels(run_dir: Path) -> None:
    done = inspect(run_dir, "selected", "--limit", 3)
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["image_id", "label_id", "label", "p_correct", "kept", "reason"],
        [IMAGE_IDS[0], "l1", "red", "0.9", "true", "kept"],
        [IMAGE_IDS[1], "l1", "red", "0.8", "false", "below_threshold"],
        [IMAGE_IDS[2], "l2", "blue", "shirt", "0.7", "false", "below_threshold"],
    ]
    assert done.stderr == "the first 3 of 4 rows: --limit for more\n"


@pytest.mark.parametrize("where", ["label = blue-shirt", "label_id != l9"])
def test_a_filter_by_a_label_that_is_not_known_is_refused(run_dir: Path, where: str) -> None:
    refused = inspect(run_dir, "selected", "--where", where)
    column, _, value = where.split()
    assert refused.exit_code == 2
    assert f'there is no {column} "{value}" (did you mean "' in refused.stderr


@pytest.mark.parametrize(
    ("table", "wheres", "expected"),
    [
        ("selected", ["p_correct >= 0.8"], 2),
        ("selected", ["p_correct >= 0.8", "kept = false"], 1),
        ("selected", ["label ~ 'blue '"], 2),
        ("selected", ["label != red and label_id != l1"], 2),
        ("selected", ["label_id = 'l2'", "kept = true"], 0),
        ("candidates", ["evidence.source = alt and label = red"], 1),
        ("candidates", ["silent = alt"], 0),
        ("taxonomy", ["names.name ~ shirt"], 1),
        ("signals", ["lang != en"], 0),
        ("signals/rejects", [], 0),
    ],
)
def test_filters_choose_rows(run_dir: Path, table: str, wheres: list[str], expected: int) -> None:
    options = [word for where in wheres for word in ("--where", where)]
    assert inspect(run_dir, table, *options, "--count").stdout == f"{expected}\n"
    rows = inspect(run_dir, table, *options, "--format", "jsonl").stdout.splitlines()
    assert len(rows) == expected


def test_programs_get_exact_values(run_dir: Path) -> None:
    (row,) = map(json.loads, inspect(run_dir, "signals", "--format", "jsonl").stdout.splitlines())
    assert (row["text"], row["weight"], row["lang"]) == (TEXT, 0.7, None)
    (row,) = csv.DictReader(io.StringIO(inspect(run_dir, "signals", "--format", "csv").stdout))
    assert (row["text"], row["weight"], row["lang"]) == (TEXT, "0.7", "")
    done = inspect(run_dir, "candidates", "--format", "csv", "--columns", "label,evidence")
    first = next(csv.DictReader(io.StringIO(done.stdout)))
    item = {"source": "alt", "strength": 0.1, "n_pages": 1, "n_hosts": 1}
    assert (first["label"], json.loads(first["evidence"])) == ("red", [item])


@pytest.mark.parametrize("form", ["table", "csv", "jsonl"])
def test_a_terminal_is_not_obeyed_by_texts(run_dir: Path, form: str) -> None:
    ours, theirs = pty.openpty()
    command = [WINNOW, "inspect", str(run_dir), "signals", "--columns", "text", "--format", form]
    subprocess.run(command, stdout=theirs, check=True)
    os.close(theirs)
    shown = os.read(ours, 10_000).decode()
    os.close(ours)
    assert "shirt" in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_a_reader_that_closes_the_pipe_is_not_an_error(run_dir: Path) -> None:
    command = f"{WINNOW} inspect {run_dir} selected --format csv | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("0\n", "")


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (["selectd"], 3, 'did you mean "selected"'),
        (["selected", "--where", "p_corect > 1"], 2, 'did you mean "p_correct"'),
        (["selected", "--columns", "labels"], 2, 'did you mean "label"'),
        (["selected", "--where", "kept = false or p_correct > 1"], 2, "DuckDB"),
        (["signals", "--columns", "label"], 2, 'no column "label"'),
        (["selected", "--limit", "-1"], 2, "-1"),
        (["selected", "--format", "xml"], 2, "xml"),
    ],
)
def test_mistakes_are_named(run_dir: Path, arguments: list[str], code: int, expected: str) -> None:
    done = inspect(run_dir, *arguments)
    assert (done.exit_code, done.stdout) == (code, "")
    assert expected in done.stderr


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    done = inspect(tmp_path)
    assert done.exit_code == 3
    assert "not a run folder" in done.stderr


def test_a_stale_table_is_shown_and_reported_to_be_stale(tmp_path: Path) -> None:
    run_dir = write_run(tmp_path / "run")
    write_signals(run_dir, "another text")
    done = inspect(run_dir, "selected", "--count")
    assert done.stdout == "4\n"
    assert "stale: selected: made from other candidates" in done.stderr


def test_a_damaged_file_is_named_and_the_rest_is_shown(tmp_path: Path) -> None:
    run_dir = write_run(tmp_path / "run")
    (damaged,) = (run_dir / "selected").glob("*/selected-*.parquet")
    damaged.write_bytes(damaged.read_bytes()[:-100])
    done = inspect(run_dir)
    assert done.exit_code == 3
    assert "candidates" in done.stdout
    assert str(damaged) in done.stderr
    done = inspect(run_dir, "selected")
    assert done.exit_code == 3
    assert str(damaged) in done.stderr
    assert inspect(run_dir, "candidates", "--count").stdout == "4\n"


def test_csv_holds_no_formula_and_numbers_as_they_are() -> None:
    rows = iter([{"image": "=HYPERLINK(1)", "weight": -0.5, "names": ["=a"], "none": None}])
    out = io.StringIO()
    _write_csv(["image", "weight", "names", "none"], rows, out)
    assert out.getvalue().splitlines()[1] == '\'=HYPERLINK(1),-0.5,"[""=a""]",'
