"""Taxonomies that others made; skips where the data is absent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from labeling.taxonomy.published import read_taxonomy

DATA = Path(os.environ.get("WINNOW_DATA", ""))

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        not os.environ.get("WINNOW_DATA")
        or not (DATA / "imagenet21k_oewn.jsonl.gz").is_file()
        or not (DATA / "tencent_ml_images_hierarchy.txt.gz").is_file(),
        reason="WINNOW_DATA names no folder with the two taxonomies",
    ),
]


def test_wordnet_of_imagenet_is_read_whole() -> None:
    taxonomy = read_taxonomy(DATA / "imagenet21k_oewn.jsonl.gz")
    assert len(taxonomy) == 23_560
    assert sum(map(len, taxonomy.names)) == 44_374
    assert sum(map(len, taxonomy.parents)) == 24_161
    line = {code for code, names in enumerate(taxonomy.names) if "line" in dict(names)}
    assert len(line) == 11


def test_tencent_is_read_whole() -> None:
    taxonomy = read_taxonomy(DATA / "tencent_ml_images_hierarchy.txt.gz")
    assert len(taxonomy) == 11_166
    thing = taxonomy.code("n00002452")
    assert taxonomy.parents[thing] == ()
    assert thing in taxonomy.ancestors[taxonomy.code("n05220461")]
    assert "physical object" in dict(taxonomy.names[taxonomy.code("n00002684")])
