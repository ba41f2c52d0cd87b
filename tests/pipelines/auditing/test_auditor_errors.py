"""Errors of auditors in a run: by the settings, and by pairs that were judged twice."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from curation.runs.stage import Stage, open_stage
from labeling.errors import QualityError
from labeling.schemas import AUDITS
from pipelines.auditing.sample import import_answers
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


def test_no_number_of_audits_gives_a_width_below_the_errors(config: Config, selected: Path) -> None:
    config = with_overrides(config, ["audit.error_rate=0.1", "select.keep=0.8"])
    with pytest.raises(QualityError, match="no number of audits"):
        audit_until(config, selected, 0.05)
