"""The command line as a person meets it: what it prints, where, and the exit code."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from pipelines.cli import main
from tests.pipelines.shops import write_shop

WINNOW = shutil.which("winnow", path=str(Path(sys.executable).parent)) or "winnow"


def winnow(*arguments: object) -> Result:
    """Run the command in this process: to start one for each costs seconds of imports."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Label the tiny shop once, by the command itself."""
    folder = tmp_path_factory.mktemp("cli")
    write_shop(folder / "shop")
    done = winnow("label", folder / "shop" / "run.toml", "--out", folder / "run")
    assert done.exit_code == 0, done.stderr
    return folder / "run"


def test_results_go_to_stdout_and_messages_to_stderr(run_dir: Path) -> None:
    done = winnow("select", run_dir)
    assert done.exit_code == 0
    printed = dict(line.split() for line in done.stdout.splitlines())
    assert int(printed["kept"]) == round(int(printed["candidates"]) / 3)
    assert float(printed["precision_low"]) <= float(printed["precision"])
    assert done.stderr.splitlines()[-1] == f"next: winnow export {run_dir}"
    assert "\x1b" not in done.stdout + done.stderr


def test_commands_that_inspect_agree_with_the_run(run_dir: Path) -> None:
    planned = winnow("plan", run_dir.parent / "shop" / "run.toml", "--out", run_dir)
    assert "signals: there, and used again if" in planned.stdout
    assert "candidates: there, and used again if" in planned.stdout
    n_candidates = int(winnow("inspect", run_dir, "candidates", "--count").stdout)
    assert f"{n_candidates:,} candidates" in winnow("status", run_dir).stdout


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (["sort"], 2, "No such command 'sort'"),
        (["label"], 2, "Missing argument 'CONFIG'"),
        (["label", "{shop}/run.toml"], 2, "Missing option '--out'"),
        (["label", "{shop}/absent.toml", "--out", "{new}"], 2, "absent.toml"),
        (["label", "{shop}/taxonomy.jsonl", "--out", "{new}"], 2, "not TOML"),
        (["label", "{shop}/run.toml", "--out", "{shop}/run.toml"], 2, "is a file"),
        (["label", "{shop}/run.toml", "--out", "{new}", "-o", "select.kep=1"], 2, '"keep"'),
        (
            ["label", "{shop}/run.toml", "--out", "{new}", "-o", "taxonomy.path=no.jsonl"],
            3,
            "no.js",
        ),
        (["label", "{shop}/run.toml", "--out", "{new}", "--runner", "Nope"], 2, "Nope"),
        (["select", "{new}"], 3, "not a run folder"),
        (["select", "{run}", "-o", "select.keep=2"], 2, "less than or equal to 1"),
        (["select", "{run}", "-o", "select.keep"], 2, "key=value"),
        (["audit", "sample", "{run}", "-o", "audit.truth=none.csv"], 3, "none.csv"),
        (["audit", "import", "{run}", "{new}"], 2, "does not exist"),
        (["export", "{run}", "--label-set", "best"], 2, "'best' is not one of"),
        (["train", "{run}", "--label-set", "all"], 3, "winnow export"),
        (["train", "{run}", "-o", "train.depth=19"], 2, "train.depth"),
        (["evaluate", "{run}", "--label-set", "random"], 3, "no shards-random yet"),
    ],
)
def test_wrong_input_gets_a_sentence_and_its_exit_code(
    run_dir: Path, tmp_path: Path, arguments: list[str], code: int, expected: str
) -> None:
    shop, new = run_dir.parent / "shop", tmp_path / "new"
    done = winnow(*[a.format(shop=shop, run=run_dir, new=new) for a in arguments])
    assert done.exit_code == code, done.stderr
    assert expected in done.stderr
    assert isinstance(done.exception, SystemExit)
    assert done.stdout == ""


def test_a_missing_truth_leaves_no_files(run_dir: Path) -> None:
    before = sorted(path.name for path in run_dir.iterdir())
    winnow("audit", "sample", run_dir, "-o", "audit.truth=none.csv", "-o", "audit.n=99")
    assert sorted(path.name for path in run_dir.iterdir()) == before
    assert list((run_dir / ".staging").iterdir()) == []


