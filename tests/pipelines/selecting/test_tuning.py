from __future__ import annotations

import json
from pathlib import Path

import pytest

from curation.runs.stage import open_stage
from pipelines.delivery.report import report
from pipelines.run.config import read_config, with_overrides
from pipelines.selecting.select import select
from pipelines.selecting.trade import measure_shares
from pipelines.selecting.tuning import as_selected, read_tuning, request_of_run, select_command


def test_a_selection_holds_the_table_of_its_audits(shop: Path, selected: Path) -> None:
    config = read_config(shop)
    stage = open_stage(selected, "selected")
    table = read_tuning(stage)
    assert table is not None
    chosen = table.pop("chosen")
    assert table == measure_shares(request_of_run(config, selected), 0.95)
    assert (table["target"], table["confidence"]) == (0.9, 0.95)
    row = table["share"].index(table["keep"])
    assert chosen["n_kept"] == table["n_kept"][row] == stage.counts["out"]
    for name in ("precision", "low", "high"):
        assert table[name][row] == pytest.approx(chosen[name], abs=1e-6)


def test_the_table_is_of_the_settings_that_a_selection_had(shop: Path, selected: Path) -> None:
    config = read_config(shop)
    changed = with_overrides(config, ["select.floor=3", "select.keep=0.4", "select.per_image=2"])
    table = read_tuning(select(changed, selected))
    used = as_selected(config, open_stage(selected, "selected"))
    assert measure_shares(request_of_run(used, selected), 0.95).items() <= (table or {}).items()
    command = f"winnow select {selected} --floor 3 -o select.per_image=2"
    assert select_command(selected, used, config) == command
    report(config, selected)
    facts = json.loads((selected / "report.json").read_text("utf-8"))
    assert facts["run"]["select"] == command
    assert facts["tuning"] == json.loads(json.dumps(table | {"chosen": facts["tuning"]["chosen"]}))


def test_a_selection_of_an_earlier_version_has_no_table(selected: Path) -> None:
    stage = open_stage(selected, "selected")
    (stage.dir / "tuning.json").unlink()
    assert read_tuning(stage) is None
