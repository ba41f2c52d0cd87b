from __future__ import annotations

from pathlib import Path

import pytest

from labeling.errors import InputError
from labeling.taxonomy.taxonomy import Label, build_taxonomy
from pipelines.delivery.truth import read_truth

TAXONOMY = build_taxonomy(
    [Label("animal", (("animal", "en"),)), Label("cat", (("cat", "en"),), ("animal",))]
)


def test_the_labels_above_are_true_too(tmp_path: Path) -> None:
    path = tmp_path / "truth.csv"
    path.write_text(f"image_id,label_id\n{'0' * 32},cat\n")
    assert read_truth(path, TAXONOMY)["label_id"].to_pylist() == ["animal", "cat"]


def test_an_unknown_label_is_refused_with_its_file_and_row(tmp_path: Path) -> None:
    path = tmp_path / "truth.csv"
    path.write_text(f"image_id,label_id\n{'0' * 32},cat\n{'1' * 32},unicorn\n")
    with pytest.raises(InputError, match="'unicorn' is not in the taxonomy") as caught:
        read_truth(path, TAXONOMY)
    assert caught.value.facts["where"] == f"{path}, row 2"
