"""Errors of auditors in a run: by the settings, and by pairs that were judged twice."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from curation.runs.stage import Stage, open_stage
from labeling.errors import QualityError
from labeling.schemas import AUDITS
from pipelines.auditing.auditor_errors import rates_of
from pipelines.auditing.known_answers import KnownAnswers
from pipelines.auditing.sample import draw_audits, import_answers
from pipelines.auditing.until import audit_until
from pipelines.delivery.report import report
from pipelines.run.config import Config, read_config, with_overrides
from pipelines.selecting.select import select


@pytest.fixture
def config(shop: Path) -> Config:
    return read_config(shop)


def with_auditors(run_dir: Path, n_twice: int, every: int, path: Path) -> Stage:
    """Import the audits of a run as those of people, some pairs judged twice.

    The second verdict of each `every`-th is another than the first.
    """
    rows = open_stage(run_dir, "audits").table(AUDITS).to_pandas().assign(auditor="ann")
    second = rows[:n_twice].assign(auditor="bob", seq=rows["seq"] + len(rows))
    other = second["verdict"].map({"yes": "no", "no": "yes"})
    second["verdict"] = second["verdict"].where(second["seq"] % every > 0, other)
    pd.concat([rows, second]).to_csv(path, index=False)
    return import_answers(run_dir, path)


def test_a_given_rate_widens_the_interval_and_is_reported(
    config: Config, selected: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = open_stage(selected, "selected").facts
    assert "error_rates_by" not in before, "the truth gave all verdicts"
    config = with_overrides(config, ["audit.error_rate=0.05"])
    facts = select(config, selected).facts
    assert facts["error_rates_by"] == "given"
    assert facts["error_rate_of_wrong"] == facts["error_rate_of_right"] == 0.05
    assert facts["precision"] == before["precision"]
    assert facts["precision_low"] <= (before["precision_low"] - 0.05) / 0.95
    assert facts["precision_high"] >= min(before["precision_high"] / 0.95, 1)
    expected = "if auditors call at most 5.0\N{NO-BREAK SPACE}% of wrong pairs right"
    assert expected in capsys.readouterr().err
    page = report(config, selected)
    assert expected in page.read_text("utf-8")
    assert json.loads((selected / "report.json").read_text("utf-8"))["error_rate_of_wrong"] == 0.05


@pytest.mark.parametrize(
    ("n_twice", "expected"),
    [
        (0, "Verdicts are taken as the truth."),
        (9, "9 pairs judged twice are too few to estimate how often auditors err."),
        (150, "as 150 pairs judged twice show; mistakes made both times are not seen."),
    ],
)
def test_a_rate_is_estimated_from_pairs_judged_twice(
    config: Config,
    selected: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    n_twice: int,
    expected: str,
) -> None:
    with_auditors(selected, n_twice, 20, tmp_path / "answers.csv")
    stage = select(config, selected)
    assert expected in capsys.readouterr().err
    facts = stage.facts
    assert facts["n_error_pairs"] == n_twice
    assert (facts["error_rates_by"] == "repeats") == (n_twice == 150)
    if n_twice == 150:
        assert 0.05 < facts["error_rate_of_wrong"] < 0.4
    assert expected in report(config, selected).read_text("utf-8")


def test_pairs_whose_truth_is_known_give_the_rates(
    config: Config, shop: Path, selected: Path
) -> None:
    known = open_stage(selected, "audits").table(AUDITS).to_pandas()[:120]
    known[["image_id", "label_id", "verdict"]].to_csv(shop.parent / "known.csv", index=False)
    rows = known.assign(verdict="yes", auditor="ann")
    rows.to_csv(shop.parent / "answers.csv", index=False)
    import_answers(selected, shop.parent / "answers.csv")
    rates = rates_of(
        with_overrides(config, ["audit.known='known.csv'"]),
        open_stage(selected, "audits"),
        0.95,
    )
    assert (rates.basis, rates.n_pairs) == ("known", 120)
    assert rates.of_wrong > 0.9, "all wrong pairs are called right"
    assert rates.of_right < 0.1


def test_known_answers_of_the_page_come_before_other_estimates(
    config: Config, shop: Path, selected: Path
) -> None:
    known = open_stage(selected, "audits").table(AUDITS).to_pandas()
    path = shop.parent / "answers.csv"
    known.assign(auditor="ann").to_csv(path, index=False)
    few = [KnownAnswers("ann", "one", 40, 4, 29, 0)]
    audits = import_answers(selected, path, few)
    assert rates_of(config, audits, 0.95).basis == "none"
    with_file = with_overrides(config, ["audit.known='known.csv'"])
    assert rates_of(with_file, audits, 0.95).basis == "none"  # few of the page do not stop it
    enough = [*few, KnownAnswers("ann", "grid", 0, 0, 11, 2)]
    other_content = import_answers(selected, path, enough)
    assert other_content.content != audits.content
    rates = rates_of(config, other_content, 0.95)
    assert (rates.basis, rates.n_pairs) == ("known", 80)
    assert 0.1 < rates.of_wrong < 0.3 and 0.05 < rates.of_right < 0.25
    given = with_overrides(config, {"audit.error_rate": 0.01})
    assert rates_of(given, other_content, 0.95).basis == "given"
    assert import_answers(selected, path).content != other_content.content


def other(run_dir: Path) -> Path:
    """Return a copy of a run folder without its sheet."""
    copy = Path(shutil.copytree(run_dir, run_dir.with_name("other")))
    (copy / "audit-sheet.csv").unlink()
    return copy


def without_truth(config: Config) -> Config:
    return config.model_copy(update={"audit": config.audit.model_copy(update={"truth": None})})


def read_sheet(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def test_pairs_are_asked_twice_on_demand(config: Config, labelled: Path) -> None:
    config = with_overrides(without_truth(config), ["audit.repeats=40"])
    sheet, n_rows = draw_audits(config, labelled)
    rows = read_sheet(sheet)
    is_second = rows.duplicated(["image_id", "label_id"])
    assert (n_rows, len(rows), is_second.sum()) == (190, 190, 40)
    positions = np.flatnonzero(is_second)
    assert positions.min() < 100
    assert positions.max() > 160
    alone = draw_audits(without_truth(read_config(Path(config.base) / "run.toml")), other(labelled))
    assert rows[~is_second].equals(read_sheet(alone[0]).set_axis(rows.index[~is_second]))

    rows.loc[:99, "verdict"] = "yes"
    rows.to_csv(sheet, index=False)
    stage = import_answers(labelled, sheet)
    n_twice = int(is_second[:100].sum())
    assert stage.counts["skipped"] == 0, "a pair answered once is not skipped where it comes again"
    assert len(stage.table(AUDITS)) == 100
    sheet, n_rows = draw_audits(config, labelled)
    again = read_sheet(sheet)
    assert (again["verdict"] == "").sum() == n_rows == 90
    assert again.duplicated(["image_id", "label_id"]).sum() == 40
    assert again[:100].duplicated(["image_id", "label_id"]).sum() == n_twice


def test_no_number_of_audits_gives_a_width_below_the_errors(config: Config, selected: Path) -> None:
    config = with_overrides(config, ["audit.error_rate=0.1", "select.keep=0.8"])
    with pytest.raises(QualityError, match="no number of audits"):
        audit_until(config, selected, 0.05)
