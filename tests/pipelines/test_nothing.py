"""Stages that would write nothing: refused where something went in, else valid and empty."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from curation.runs.stage import current, open_stage
from labeling.schemas import CANDIDATES, SIGNALS
from pipelines.cli import main
from pipelines.run.config import read_config
from pipelines.run.saved_config import save_config


def winnow(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def run(shop: Path, selected: Path) -> Path:
    save_config(read_config(shop), selected)
    return selected


def test_texts_that_name_no_label_are_refused(shop: Path, tmp_path: Path) -> None:
    (shop.parent / "taxonomy.jsonl").write_text('{"id": "owl", "names": ["owl"]}\n')
    (shop.parent / "feedback.csv").write_text(
        "event_id,image,label,query,kind,user,position,time\n"
    )
    done = winnow("label", shop, "--out", tmp_path / "run")
    assert done.exit_code == 3, done.output
    assert "the stage candidates would be empty, although " in done.stderr
    assert "no text holds the name of a label" in done.stderr
    assert current(tmp_path / "run", "candidates") is None


@pytest.mark.parametrize("limit", ["0.1", "1.0"])
def test_inputs_of_which_all_is_rejected_are_empty_within_the_limit(
    tmp_path: Path, limit: str
) -> None:
    (tmp_path / "t.jsonl").write_text('{"id": "owl", "names": ["owl"]}\n')
    (tmp_path / "s.csv").write_text("image,text\nnone.jpg,an owl\nnor.jpg,owls\n")
    config = tmp_path / "run.toml"
    config.write_text('[taxonomy]\npath = "t.jsonl"\n[[signals]]\npath = "s.csv"\n')
    out = tmp_path / "run"
    done = winnow("label", config, "--out", out, "-o", f"label.max_reject_share={limit}")
    assert done.exit_code == (4 if limit == "0.1" else 0), done.output
    if limit == "1.0":
        assert "2 rejects" in done.stderr
        assert "0 candidates" in done.stderr
        assert open_stage(out, "signals").table(SIGNALS).num_rows == 0
        assert open_stage(out, "candidates").table(CANDIDATES).num_rows == 0
        assert winnow("report", out).exit_code == 0


def test_a_selection_of_nothing_is_refused(run: Path) -> None:
    before = open_stage(run, "selected").content
    done = winnow("select", run, "--keep", "0.0001")
    assert done.exit_code == 3
    assert "the stage selected would be empty, although " in done.stderr
    assert "below_threshold: " in done.stderr
    assert "select.keep" in done.stderr
    assert open_stage(run, "selected").content == before


def test_a_selection_of_held_out_images_alone_has_nothing_to_train_on(run: Path) -> None:
    done = winnow("export", run, "-o", "export.holdout_share=0.99999")
    assert done.exit_code == 3
    assert "held out: 160" in done.stderr
    assert current(run, "shards") is None


def test_a_sheet_without_verdicts_is_refused(labelled: Path, shop: Path, tmp_path: Path) -> None:
    config = read_config(shop, ["evaluate.truth=truth.csv"])
    unanswered = config.audit.model_copy(update={"truth": None})
    save_config(config.model_copy(update={"audit": unanswered}), labelled)
    assert winnow("audit", "sample", labelled).exit_code == 0
    sheet = shutil.copy(labelled / "audit-sheet.csv", tmp_path / "sheet.csv")
    done = winnow("audit", "import", labelled, sheet)
    assert done.exit_code == 3
    assert "no row of the answers has a verdict" in done.stderr
    assert "rows: 150" in done.stderr
    assert current(labelled, "audits") is None
