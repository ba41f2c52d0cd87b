from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.checks import check
from labeling.evidence import candidates, evidence
from labeling.keys import ids
from labeling.schemas import CANDIDATES
from labeling.taxonomy.taxonomy import Label, build_taxonomy

Row = dict[str, Any]

TAXONOMY = build_taxonomy([Label(x, (), (), None, n) for n, x in enumerate("abc")], "test")
IMAGES = [bytes([0] * 8 + [n] * 8) for n in range(2)] + [bytes([n] * 16) for n in (3, 255)]


def mention(
    image: int, label: int, source: str, host: int, strength: float, n_texts: int = 1
) -> Row:
    row = {"image_id": IMAGES[image], "label": label, "source": source, "strength": strength}
    return row | {"host": host, "ambiguity": 1 + host, "n_texts": n_texts}


def counted(image: int, label: int, source: str, n_pages: int, n_hosts: int) -> Row:
    row = {"image_id": IMAGES[image], "label": label, "source": source, "strength": 0.75}
    return row | {"n_pages": n_pages, "n_hosts": n_hosts, "ambiguity": 2}


def merged(mentions: list[Row], counts: list[Row], covered: list[Row], *only: str) -> pa.Table:
    rows = (
        (evidence.PAGE_MENTIONS, mentions),
        (evidence.EVIDENCE_ROWS, counts),
        (evidence.COVERAGE, covered),
    )
    tables = [pa.Table.from_pylist(some, schema=schema) for schema, some in rows]
    return candidates.merge(*tables, TAXONOMY, only)


