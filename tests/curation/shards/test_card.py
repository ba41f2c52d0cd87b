from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from curation.shards.card import render_card, size_category, write_card

COUNTS = {
    "in": 3000,
    "out": 2682,
    "dropped": {"no_kept_label": 311, "bad_image": 7},
    "train": 2080,
    "heldout": 602,
    "labels_kept": 3205,
    "labels_implied": 4100,
    "labels": 410,
    "shards": 2,
}
SELECTION = {
    "candidates": 12_040,
    "kept": 4012,
    "kept_share": 4012 / 12_040,
    "threshold": 0.7123,
    "precision": 0.921,
    "precision_low": 0.88,
    "precision_high": 0.95,
    "confidence": 0.95,
    "n_audits": 500,
}


def card_of(facts: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the front matter, and the text after it."""
    card = render_card(facts)
    _, front, text = card.split("---\n", 2)
    return yaml.safe_load(front), text.replace("\u00a0", " ")


def test_the_card_states_size_selection_and_precision(tmp_path: Path) -> None:
    facts = SELECTION | COUNTS
    path = write_card(facts, tmp_path)
    assert path == tmp_path / "README.md"
    text = path.read_text(encoding="utf-8").replace("\u00a0", " ")
    for line in (
        "- 1K<n<10K",
        "    path: train-*.tar",
        "    path: heldout-*.tar",
        "| training images | 2,080 |",
        "| held-out images | 602 |",
        "| distinct labels | 410 |",
        "| shards | 2 |",
        "| share of the candidates kept | 33.3 % |",
        "| audited precision | 92.1 %, 95 % interval 88.0 to 95.0 % |",
        "Kept 4,012 of 12,040 candidate labels (33.3 %).",
        "Kept are those with a probability of 0.7123 or more.",
        "| `no_kept_label` | 311 |",
    ):
        assert f"{line}\n" in text
    assert "**Recall is unknown.**" in text
    assert "\n\n\n" not in text


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (
            {"floor_held": 1000},
            "of 0.7123 or more, and the 1,000 most probable of each label, down to 0.2.",
        ),
        ({"floor_held": 0}, "of 0.7123 or more."),
        ({"threshold": None, "by": "level"}, "(by level) has a threshold of its own."),
    ],
)
def test_the_card_describes_how_the_threshold_was_chosen(
    facts: dict[str, Any], expected: str
) -> None:
    _, text = card_of(SELECTION | facts)
    assert f"{expected}\n" in text
    assert ("Kept are those" in text) == ("by" not in facts)


def test_a_set_that_was_not_selected_states_no_precision() -> None:
    _, text = card_of(COUNTS)
    assert "**Precision is unknown**" in text
    assert "not selected" in text
    assert "precision |" not in text


def test_a_precision_of_nan_is_not_stated(tmp_path: Path) -> None:
    text = write_card(SELECTION | {"precision": float("nan")}, tmp_path).read_text()
    assert "nan" not in text
    assert "**Precision is unknown**" in text


@pytest.mark.parametrize("missing", [*SELECTION, *COUNTS])
def test_any_fact_may_be_missing(missing: str) -> None:
    facts = SELECTION | COUNTS
    del facts[missing]
    card_of(facts)


def test_a_card_of_nothing_is_still_a_card() -> None:
    keys, text = card_of({})
    assert keys["pretty_name"] == "A training set made by winnow"
    assert "| | |" not in text
    assert "configs" not in render_card({})


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (99_999, "10K<n<100K"),
        (10**8, "100M<n<1B"), (10**9, "n>1B"), (10**12, "n>1B"),
    ],
)  # fmt: skip
def test_sizes_are_named_as_the_hub_names_them(n: int, expected: str) -> None:
    assert size_category(n) == expected
