from __future__ import annotations

import json
from pathlib import Path

from curation.runs.stage import open_stage
from pipelines.delivery.export import export
from pipelines.delivery.findings import funnel
from pipelines.delivery.report import report
from pipelines.run.config import read_config, with_overrides


def test_each_step_less_its_reasons_is_the_next_one(shop: Path, selected: Path) -> None:
    stage = open_stage(selected, "selected")
    shards = export(read_config(shop), selected, "selected")
    for steps in (funnel(stage, None), funnel(stage, shards)):
        for step, after in zip(steps, steps[1:], strict=False):
            assert step["n"] - sum(step["dropped"].values()) == after["n"]
    assert [step["step"] for step in steps] == ["candidate labels", "kept", "in training shards"]
    assert steps[1]["dropped"]["held_out"] > 0


def test_pictures_of_a_report_have_reason_sense_and_evidence(shop: Path, selected: Path) -> None:
    report(read_config(shop), selected)
    facts = json.loads((selected / "report.json").read_text("utf-8"))
    dropped = facts["thumbnails"]["dropped_highest"]
    assert {item["reason"] for item in dropped} <= {"below_threshold", "implied"}
    assert {item["reason"] for item in facts["thumbnails"]["kept_lowest"]} == {"kept"}
    for item in dropped:
        assert item["votes"]
        assert {text["source"] for text in item["texts"]} <= {v["source"] for v in item["votes"]}
        assert item["location"]
    assert facts["noisy_labels"][0]["pictures"]
    assert all(row["true_precision"] is not None for row in facts["labels"] if row["n_kept"])


def test_the_report_and_its_figures_may_be_elsewhere(
    shop: Path, selected: Path, tmp_path: Path
) -> None:
    out, figures = tmp_path / "a" / "b", tmp_path / "figures"
    assert report(read_config(shop), selected, out, figures) == out / "report.html"
    assert {path.name for path in out.iterdir()} == {"report.html", "report.json"}
    assert not (selected / "report.html").exists()
    names = {path.stem for path in figures.iterdir()}
    assert names == {"precision", "long-tail", "sources"}
    assert {path.suffix for path in figures.iterdir()} == {".png", ".svg"}


def test_without_a_truth_audits_show_what_is_confused(shop: Path, selected: Path) -> None:
    by_truth = read_config(shop)
    by_audits = with_overrides(by_truth, ["audit.truth="])
    facts = []
    for config in (by_truth, by_audits):
        report(config, selected)
        facts.append(json.loads((selected / "report.json").read_text("utf-8")))
    assert "true_precision" in facts[0]
    assert "true_precision" not in facts[1]
    assert all("true_precision" not in row for row in facts[1]["labels"])
    assert facts[1]["labels"][0]["n_audits"] == facts[0]["labels"][0]["n_audits"]
    for row in facts[1]["confusions"]:
        assert row["n_images"] > 0
        assert row["wrong"] != row["right"]
