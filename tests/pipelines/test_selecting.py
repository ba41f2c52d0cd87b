from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from curation import groups
from curation.manifest import open_stage
from labeling.schemas import SELECTED
from pipelines.cli import main
from pipelines.config import read_config, with_overrides
from pipelines.reporting import report
from pipelines.runs import save_config
from pipelines.selecting import read_groups, select


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
def test_groups_keep_the_share_and_are_told(shop: Path, selected: Path, by: str) -> None:
    config = read_config(shop)
    stage = select(with_overrides(config, [f"select.by={by}"]), selected)
    assert stage.counts["out"] == round(stage.counts["in"] / 3)
    told = read_groups(stage)
    assert len(told) > 1
    assert sum(row["n_candidates"] for row in told) == stage.counts["in"]
    assert sum(row["n_kept"] for row in told) == stage.counts["out"]
    assert sum(row["n_audits"] for row in told) == stage.manifest["facts"]["n_audits"]
    for row in told:
        assert abs(row["n_kept"] - row["n_candidates"] / 3) <= 1
    page = report(config, selected).read_text("utf-8")
    assert 'id="groups"' in page
    assert json.loads((selected / "report.json").read_text("utf-8"))["groups"] == told


@pytest.mark.usefixtures("small_groups")
@pytest.mark.parametrize("mode", ["--keep 0.5", "--precision 0.6 --by label"])
def test_every_candidate_is_counted_once(run_dir: Path, mode: str) -> None:
    limits = "-o select.per_image=1 -o select.per_label=60"
    done = winnow("select", run_dir, *mode.split(), *limits.split())
    assert done.exit_code == 0, done.stderr
    stage = open_stage(run_dir, "selected")
    reasons = Counter(stage.table(SELECTED)["reason"].to_pylist())
    assert reasons == Counter(kept=stage.counts["out"], **stage.counts["dropped"])
    assert reasons.total() == stage.counts["in"]
    assert reasons["over_per_image"] > 0


@pytest.mark.usefixtures("small_groups")
def test_each_group_is_told_on_stderr_and_what_cannot_be_proved_ends_with_4(run_dir: Path) -> None:
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
