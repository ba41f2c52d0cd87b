"""Labels as the audit page shows them."""

from __future__ import annotations

from labeling.taxonomy.taxonomy import Label, build_taxonomy
from pipelines.page.labels import MOST, describe_labels

COLOURS = ("black", "blue", "navy blue", "red", *(f"shade {n}" for n in range(12)))


def test_labels_beside_one_share_a_word_first_and_are_of_the_draw() -> None:
    labels = [Label("colour", (), (), None, 1)]
    labels += [
        Label(name.replace(" ", "-"), ((name.title(), "en"),), ("colour",), None, 2)
        for name in COLOURS
    ]
    taxonomy = build_taxonomy(labels)
    drawn = ["red", "red", "blue", "navy-blue", *(f"shade-{n}" for n in range(12))]
    described = describe_labels(taxonomy, ["blue", "colour"], drawn)
    assert described["blue"]["beside"][:2] == ["Navy Blue", "Red"]
    assert len(described["blue"]["beside"]) == len(described["colour"]["below"]) == MOST
    assert "Black" not in described["blue"]["beside"]
    assert described["blue"]["parents"] == ["colour"] and described["blue"]["below"] == []
    assert described["colour"]["beside"] == []
