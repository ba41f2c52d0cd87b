"""Pages, images and users with very many rows, and links of every odd shape.

What is kept of a page is decided by digests alone, so it is the same whatever the order of the
rows; and no more rows than that are held at a time.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.runs.stage import open_stage
from labeling.evidence import evidence
from labeling.keys import ids
from labeling.keys.host_numbers import COMPACT_PLACEMENTS
from labeling.links import graph, links
from labeling.links.graph import EDGES
from labeling.schemas import CANDIDATES, LINKS
from pipelines.jobs.label import label
from pipelines.passes import inputs
from pipelines.passes import links as links_pass
from pipelines.passes.tables import read_rows
from pipelines.run.config import read_config
from pipelines.shuffle import engine
from pipelines.shuffle.engine import Shuffle, Split, Tables, run

HOT = bytes([7] * 16)
INPUTS, LINKS_PASS = inputs.make_pass(read_rows), links_pass.make_pass()
KEPT = 100


def digest(name: str) -> bytes:
    return bytes.fromhex(ids.digest(name))


def members(table: pa.Table) -> list[tuple[bytes, bytes]]:
    return sorted((row["page_id"], row["other_page"]) for row in table.to_pylist())


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30))), st.integers(1, 6), st.integers(0, 9)
)
def test_capping_parts_first_changes_nothing(
    pairs: list[tuple[int, int]], n: int, cut: int
) -> None:
    rows = [{"page_id": digest(str(a)), "other_page": digest(str(b)), "kind": 1} for a, b in pairs]
    table = pa.Table.from_pylist(rows, schema=EDGES)
    parts = [table.slice(0, cut), table.slice(cut)]
    capped = pa.concat_tables([links.keep_lowest(part, "other_page", n) for part in parts])
    assert members(links.keep_lowest(capped, "other_page", n)) == members(
        links.keep_lowest(table, "other_page", n)
    )
    for page in {row["page_id"] for row in rows}:
        others = {row["other_page"] for row in rows if row["page_id"] == page}
        kept = {b for a, b in members(links.keep_lowest(table, "other_page", n)) if a == page}
        assert kept == set(sorted(others)[:n])


def read_hot(split: Split) -> Iterator[tuple[str, pa.Table]]:
    others = [digest(f"{split.split_id} {n}") for n in range(300)]
    rows = {"page_id": [HOT] * 300, "other_page": others, "kind": [1] * 300}
    yield "edges", pa.table(rows, schema=EDGES)


def combine_few(table: str, rows: pa.Table) -> pa.Table:
    assert len(rows) <= engine.ROWS_AT_ONCE + 300
    return links.keep_lowest(rows, "other_page", KEPT)


def reduce_few(tables: Tables) -> Tables:
    assert len(tables["edges"]) <= engine.ROWS_AT_ONCE
    return {"edges": links.keep_lowest(tables["edges"], "other_page", KEPT).sort_by("other_page")}


def test_a_key_that_holds_all_rows_is_never_held_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "ROWS_AT_ONCE", 500)
    splits = [Split(f"{n:03d}", "hot", ()) for n in range(40)]
    results = []
    for order in (splits, splits[::-1]):
        out = tmp_path / order[0].split_id
        keys = {"edges": "page_id"}
        run(
            Shuffle(read_hot, keys, reduce_few, 2, str(out / "w"), str(out / "o"), combine_few),
            order,
        )
        (path,) = (out / "o").iterdir()
        results.append(pq.read_table(path)["other_page"].to_pylist())
    everything = [digest(f"{split.split_id} {n}") for split in splits for n in range(300)]
    assert results == [sorted(everything)[:KEPT]] * 2


def link_rows(sources: list[str], anchor: str = "a cat") -> pa.Table:
    rows = [
        {
            "src_page": ids.digest(s),
            "dst_page": HOT.hex(),
            "src_host": s,
            "anchor": anchor,
            "nav": False,
        }
        for s in sources
    ]
    return pa.Table.from_pylist(rows, schema=LINKS.arrow)


def test_a_page_that_very_many_link_to_keeps_the_same_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inputs, "MAX_ROWS", 10)
    sources = [f"h{n}.org" for n in range(60)]
    results = []
    for seed in (0, 1):
        random.Random(seed).shuffle(sources)
        parts = [link_rows(sources[start : start + 20]) for start in range(0, 60, 20)]
        rows = pa.concat_tables([INPUTS.combine("links", part) for part in parts])
        assert len(rows) == 33
        results.append(INPUTS.reduce({"links": rows}))
    assert results[0] == results[1]
    expected = sorted(ids.digest(source) for source in sources)[:10]
    assert results[0]["links"]["src_page"].to_pylist() == expected
    (reject,) = results[0]["rejects"].to_pylist()
    assert reject == {"where": HOT.hex(), "reason": "too_many_rows", "value": "links beyond 10"}


def test_copies_of_one_link_crowd_out_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "MAX_ROWS", 10)
    sources = [f"h{n}.org" for n in range(5)]
    copies = pa.concat_tables([link_rows(["h0.org"] * 1_000), link_rows(sources)])
    reduced = INPUTS.reduce({"links": INPUTS.combine("links", copies)})
    assert sorted(reduced["links"]["src_host"].to_pylist()) == sources
    assert "rejects" not in reduced


def test_a_page_with_very_many_images_votes_for_some_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(links, "MAX_IMAGES", 10)
    images = sorted(digest(str(n)) for n in range(300))
    shown = {"image_id": images, "page_id": [HOT] * 300, "host": [1] * 300}
    named = {**shown, "label": [3] * 300, "source": ["alt"] * 300}
    named |= {"n_texts": [1] * 300, "strength": [1.0] * 300}
    tables = {
        "placements": pa.table(shown, schema=COMPACT_PLACEMENTS),
        "mentions": pa.table({**named, "ambiguity": [1] * 300}, schema=evidence.PAGE_MENTIONS),
    }
    results = LINKS_PASS.reduce(tables)
    assert results["evidence"]["image_id"].to_pylist() == images[:10]
    combined = {name: LINKS_PASS.combine(name, rows) for name, rows in tables.items()}
    assert {len(rows) for rows in combined.values()} == {11}
    again = LINKS_PASS.reduce(combined)
    assert all(again[name].equals(results[name]) for name in results)
    assert {"reason": "too_many_images", "n_pages": 1} in results["caps"].to_pylist()


def odd_links() -> list[tuple[str, str]]:
    """A star in both directions, a clique, self-links, and copies of one link."""
    leaves = [f"https://leaf{n}.org/" for n in range(12)]
    star = [("https://hub.org/", leaf) for leaf in leaves[:6]]
    star += [(leaf, "https://hub.org/") for leaf in leaves]
    clique = [(a, b) for a in leaves[:5] for b in leaves[:5]]
    return star + clique + [("https://hub.org/", "https://hub.org/")] * 5 + [star[0]] * 50


def test_odd_links_give_the_same_candidates_in_any_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "MAX_DEGREE", 3)
    monkeypatch.setattr(graph, "MAX_SENDERS", 4)
    (tmp_path / "t.jsonl").write_text('{"id": "cat", "names": ["cat"]}\n{"id": "dog"}\n')
    pages = ["https://hub.org/", *(f"https://leaf{n}.org/" for n in range(12))]
    texts = [f"https://i.org/{n}.jpg,a cat,{page}\n" for n, page in enumerate(pages)]
    (tmp_path / "texts.csv").write_text("image,text,page\n" + "".join(texts))
    (tmp_path / "links").mkdir()
    config = tmp_path / "run.toml"
    config.write_text(
        '[taxonomy]\npath = "t.jsonl"\n[[signals]]\npath = "texts.csv"\n'
        'columns = { image = "image", text = "text", page = "page" }\n'
        '[[links]]\npath = "links"\n'
    )
    results = []
    for rows_per_bucket in (engine.ROWS_PER_BUCKET, 20):
        monkeypatch.setattr(engine, "ROWS_PER_BUCKET", rows_per_bucket)
        rows = [f"{a},{b}\n" for a, b in odd_links()]
        random.Random(rows_per_bucket).shuffle(rows)
        for number in range(3):
            text = "src,dst\n" + "".join(rows[number::3])
            (tmp_path / "links" / f"{number}.csv").write_text(text)
        label(read_config(config), tmp_path / f"run{rows_per_bucket}")
        results.append(open_stage(tmp_path / f"run{rows_per_bucket}", "candidates"))
    first, second = results
    assert first.table(CANDIDATES).equals(second.table(CANDIDATES))
    for stage in results:
        assert stage.counts["too_many_links"] == 6
        assert stage.counts["too_many_images"] == 0
