from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from labeling import evidence, ids
from labeling.matching import compile_matcher
from labeling.schemas import CANDIDATES, SIGNALS, check
from labeling.taxonomy import Label, build_taxonomy

TAXONOMY = build_taxonomy(
    [Label(x, ((x * 2, ""),), (), None, n) for n, x in enumerate("abc")], "test"
)
HEX = [ids.digest(f"image {n}") for n in range(3)]
IMAGES = [bytes.fromhex(digits) for digits in HEX]
PAGES = [bytes.fromhex(ids.digest(f"page {n}")) for n in range(3)]


def mention(image: int, label: int, source: str, page: int, strength: float) -> dict[str, object]:
    return {
        "image_id": IMAGES[image],
        "page_id": PAGES[page],
        "host": page % 2,
        "label": label,
        "source": source,
        "strength": strength,
        "ambiguity": 1 + page,
    }


def merged(rows: list[dict[str, object]], covered: list[tuple[int, str]]) -> pa.Table:
    found = pa.Table.from_pylist(rows, schema=evidence.MENTIONS)
    coverage = pa.Table.from_pylist(
        [{"image_id": IMAGES[i], "source": s} for i, s in covered], schema=evidence.COVERAGE
    )
    return evidence.merge(evidence.from_mentions(found), coverage, TAXONOMY)


def test_sources_of_a_pair_are_united_and_silent_ones_are_told() -> None:
    rows = [
        mention(0, 0, "alt", 0, 0.5),
        mention(0, 0, "alt", 1, 0.9),
        mention(0, 0, "alt", 1, 0.4),
        mention(0, 0, "caption", 2, 1.0),
        mention(0, 2, "alt", 2, 1.0),
    ]
    table = merged(rows, [(0, "alt"), (0, "title"), (0, "caption"), (1, "title")])
    check(table, CANDIDATES)
    first, second = table.to_pylist()
    assert (first["label_id"], second["label_id"]) == ("a", "c")
    assert [e["source"] for e in first["evidence"]] == ["alt", "caption"]
    alt = first["evidence"][0]
    assert (round(alt["strength"], 3), alt["n_pages"], alt["n_hosts"]) == (0.9, 2, 2)
    assert first["silent"] == ["title"]
    assert second["silent"] == ["caption", "title"]
    assert (first["ambiguity"], second["ambiguity"]) == (1, 3)


def test_a_pair_that_only_supporters_speak_for_is_left_out() -> None:
    rows = [
        mention(0, 0, "alt", 0, 1.0),
        mention(0, 0, "page", 0, 1.0),
        mention(0, 1, "page", 0, 1),
    ]
    found = evidence.from_mentions(pa.Table.from_pylist(rows, schema=evidence.MENTIONS))
    covered = evidence.COVERAGE.empty_table()
    assert len(evidence.merge(found, covered, TAXONOMY)) == 2
    (row,) = evidence.merge(found, covered, TAXONOMY, {"page"}).to_pylist()
    assert [e["source"] for e in row["evidence"]] == ["alt", "page"]
    assert len(evidence.merge(found, covered, TAXONOMY, {"page", "alt"})) == 0


def test_nothing_in_nothing_out() -> None:
    table = merged([], [])
    check(table, CANDIDATES)
    assert len(table) == 0


ROWS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 2),
        st.sampled_from(["alt", "caption", "title"]),
        st.integers(0, 2),
        st.sampled_from([0.25, 0.5, 1.0]),
    ),
    max_size=25,
)


@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(
    drawn: list[tuple[int, int, str, int, float]],
    random: object,
) -> None:
    rows = [mention(*row) for row in drawn]
    covered = [(row[0], row[2]) for row in drawn] + [(0, "heading")]
    straight = merged(rows, covered)
    random.shuffle(rows)  # type: ignore[attr-defined]
    random.shuffle(covered)  # type: ignore[attr-defined]
    assert merged(rows, covered).equals(straight)
    pairs = {(row[0], row[1]) for row in drawn}
    assert len(straight) == len(pairs)
    for row in straight.to_pylist():
        spoke = [e["source"] for e in row["evidence"]]
        assert spoke == sorted(set(spoke))
        assert not set(spoke) & set(row["silent"])


def test_mentions_carry_the_weight_of_their_signal() -> None:
    rows = [
        {"image_id": HEX[0], "page_id": HEX[1], "host": "h", "source": "alt", "text": text}
        | {"weight": weight, "lang": None}
        for text, weight in (("aa and bb", 0.5), ("nothing", 1.0), ("cc", 0.25))
    ]
    signals = pa.Table.from_pylist(rows, schema=SIGNALS.arrow)
    found = evidence.mentions(signals, compile_matcher(TAXONOMY))
    assert found["image_id"].to_pylist() == [IMAGES[0]] * 3
    assert found["label"].to_pylist() == [0, 1, 2]
    assert np.allclose(found["strength"].to_numpy(), [0.5, 0.5, 0.25])
