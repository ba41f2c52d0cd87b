from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from labeling.evidence import evidence
from labeling.keys import ids
from labeling.keys.host_numbers import COMPACT_PLACEMENTS
from labeling.links import links
from labeling.links.propagation_steps import NEIGHBOUR_VOTES
from labeling.matching.matcher import compile_matcher
from labeling.schemas import LINKS
from labeling.taxonomy.taxonomy import Label, build_taxonomy

CAT, DOG = 0, 1


def page(name: str) -> bytes:
    return bytes.fromhex(ids.digest(f"page {name}"))


def image(name: str) -> bytes:
    return bytes.fromhex(ids.digest(f"image {name}"))


def link_table(*pairs: tuple[str, str], anchor: str | None = None) -> pa.Table:
    rows = [
        {
            "src_page": page(a).hex(),
            "dst_page": page(b).hex(),
            "src_host": a,
            "anchor": anchor,
            "nav": False,
        }
        for a, b in pairs
    ]
    return pa.Table.from_pylist(rows, schema=LINKS.arrow)


def mention_table(*rows: tuple[str, str, int]) -> pa.Table:
    """Rows of (page, image, label)."""
    return pa.Table.from_pylist(
        [
            {
                "image_id": image(i),
                "page_id": page(p),
                "host": ord(p[0]),
                "label": label,
                "source": "alt",
                "strength": 1.0,
                "ambiguity": 1,
            }
            for p, i, label in rows
        ],
        schema=evidence.MENTIONS,
    )


def placement_table(*rows: tuple[str, str]) -> pa.Table:
    return pa.Table.from_pylist(
        [{"image_id": image(i), "page_id": page(p), "host": ord(p[0])} for p, i in rows],
        schema=COMPACT_PLACEMENTS,
    )


def by_pair(table: pa.Table) -> dict[tuple[bytes, int], tuple[float, int, int]]:
    return {
        (r["image_id"], r["label"]): (round(r["strength"], 4), r["n_pages"], r["n_hosts"])
        for r in table.to_pylist()
    }


def test_votes_of_neighbours_reach_the_images_of_a_page() -> None:
    rows = [("p", CAT, 1.0, 1, 1), ("p", DOG, 0.5, 3, 2), ("r", DOG, 1.0, 1, 1)]
    votes = pa.Table.from_pylist(
        [dict(zip(NEIGHBOUR_VOTES.names, (page(p), *row), strict=True)) for p, *row in rows],
        schema=NEIGHBOUR_VOTES,
    )
    shown = placement_table(("p", "1"), ("p", "2"), ("q", "2"), ("q", "3"))
    evidence, covered = links.linked_evidence(votes, shown)
    assert by_pair(evidence) == {
        (image(i), label): of_page
        for i in "12"
        for label, of_page in ((CAT, (1.0, 1, 1)), (DOG, (0.5, 3, 2)))
    }
    assert sorted(covered["image_id"].to_pylist()) == sorted([image("1"), image("2")])
    assert set(covered["source"].to_pylist()) == {"linked"}


def test_other_images_of_the_page_vote_for_an_image() -> None:
    mentions = mention_table(("p", "1", CAT), ("p", "2", CAT), ("p", "2", DOG), ("q", "4", CAT))
    shown = placement_table(("p", "1"), ("p", "2"), ("p", "3"), ("q", "4"))
    evidence, covered = links.page_evidence(mentions, shown)
    assert by_pair(evidence) == {
        (image("1"), CAT): (0.5, 1, 1),
        (image("1"), DOG): (0.5, 1, 1),
        (image("2"), CAT): (0.5, 1, 1),
        (image("3"), CAT): (1.0, 1, 1),
        (image("3"), DOG): (0.5, 1, 1),
    }
    assert image("4") not in covered["image_id"].to_pylist()


def test_the_evidence_of_a_page_does_not_depend_on_its_bucket() -> None:
    mentions = mention_table(("p", "2", CAT), ("q", "3", CAT), ("q", "4", CAT))
    shown = placement_table(("p", "1"), ("p", "2"), ("q", "1"), ("q", "3"), ("q", "4"))
    evidence, _ = links.page_evidence(mentions, shown)
    strengths = [r["strength"] for r in evidence.to_pylist() if r["image_id"] == image("1")]
    assert strengths == [1.0, 1.0]
    apart = [
        links.page_evidence(
            mentions.filter(pc.equal(mentions["page_id"], page(p))),
            shown.filter(pc.equal(shown["page_id"], page(p))),
        )[0]
        for p in ("p", "q")
    ]
    assert sorted(map(str, pa.concat_tables(apart).to_pylist())) == sorted(
        map(str, evidence.to_pylist())
    )


def test_link_texts_vote_for_the_images_of_the_page_they_point_to() -> None:
    labels = [Label("cat", (("cat", ""),), (), None, 1), Label("dog", (), (), None, 2)]
    matcher = compile_matcher(build_taxonomy(labels, "test"))
    table = pa.concat_tables(
        [
            link_table(("p", "q"), ("r", "q"), anchor="a cat"),
            link_table(("p", "s"), anchor="more"),
            link_table(("p", "t")),
        ]
    )
    evidence, covered = links.anchor_evidence(
        links.anchors(table, matcher), placement_table(("q", "1"), ("s", "2"), ("t", "3"))
    )
    assert by_pair(evidence) == {(image("1"), CAT): (1.0, 2, 2)}
    assert sorted(covered["image_id"].to_pylist()) == sorted([image("1"), image("2")])


def test_a_page_keeps_its_strongest_topics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "TOP_TOPICS", 2)
    rows = [("p", str(n), label) for label in range(4) for n in range(label + 1)]
    topics = links.page_topics(mention_table(*rows))
    assert topics["label"].to_pylist() == [3, 2]
    assert topics["n_images"].to_pylist() == [4, 3]
