"""A label set is one entry of a registry; export and the steps after it use its name."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner

import pipelines
from curation.runs.stage import open_stage
from curation.shards.shards import is_heldout
from labeling.errors import ConfigError
from labeling.schemas import SELECTED
from pipelines.cli import main
from pipelines.delivery.export import label_set_of, read_labels
from pipelines.delivery.label_sets import LABEL_SETS
from pipelines.run.config import read_config
from pipelines.run.saved_config import save_config


def red_only(candidates: pa.Table) -> pa.Table:
    is_red = pa.array([label == "red" for label in candidates["label_id"].to_pylist()])
    return candidates.filter(is_red)


def test_another_label_set_is_one_function(
    shop: Path, selected: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_config(read_config(shop), selected)
    monkeypatch.setitem(LABEL_SETS, "red", red_only)
    shards = pipelines.export(selected, label_set="red")
    assert shards.name == "shards-red"
    labels = open_stage(selected, "selected").table(SELECTED)
    red_kept = [row for row in red_only(labels).to_pylist() if row["kept"]]
    held_out = is_heldout(pa.array([row["image_id"] for row in red_kept]), 0.2)
    assert 0 < shards.counts["labels_kept"] == len(red_kept) - sum(held_out)
    assert pipelines.export(selected, label_set="red").dir == shards.dir


def test_labels_drawn_at_random_are_as_many_as_the_selected_ones(selected: Path) -> None:
    stage = open_stage(selected, "selected")
    of = {name: read_labels(stage, name) for name in LABEL_SETS}
    n_kept = {name: sum(table["kept"].to_pylist()) for name, table in of.items()}
    assert n_kept["all"] == len(of["all"]) == stage.counts["in"]
    assert n_kept["random"] == n_kept["selected"] == stage.counts["out"]
    assert set(of["random"]["p_correct"].to_pylist()) == {1.0}
    assert all(table.schema.equals(SELECTED.arrow) for table in of.values())


def test_an_unknown_label_set_is_refused_with_those_there_are(selected: Path) -> None:
    with pytest.raises(ConfigError, match="no such label set") as refused:
        label_set_of(selected, "best")
    assert refused.value.help == "one of selected, all, random"


def test_the_command_offers_the_label_sets() -> None:
    assert f"[{'|'.join(LABEL_SETS)}]" in CliRunner().invoke(main, ["train", "--help"]).stdout
