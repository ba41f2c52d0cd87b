from __future__ import annotations

from random import Random

import pyarrow as pa
import pytest

from labeling.evidence.evidence import MENTIONS
from labeling.keys import ids
from labeling.matching.disambiguation import SUPPORTED, disambiguate
from labeling.taxonomy.taxonomy import Label, build_taxonomy

PARENTS = {
    "crane-bird": "bird",
    "crane-machine": "machine",
    "heron": "bird",
    "drill": "machine",
    "bird": "thing",
    "machine": "thing",
    "thing": "",
}
TAXONOMY = build_taxonomy(
    [Label(x, (), (p,) if p else (), None, 1) for x, p in PARENTS.items()], "test"
)
SHARED = (("crane-bird", 0.5), ("crane-machine", 0.5))


def rows(page: str, *named: tuple[str, float], ambiguity: int = 1) -> list[dict[str, object]]:
    return [
        {
            "image_id": bytes.fromhex(ids.digest(f"image of {page}")),
            "page_id": bytes.fromhex(ids.digest(page)),
            "host": 1,
            "label": TAXONOMY.code(label),
            "source": "alt",
            "name": 7 if ambiguity > 1 else TAXONOMY.code(label),
            "strength": strength,
            "ambiguity": ambiguity,
        }
        for label, strength in named
    ]


def strengths(*drawn: list[dict[str, object]]) -> dict[str, float]:
    table = pa.Table.from_pylist([row for some in drawn for row in some], schema=MENTIONS)
    strength_of = disambiguate(table, TAXONOMY).to_pylist()
    return {TAXONOMY.label_ids[row["label"]]: round(row["strength"], 4) for row in strength_of}


def test_a_sense_with_a_relative_on_the_page_gets_more() -> None:
    strength_of = strengths(rows("p", *SHARED, ambiguity=2), rows("p", ("heron", 0.8)))
    share = round(SUPPORTED / (SUPPORTED + 1), 4)
    assert strength_of == {
        "crane-bird": pytest.approx(share, abs=1e-4),
        "crane-machine": pytest.approx(1 - share, abs=1e-4),
        "heron": 0.8,
    }


@pytest.mark.parametrize("others", [[], [("heron", 1.0), ("drill", 1.0)]])
def test_without_a_difference_nothing_changes(others: list[tuple[str, float]]) -> None:
    strength_of = strengths(rows("p", *SHARED, ambiguity=2), rows("p", *others))
    assert (strength_of["crane-bird"], strength_of["crane-machine"]) == (0.5, 0.5)


def test_other_pages_do_not_count() -> None:
    strength_of = strengths(rows("p", *SHARED, ambiguity=2), rows("q", ("heron", 1.0)))
    assert (strength_of["crane-bird"], strength_of["crane-machine"]) == (0.5, 0.5)


def test_the_order_of_the_rows_does_not_matter() -> None:
    drawn = rows("p", *SHARED, ambiguity=2) + rows("p", ("heron", 1.0)) + rows("q", ("drill", 1.0))
    drawn += rows("q", *SHARED, ambiguity=2)
    order = [(name, "ascending") for name in MENTIONS.names if name != "source"]
    straight = disambiguate(pa.Table.from_pylist(drawn, schema=MENTIONS), TAXONOMY).sort_by(order)
    Random(3).shuffle(drawn)
    again = disambiguate(pa.Table.from_pylist(drawn, schema=MENTIONS), TAXONOMY).sort_by(order)
    assert straight.equals(again)