def test_verbose_shows_the_traceback(tmp_path: Path) -> None:
    command = [WINNOW, "-v", "select", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 3
    assert "Traceback" in done.stderr


def test_a_second_run_in_one_folder_is_refused(run_dir: Path) -> None:
    hold = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from curation.runs.lock import locked\n"
        "with locked(Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(run_dir)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        done = winnow("report", run_dir)
        holder.kill()
    assert done.exit_code == 3
    assert f"process {holder.pid}" in done.stderr
    assert winnow("report", run_dir).exit_code == 0


def handle_interrupts() -> None:
    """Undo that a shell has its background ignore SIGINT, which the tests would inherit."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_command_leaves_no_half_output(
    run_dir: Path, tmp_path: Path, number: int, code: int
) -> None:
    shop, out = run_dir.parent / "shop", tmp_path / "run"
    command = [WINNOW, "label", str(shop / "run.toml"), "--out", str(out)]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, preexec_fn=handle_interrupts
    ) as running:
        while not (out / ".staging").exists() and running.poll() is None:
            time.sleep(0.01)
        running.send_signal(number)
        _, talk = running.communicate(timeout=60)
    assert running.returncode == code, talk
    assert "interrupted" in talk
    assert winnow("label", shop / "run.toml", "--out", out).exit_code == 0


def test_progress_as_json_has_an_object_on_every_line(run_dir: Path, tmp_path: Path) -> None:
    source = run_dir.parent / "shop" / "run.toml"
    done = winnow("--progress", "json", "label", source, "--out", tmp_path / "new")
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert [e["stage"] for e in events if e["event"] == "stage"] == ["signals", "candidates"]
    assert events[-1]["command"] == f"winnow audit sample {tmp_path / 'new'}"
    assert all(e["time"] > 1.7e9 for e in events)
    failed = winnow("--progress", "json", "select", tmp_path)
    (error,) = map(json.loads, failed.stderr.splitlines())
    assert (error["event"], error["exit_code"]) == ("error", failed.exit_code)
    assert error["help"] and error["facts"]
    assert winnow("select", tmp_path).stderr.startswith("error: ")
    misused = winnow("--progress", "json", "select", tmp_path, "--kep", "0.2")
    assert misused.exit_code == 2
    assert json.loads(misused.stderr)["facts"]["command"].endswith("select")


def test_a_configuration_that_is_shown_can_be_read(run_dir: Path, tmp_path: Path) -> None:
    source = run_dir.parent / "shop" / "run.toml"
    shown = winnow("config", "show", source, "-o", "select.keep=0.2")
    assert "keep = 0.2\n" in shown.stdout
    assert "support_only = []\n" in shown.stdout, "an empty value differs from the default"
    (tmp_path / "shown.toml").write_text(shown.stdout, encoding="utf-8")
    assert winnow("config", "show", tmp_path / "shown.toml").stdout == shown.stdout
    assert winnow("config", "show", run_dir, "-o", "select.keep=0.2").stdout == shown.stdout


def test_a_check_counts_what_every_input_holds(run_dir: Path) -> None:
    checked = winnow("config", "check", run_dir.parent / "shop" / "run.toml")
    assert checked.exit_code == 0
    assert "taxonomy.jsonl  6 labels\nproducts.csv  1 file\n" in checked.stdout
    assert "truth.csv  320 pairs\n" in checked.stdout


def test_a_check_lists_the_mistakes_of_all_inputs(run_dir: Path) -> None:
    source = run_dir.parent / "shop" / "run.toml"
    paths = ["taxonomy.path=absent.jsonl", "audit.truth=gone.csv", "base=" + str(source.parent)]
    options = [option for path in paths for option in ("-o", path)]
    checked = winnow("config", "check", source, *options)
    assert checked.exit_code == 3
    assert "[taxonomy] the taxonomy does not exist" in checked.stderr
    checked = winnow("config", "check", source, *options[2:])
    assert "[audit] an input file does not exist" in checked.stderr
    assert str(source.parent / "gone.csv") in checked.stderr


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_check_reads_the_headers_of_tables(tmp_path: Path, kind: str) -> None:
    row = {"image": "a.jpg", "text": "a cat"}
    table = pa.Table.from_pylist([row])
    if kind == "csv":
        pa.csv.write_csv(table, tmp_path / "t.csv")
    elif kind == "parquet":
        pq.write_table(table, tmp_path / "t.parquet")
    else:
        (tmp_path / "t.jsonl").write_text(json.dumps(row))
    (tmp_path / "names.txt").write_text("cat\n")
    config = tmp_path / "x.toml"
    config.write_text(
        f'[taxonomy]\npath = "names.txt"\n[[signals]]\npath = "t.{kind}"\n'
        'columns = { image = "imgae", text = "TEXT" }\n'
    )
    checked = winnow("config", "check", config)
    assert checked.exit_code == 3
    assert "no column 'imgae' (did you mean \"image\"?)" in checked.stderr
    assert "columns: image, text" in checked.stderr
    config.write_text(config.read_text().replace("imgae", "Image"))
    assert winnow("config", "check", config).exit_code == 0


def test_a_relative_run_folder_is_shown_as_it_was_typed(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run_dir.parent)
    done = winnow("label", "shop/run.toml", "--out", "run")
    assert done.stderr.splitlines()[-1] == "next: winnow audit sample run"
    assert winnow("status", "run").stderr.splitlines()[-1].startswith("next: winnow")
    planned = winnow("plan", "shop/run.toml", "--out", "run").stderr.splitlines()[-1]
    assert planned == "next: winnow label shop/run.toml --out run"


LEAK = """
import logging, sys
import pipelines
from labeling.errors import InputError
from pipelines.cli import main

def select(*arguments, **options):
    logging.getLogger("other").error("tried s3://KEY:SE/CRET@bucket/x")
    raise KIND("no such folder: s3://KEY:SE/CRET@bucket/x")

pipelines.select = select
main(sys.argv[1:])
"""


@pytest.mark.parametrize(
    ("kind", "options", "code"),
    [("InputError", [], 3), ("InputError", ["-v"], 3), ("OSError", [], 1)],
)
def test_no_message_traceback_or_log_shows_a_key(
    tmp_path: Path, kind: str, options: list[str], code: int
) -> None:
    command = [sys.executable, "-c", LEAK.replace("KIND", kind), *options, "select", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == code
    assert "CRET" not in done.stderr
    assert done.stderr.count("s3://***@bucket/x") == 2
