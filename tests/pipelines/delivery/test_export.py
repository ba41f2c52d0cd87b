from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from curation.runs.stage import Stage, open_stage
from labeling.errors import ConfigError, InputError
from labeling.schemas import IMAGES, SELECTED
from pipelines.delivery.evaluate import evaluate
from pipelines.delivery.export import export
from pipelines.delivery.report import report
from pipelines.delivery.train import train
from pipelines.run.config import read_config, with_overrides
from pipelines.selecting.select import select


def test_the_whole_line_from_selection_to_report(shop: Path, selected: Path) -> None:
    config = read_config(shop)
    for label_set in ("selected", "all"):
        shards = export(config, selected, label_set)
        assert shards.counts["in"] == shards.counts["out"] + sum(shards.counts["dropped"].values())
        model = train(config, selected, label_set)
        assert model.counts["steps"] == 30
        measured = evaluate(config, selected, label_set).facts
        assert 0 < measured["map"] <= 1
        thirds = [measured.get(f"n_labels_{name}", 0) for name in ("head", "middle", "tail")]
        assert 0 < sum(thirds) <= measured["n_labels"]
        assert any(name.startswith("map_level_") for name in measured)
    page = report(config, selected)
    facts = json.loads((selected / "report.json").read_text())
    assert facts["map_selected"] == pytest.approx(
        open_stage(selected, "evaluation").facts["map"], abs=1e-5
    )
    assert facts["true_precision"] > facts["true_precision_all"]
    assert {row["source"] for row in facts["sources"]} == {"alt", "caption", "linked", "vote"}
    assert "green" in page.read_text()
    select(with_overrides(config, ["select.keep=0.2"]), selected)
    report(config, selected)
    facts = json.loads((selected / "report.json").read_text())
    assert facts["kept_share"] == pytest.approx(0.2, abs=0.01)
    assert not any(name.startswith("map") for name in facts)


READ = """
import json, sys, webdataset
samples = webdataset.WebDataset(sys.argv[1:], shardshuffle=False).decode("pil")
print(json.dumps([(s["__key__"], s["jpg"].size, s["json"]) for s in samples]))
"""


def read_with_webdataset(shards: Stage) -> list[tuple[str, list[int], dict[str, Any]]]:
    """Read the training shards as any user of webdataset would, in a process of its own."""
    paths = [str(path) for path in shards.paths(".tar", "train-")]
    done = subprocess.run([sys.executable, "-c", READ, *paths], capture_output=True, check=True)
    samples: list[tuple[str, list[int], dict[str, Any]]] = json.loads(done.stdout)
    assert samples
    return samples


def test_shards_are_plain_webdataset_and_trace_every_label(shop: Path, selected: Path) -> None:
    shards = export(read_config(shop), selected, "selected")
    samples = read_with_webdataset(shards)
    assert len(samples) == shards.counts["train"]
    for key, size, content in samples:
        assert size == [24, 24]
        assert content["image_id"] == key
        kept = [row for row in content["labels"] if not row["implied"]]
        assert kept
        assert all(row["evidence"] for row in kept)
        names = [row["label_id"] for row in content["labels"]] + content["unknown"]
        assert len(names) == len(set(names))


def test_large_images_are_reduced_and_the_card_states_it(shop: Path, selected: Path) -> None:
    config = with_overrides(read_config(shop), ["export.short_side=16"])
    shards = export(config, selected, "selected")
    assert shards.manifest["config"]["short_side"] == 16
    assert "| pixels of an image's shorter side, at most | 16 |" in (
        shards.dir / "README.md"
    ).read_text(encoding="utf-8")
    for _, size, content in read_with_webdataset(shards):
        assert size == [content["width"], content["height"]] == [16, 16]


def kept_images(shop: Path, run_dir: Path) -> list[Path]:
    """Return the files of images with a kept label."""
    rows = open_stage(run_dir, "selected").table(SELECTED)
    kept = set(rows.filter(rows["kept"])["image_id"].to_pylist())
    images = open_stage(run_dir, "signals").table(IMAGES).to_pylist()
    return [shop.parent / row["location"] for row in images if row["image_id"] in kept]


def test_shards_are_made_again_when_missing_images_are_back(shop: Path, selected: Path) -> None:
    config = read_config(shop)
    missing, changed = kept_images(shop, selected)[:2]
    content = {path: path.read_bytes() for path in (missing, changed)}
    missing.unlink()
    changed.write_bytes(b"other")
    incomplete = export(config, selected, "selected")
    assert incomplete.counts["dropped"]["image_missing"] > 0
    assert incomplete.counts["dropped"]["content_changed"] > 0
    assert export(config, selected, "selected") == incomplete
    changed.write_bytes(content[changed])
    assert "content_changed" not in export(config, selected, "selected").counts["dropped"]
    missing.write_bytes(content[missing])
    whole = export(config, selected, "selected")
    assert "image_missing" not in whole.counts["dropped"]
    assert whole.counts["out"] > incomplete.counts["out"]
    assert whole.fingerprint == incomplete.fingerprint
    assert export(config, selected, "selected") == whole
    missing.unlink()
    assert export(config, selected, "selected") == whole


def test_unselected_labels_have_probability_one(shop: Path, selected: Path) -> None:
    shards = export(read_config(shop), selected, "all")
    for _, _, content in read_with_webdataset(shards):
        assert {row["p_correct"] for row in content["labels"]} == {1.0}
        assert content["unknown"] == []


def test_shards_made_of_another_selection_are_not_trained_on(shop: Path, selected: Path) -> None:
    config = read_config(shop)
    export(config, selected, "selected")
    select(with_overrides(config, ["select.keep=0.2"]), selected)
    with pytest.raises(InputError, match="made from other selected"):
        train(config, selected, "selected")


def test_stages_that_are_missing_are_named(shop: Path, selected: Path) -> None:
    config = read_config(shop)
    with pytest.raises(InputError, match="no shards yet") as caught:
        train(config, selected, "selected")
    assert "winnow export" in caught.value.help
    with pytest.raises(ConfigError, match=r"evaluate\.truth"):
        evaluate(
            config.model_copy(
                update={"evaluate": config.evaluate.model_copy(update={"truth": None})}
            ),
            selected,
            "selected",
        )


def test_a_report_shows_the_stages_of_the_run(shop: Path, labelled: Path) -> None:
    report(read_config(shop), labelled)
    facts = json.loads((labelled / "report.json").read_text())
    assert facts["candidates"] > 0
    assert "precision" not in facts
