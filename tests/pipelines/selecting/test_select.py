from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from curation.runs.stage import open_stage
from curation.selection import groups
from labeling.schemas import SELECTED
from pipelines.auditing.looks import read_looks
from pipelines.cli import main
from pipelines.delivery.report import report
from pipelines.run.config import read_config, with_overrides
from pipelines.run.saved_config import save_config
from pipelines.selecting.select import read_groups, select


def winnow(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def run_dir(shop: Path, selected: Path) -> Path:
    """Return a selected run folder that commands find their settings in."""
    save_config(read_config(shop), selected)
    return selected


@pytest.fixture
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let 15 audits be enough for a group: the shop has 150."""
    monkeypatch.setattr(groups, "MIN_OF_GROUP", 15)


@pytest.mark.usefixtures("small_groups")
@pytest.mark.parametrize("by", ["level", "label", "source-pattern"])
def test_groups_keep_the_share_and_are_listed(shop: Path, selected: Path, by: str) -> None:
    config = read_config(shop)
    stage = select(with_overrides(config, [f"select.by={by}"]), selected)
    assert stage.counts["out"] == round(stage.counts["in"] / 3)
    listed = read_groups(stage)
    assert len(listed) > 1
    assert sum(row["n_candidates"] for row in listed) == stage.counts["in"]
    assert sum(row["n_kept"] for row in listed) == stage.counts["out"]
    assert sum(row["n_audits"] for row in listed) == stage.facts["n_audits"]
    for row in listed:
        assert abs(row["n_kept"] - row["n_candidates"] / 3) <= 1
    page = report(config, selected).read_text("utf-8")
    assert 'id="groups"' in page
    assert json.loads((selected / "report.json").read_text("utf-8"))["groups"] == listed


@pytest.mark.usefixtures("small_groups")
@pytest.mark.parametrize("mode", ["--keep 0.5", "--precision 0.6 --by label"])
def test_every_candidate_is_counted_once(run_dir: Path, mode: str) -> None:
    limits = "-o select.per_image=1 --per-label 30"
    done = winnow("select", run_dir, *mode.split(), *limits.split())
    assert done.exit_code == 0, done.stderr
    stage = open_stage(run_dir, "selected")
    reasons = Counter(stage.table(SELECTED)["reason"].to_pylist())
    assert reasons == Counter(kept=stage.counts["out"], **stage.counts["dropped"])
    assert reasons.total() == stage.counts["in"]
    assert reasons["over_per_image"] > 0
    assert reasons["over_per_label"] > 0


@pytest.mark.usefixtures("small_groups")
def test_groups_are_listed_on_stderr_and_an_unprovable_precision_exits_with_4(
    run_dir: Path,
) -> None:
    done = winnow("select", run_dir, "--precision", "0.7", "--by", "label")
    assert done.exit_code == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if " kept, " in line and " audits" in line]
    assert len(lines) > len(read_groups(open_stage(run_dir, "selected"))) > 1
    assert any("nothing can be proved" in line for line in lines)
    before = open_stage(run_dir, "selected").content
    done = winnow("select", run_dir, "--precision", "0.99", "--by", "label")
    assert done.exit_code == 4
    assert "best that can be proved: 0." in done.stderr
    assert "audits needed: " in done.stderr
    assert open_stage(run_dir, "selected").content == before


def test_groups_that_audits_are_too_few_for_are_one(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("curation.selection.groups", "pipelines.selecting.select"):
        monkeypatch.setattr(f"{module}.MIN_OF_GROUP", 200)
    done = winnow("select", run_dir, "--by", "label")
    assert "no group by label has 200 audits: all are one group" in done.stderr


def test_a_floor_is_kept_and_reported(run_dir: Path) -> None:
    done = winnow("select", run_dir, "--keep", "0.4", "--floor", "5")
    assert done.exit_code == 0, done.stderr
    stage = open_stage(run_dir, "selected")
    facts = stage.facts
    assert stage.counts["out"] == round(0.4 * stage.counts["in"])
    assert facts["floor_held"] == 5
    alone = f"  floor: the best 5 of each label; kept by it alone: {facts['n_by_floor']}"
    assert alone in done.stderr.splitlines()
    kept = stage.table(SELECTED).filter(stage.table(SELECTED)["kept"])
    assert min(Counter(kept["label_id"].to_pylist()).values()) >= 5


def test_a_floor_that_is_too_high_is_lowered(run_dir: Path) -> None:
    done = winnow("select", run_dir, "--keep", "0.2", "--floor", "1000")
    assert done.exit_code == 0, done.stderr
    assert ", for the best 1,000 are more than a tenth of the kept;" in done.stderr
    assert open_stage(run_dir, "selected").facts["floor_held"] < 1000


@pytest.mark.usefixtures("small_groups")
def test_groups_have_a_floor_too(run_dir: Path) -> None:
    done = winnow("select", run_dir, "--keep", "0.2", "--by", "label", "--floor", "5")
    assert done.exit_code == 0, done.stderr
    assert "  floor: the best 5 of each label; kept by it alone: " in done.stderr
    assert open_stage(run_dir, "selected").facts["floor_held"] == 5


def test_the_interval_that_audits_are_drawn_for_is_that_of_the_floor(run_dir: Path) -> None:
    floor = ["-o", "select.keep=0.2", "-o", "select.floor=10"]
    assert winnow("audit", "sample", run_dir, "--until-width", "0.9", *floor).exit_code == 0
    assert winnow("select", run_dir, *floor).exit_code == 0
    facts = open_stage(run_dir, "selected").facts
    assert read_looks(run_dir)[-1].precision == facts["precision"]


def test_a_selection_names_the_labels_that_it_loses_and_a_floor_keeps_them(run_dir: Path) -> None:
    done = winnow("select", run_dir, "--keep", "0.01", "--floor", "0")
    lost = open_stage(run_dir, "selected").facts["labels_lost"]
    assert lost
    assert f"nothing is kept of {len(lost)}: " in done.stderr
    assert "`--floor 20` keeps the best 20 of each label" in done.stderr
    assert "  instead: precision 0.9 at " in done.stderr
    assert f"nothing to train on of {len(lost)}: " in winnow("export", run_dir).stderr
    done = winnow("select", run_dir, "--keep", "0.03", "--floor", "1")
    assert open_stage(run_dir, "selected").facts["labels_lost"] == []
    assert "nothing is kept of" not in done.stderr
