from __future__ import annotations

import numpy as np
import pyarrow as pa

from labeling.evidence import evidence
from labeling.keys import ids
from labeling.matching.matcher import compile_matcher
from labeling.schemas import SIGNALS
from labeling.taxonomy.taxonomy import Label, build_taxonomy

TAXONOMY = build_taxonomy(
    [Label(x, ((x * 2, ""),), (), None, n) for n, x in enumerate("abc")], "test"
)
IMAGE, PAGE = ids.digest("image"), ids.digest("page")


def signals(*texts: tuple[str, str, float]) -> pa.Table:
    rows = [
        {"image_id": IMAGE, "page_id": PAGE, "host": "h", "source": source, "text": text}
        | {"weight": weight, "lang": None}
        for source, text, weight in texts
    ]
    return pa.Table.from_pylist(rows, schema=SIGNALS.arrow)


def test_mentions_carry_the_weight_of_their_signal() -> None:
    texts = [("alt", "aa and bb", 0.5), ("alt", "nothing", 1.0), ("title", "cc", 0.25)]
    mentions = evidence.mentions(signals(*texts), compile_matcher(TAXONOMY))
    assert mentions["image_id"].to_pylist() == [bytes.fromhex(IMAGE)] * 3
    assert mentions["source"].to_pylist() == ["alt", "alt", "title"]
    assert mentions["label"].to_pylist() == [0, 1, 2]
    assert np.allclose(mentions["strength"].to_numpy(), [0.5, 0.5, 0.25])


def test_a_label_that_a_source_repeats_on_a_page_counts_once() -> None:
    texts = [("alt", "aa", 0.5), ("alt", "Aa ", 0.75), ("alt", "bb", 1.0), ("title", "aa", 0.25)]
    mentions = evidence.mentions(signals(*texts), compile_matcher(TAXONOMY))
    once = evidence.per_page(mentions)
    assert once.schema == evidence.PAGE_MENTIONS
    rows = {(r["label"], r["source"]): (r["strength"], r["n_texts"]) for r in once.to_pylist()}
    assert rows == {(0, "alt"): (0.75, 1), (1, "alt"): (1.0, 1), (0, "title"): (0.25, 1)}
    assert len(evidence.per_page(evidence.MENTIONS.empty_table())) == 0


def test_distinct_texts_of_a_source_on_a_page_are_counted() -> None:
    texts = [("alt", "aa", 1.0), ("alt", "aa bb", 1.0), ("alt", "aa", 0.5), ("alt", "old aa", 1.0)]
    mentions = evidence.mentions(signals(*texts), compile_matcher(TAXONOMY))
    n_texts = {row["label"]: row["n_texts"] for row in evidence.per_page(mentions).to_pylist()}
    assert n_texts == {0: 3, 1: 1}


def test_images_are_covered_by_the_sources_that_gave_them_a_text() -> None:
    texts = [("alt", "nothing", 1.0), ("title", "aa", 1.0), ("alt", "bb", 1.0)]
    covered = evidence.coverage(signals(*texts))
    assert covered.schema == evidence.COVERAGE
    assert sorted(covered["source"].to_pylist()) == ["alt", "title"]
