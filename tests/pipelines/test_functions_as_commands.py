"""The functions on a run make what the commands make, and return what the commands print."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

import pipelines
from curation.runs.lock import locked
from curation.runs.run import open_run
from curation.runs.stage import Stage
from labeling.errors import BusyError, ConfigError, InputError
from pipelines.cli import main
from pipelines.run.config import read_config
from pipelines.run.saved_config import save_config


def winnow(*arguments: object) -> dict[str, str]:
    """Run a command; return the values that it prints, by name."""
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.stderr
    return dict(line.split("  ", 1) for line in done.stdout.splitlines())


def contents(run: Path) -> dict[str, tuple[str, str]]:
    return {
        name: (stage.fingerprint, stage.content) for name, stage in open_run(run).stages.items()
    }


@pytest.fixture
def configured(shop: Path, labelled: Path) -> Path:
    """Return a labelled run with its saved configuration."""
    save_config(read_config(shop), labelled)
    return labelled


def test_a_whole_run_by_functions_is_that_of_the_commands(
    shop: Path, configured: Path, tmp_path: Path
) -> None:
    run, other = tmp_path / "by-functions", configured
    n_candidates = pipelines.label(shop, out=run).counts["candidates"]
    assert winnow("label", shop, "--out", other) == {"candidates": str(n_candidates)}

    sample = pipelines.audit_sample(run, settings={"audit.n": 100})
    assert (sample.sheet, sample.n_pairs, sample.look) == (None, 0, None)
    assert sample.audits is not None
    printed = winnow("audit", "sample", other, "-o", "audit.n=100")
    assert printed == {name: str(sample.audits.counts[name]) for name in printed}

    kept = pipelines.select(run, keep=0.4, by="level", settings={"audit.n": 100})
    printed = winnow("select", other, "--keep", 0.4, "--by", "level", "-o", "audit.n=100")
    assert printed["kept"] == str(kept.counts["out"])
    assert printed["precision"] == f"{kept.facts['precision']:.4f}"

    shards = pipelines.export(run, short_side=32)
    assert winnow("export", other, "--short-side", 32)["images"] == str(shards.counts["out"])
    model = pipelines.train(run, settings={"train.steps": 2})
    assert isinstance(model, Stage)
    final_loss = f"{model.facts['final_loss']:.4f}"
    assert winnow("train", other, "-o", "train.steps=2")["final_loss"] == final_loss
    evaluation = pipelines.evaluate(run)
    assert winnow("evaluate", other)["map"] == f"{evaluation.measures['map']:.4f}"
    assert json.loads(evaluation.path.read_text()) == evaluation.measures

    assert contents(run) == contents(other)
    page = pipelines.report(run)
    assert page == run / "report.html"
    assert winnow("report", other) == {"report": str(other / "report.html")}
    first, second = (json.loads((folder / "report.json").read_text()) for folder in (run, other))
    assert {**first, "run": None} == {**second, "run": None}


def test_a_person_judges_a_sheet_that_is_drawn_and_imported(configured: Path) -> None:
    by_person = {"audit.truth": None, "audit.n": 60}
    sample = pipelines.audit_sample(configured, settings=by_person)
    assert (sample.sheet, sample.n_pairs) == (configured / "audit-sheet.csv", 60)
    assert sample.audits is None
    sheet = pd.read_csv(sample.sheet, dtype=str, keep_default_na=False)
    sheet["verdict"] = ["yes", "no"] * 30
    sheet.to_csv(sample.sheet, index=False)
    audits = pipelines.audit_import(configured, sample.sheet)
    assert (audits.name, audits.counts["yes"], audits.counts["no"]) == ("audits", 30, 30)
    sample = pipelines.audit_sample(configured, until_width=0.9, settings=by_person)
    assert sample.look is not None
    assert sample.look.n_audits == 60
    assert (sample.sheet, sample.n_pairs) == (None, 0)


def test_descriptions_of_a_job_and_a_run_are_those_of_the_commands(
    shop: Path, configured: Path
) -> None:
    planned = CliRunner().invoke(main, ["plan", str(shop), "--out", str(configured)])
    for config, out in ((str(shop), configured), (read_config(shop), str(configured))):
        assert f"{pipelines.plan(config, out=out)}\n" == planned.stdout
    printed = CliRunner().invoke(main, ["status", str(configured)])
    state = pipelines.status(configured)
    assert (f"{state}\n", f"next: {state.next}\n") == (printed.stdout, printed.stderr)


def test_descriptions_have_attributes_for_programs(shop: Path, configured: Path) -> None:
    planned = pipelines.plan(shop, out=configured)
    assert {stage.name: stage.state for stage in planned.stages} == {
        "signals": "reused",
        "candidates": "reused",
    }
    assert 0 < planned.n_bytes_needed < planned.n_bytes_free
    state = pipelines.status(configured)
    assert {stage.name: stage.state for stage in state.stages} == {
        "signals": "current",
        "candidates": "current",
    }
    assert state.stages[1].counts == open_run(configured).stages["candidates"].counts


def test_a_configuration_in_memory_gives_the_run_of_its_file(
    shop: Path, labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shop.parent)
    config = read_config(shop).model_copy(update={"base": "."})
    pipelines.label(config, out="run")
    assert contents(shop.parent / "run") == contents(labelled)
    shutil.move("run", tmp_path / "moved")
    assert pipelines.select(tmp_path / "moved").counts["in"] > 0


def test_a_share_replaces_a_precision_of_the_configuration(configured: Path) -> None:
    asked = {"select.precision": 0.5}
    assert "precision_held" in pipelines.select(configured, settings=asked).facts
    stage = pipelines.select(configured, keep=0.2, settings=asked)
    assert stage.counts["out"] == round(0.2 * stage.counts["in"])
    with pytest.raises(ConfigError, match="cannot be asked for together"):
        pipelines.select(configured, keep=0.2, precision=0.5)


def test_every_function_that_writes_holds_the_lock_of_its_run(configured: Path, shop: Path) -> None:
    with locked(configured):
        for call in (
            lambda: pipelines.label(shop, out=configured),
            lambda: pipelines.audit_sample(configured),
            lambda: pipelines.audit_import(configured, configured / "config.json"),
            lambda: pipelines.select(configured),
            lambda: pipelines.export(configured),
            lambda: pipelines.train(configured),
            lambda: pipelines.evaluate(configured),
            lambda: pipelines.report(configured),
        ):
            with pytest.raises(BusyError):
                call()
        assert pipelines.status(configured).holder is not None


def test_a_remedy_names_arguments_in_python_and_options_on_the_command_line(
    configured: Path,
) -> None:
    with pytest.raises(ConfigError, match="help: give `keep=` or `precision=`, not both"):
        pipelines.select(configured, keep=0.2, precision=0.5)
    done = CliRunner().invoke(
        main, ["select", str(configured), "--keep", "0.2", "--precision", "0.5"]
    )
    assert "help: give --keep or --precision, not both" in done.stderr
    with pytest.raises(ConfigError, match=r'`settings=\{"select.keep": 0.25\}`'):
        pipelines.select(configured, settings=["keep"])
    done = CliRunner().invoke(main, ["select", str(configured), "-o", "keep"])
    assert "help: for example: -o select.keep=0.25" in done.stderr


def test_wrong_options_are_errors_with_a_remedy(configured: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="without candidates"):
        pipelines.audit_import(configured, "answers.csv", taxonomy="labels.jsonl")
    with pytest.raises(ConfigError, match="without the task"):
        pipelines.evaluate(configured, steps=3)
    with pytest.raises(ConfigError, match="kep"):
        pipelines.select(configured, settings={"select.kep": 0.2})
    with pytest.raises(InputError, match="not a run folder"):
        pipelines.select(tmp_path / "none")