def plainly(mentions: list[Row], counts: list[Row], covered: list[Row], *only: str) -> pa.Table:
    """Merge row by row."""
    united: dict[tuple[bytes, int], dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in mentions + counts:
        united[row["image_id"], row["label"]][row["source"]].append(row)
    pairs = []
    for (image, label), by_source in sorted(united.items()):
        if set(by_source) <= set(only):
            continue
        covering = {row["source"] for row in covered if row["image_id"] == image}
        of_pair = [row for rows in by_source.values() for row in rows]
        pairs.append(
            {
                "image_id": image.hex(),
                "label_id": TAXONOMY.label_ids[label],
                "evidence": [plain_item(s, rows) for s, rows in sorted(by_source.items())],
                "silent": sorted(covering - set(by_source)),
                "ambiguity": min(row["ambiguity"] for row in of_pair),
            }
        )
    return pa.Table.from_pylist(pairs, schema=CANDIDATES.arrow)


def plain_item(source: str, rows: list[Row]) -> Row:
    hosts = {row["host"] for row in rows if "host" in row}
    return {
        "source": source,
        "strength": max(row["strength"] for row in rows),
        "n_pages": sum(row.get("n_pages", row.get("n_texts", 0)) for row in rows),
        "n_hosts": max([len(hosts)] + [row.get("n_hosts", 1) for row in rows]),
    }


def test_sources_of_a_pair_are_united_and_silent_ones_are_listed() -> None:
    mentions = [
        mention(0, 0, "alt", 0, 0.5),
        mention(0, 0, "alt", 1, 0.9),
        mention(0, 0, "alt", 1, 0.4, n_texts=3),
        mention(0, 0, "caption", 0, 1.0),
        mention(0, 2, "alt", 2, 1.0),
    ]
    covered = [(0, "alt"), (0, "title"), (0, "caption"), (1, "title")]
    table = merged(mentions, [], [{"image_id": IMAGES[i], "source": s} for i, s in covered])
    check(table, CANDIDATES)
    first, second = table.to_pylist()
    assert (first["label_id"], second["label_id"]) == ("a", "c")
    assert [e["source"] for e in first["evidence"]] == ["alt", "caption"]
    alt = first["evidence"][0]
    assert (round(alt["strength"], 3), alt["n_pages"], alt["n_hosts"]) == (0.9, 5, 2)
    assert first["silent"] == ["title"]
    assert second["silent"] == ["caption", "title"]
    assert (first["ambiguity"], second["ambiguity"]) == (1, 3)


def test_a_pair_with_supporting_sources_alone_is_left_out() -> None:
    mentions = [
        mention(0, 0, "alt", 0, 1.0),
        mention(0, 0, "page", 0, 1.0),
        mention(0, 1, "page", 0, 1),
    ]
    assert len(merged(mentions, [], [])) == 2
    (row,) = merged(mentions, [], [], "page").to_pylist()
    assert [e["source"] for e in row["evidence"]] == ["alt", "page"]
    assert len(merged(mentions, [], [], "page", "alt")) == 0


def test_no_evidence_makes_no_candidates() -> None:
    table = merged([], [], [])
    check(table, CANDIDATES)
    assert len(table) == 0
    covered = [{"image_id": IMAGES[0], "source": "alt"}]
    assert len(merged([], [], covered)) == 0


IMAGE, LABEL = st.integers(0, 3), st.integers(0, 2)
SOURCE = st.sampled_from(["alt", "caption", "title", "é"])
MENTION = st.builds(
    mention,
    IMAGE,
    LABEL,
    SOURCE,
    st.integers(0, 2),
    st.sampled_from([0.25, 0.5, 1.0]),
    st.integers(1, 3),
)
COUNT = st.builds(counted, IMAGE, LABEL, SOURCE | st.just("vote"), st.integers(1, 4), st.just(2))
COVERED = st.builds(lambda i, s: {"image_id": IMAGES[i], "source": s}, IMAGE, SOURCE | st.just("z"))


@given(
    st.lists(MENTION, max_size=25),
    st.lists(COUNT, max_size=10),
    st.lists(COVERED, max_size=12),
    st.sets(SOURCE, max_size=2),
    st.randoms(use_true_random=False),
)
def test_the_kernel_does_what_a_plain_loop_does_in_any_order(
    mentions: list[Row], counts: list[Row], covered: list[Row], only: set[str], random: Random
) -> None:
    expected = plainly(mentions, counts, covered, *only)
    assert merged(mentions, counts, covered, *only).equals(expected)
    for rows in (mentions, counts, covered):
        random.shuffle(rows)
    assert merged(mentions, counts, covered, *only).equals(expected)


@pytest.mark.parametrize("n_sources", [7, 8, 9, 70])
def test_there_may_be_any_number_of_sources(n_sources: int) -> None:
    sources = [f"s{n:02d}" for n in range(n_sources)]
    mentions = [mention(n % 3, 0, source, 0, 1.0) for n, source in enumerate(sources)]
    covered = [{"image_id": IMAGES[i], "source": source} for source in sources for i in (0, 3)]
    assert merged(mentions, [], covered).equals(plainly(mentions, [], covered))


def test_ids_are_sorted_with_an_integer_that_leaves_them_few_bits() -> None:
    draw = np.random.default_rng(5)
    halves = draw.integers(0, 2**64, (1_000, 2), np.uint64)
    halves[::3] = halves[0]
    halves[:500, 0] |= halves[500:, 0] & ~np.uint64(2**20 - 1)
    more = draw.integers(0, 2**62, 1_000, np.uint64)
    more[::2] &= np.uint64(1)
    rows = np.column_stack([halves, more])
    expected = rows[np.lexsort((more, halves[:, 1], halves[:, 0]))]
    assert np.array_equal(rows[ids.order_by_id(halves, more, 62)], expected)


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng: rng.integers(0, 2**64, (500, 2), np.uint64),
        lambda rng: rng.integers(0, 9, (500, 2), np.uint64),
        lambda rng: rng.integers(0, 9, (500, 2), np.uint64) + np.uint64(2**63),
        lambda rng: np.zeros((1, 2), np.uint64),
        lambda rng: np.empty((0, 2), np.uint64),
    ],
)
def test_ids_are_ranked_as_numbers(draw: Callable[[np.random.Generator], ids.Halves]) -> None:
    halves = draw(np.random.default_rng(1))
    rank, distinct = ids.rank(halves)
    as_tuples = [tuple(pair) for pair in halves.tolist()]
    assert [tuple(pair) for pair in distinct.tolist()] == sorted(set(as_tuples))
    assert (distinct[rank] == halves).all()
