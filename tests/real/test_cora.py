"""Known results of label propagation on real graphs; skips without the data."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest

DATA = Path(os.environ.get("WINNOW_DATA", "/nonexistent"))
BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "links.py"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        not (DATA / "graph_cora.tar.gz").exists(), reason="WINNOW_DATA has no graph_cora.tar.gz"
    ),
]


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("links_benchmark", BENCHMARK)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_cora_is_as_accurate_as_is_known(benchmark: ModuleType) -> None:
    result = benchmark.cora_accuracy(benchmark.read_cora(DATA / "graph_cora.tar.gz"))
    assert result["cora_accuracy"] >= 0.717


def test_weighted_votes_link_photos_better_than_votes_alike_or_none(benchmark: ModuleType) -> None:
    result = benchmark.flickr_precision(benchmark.read_flickr(DATA / "flickr8k_dev.tar"))
    assert result["flickr_third_weighted"] > result["flickr_third_unweighted"]
    assert result["flickr_third_unweighted"] > result["flickr_third_no_graph"]
