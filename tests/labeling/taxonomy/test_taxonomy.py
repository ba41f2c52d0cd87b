from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.errors import InputError
from labeling.taxonomy.published import read_taxonomy
from labeling.taxonomy.taxonomy import Label, build_taxonomy, from_table


def write(path: Path, *rows: object) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_reads_names_parents_and_levels(tmp_path: Path) -> None:
    path = write(
        tmp_path / "t.jsonl",
        {"id": "apple", "names": ["apple", {"name": "Apfel", "lang": "de"}], "parents": ["fruit"]},
        {"id": "fruit", "parents": ["food"], "gloss": "sweet and fleshy"},
        "",
        {"id": "food"},
    )
    taxonomy = read_taxonomy(path)
    assert taxonomy.label_ids == ("apple", "food", "fruit")
    assert taxonomy.names[0] == (("apple", ""), ("Apfel", "de"))
    assert taxonomy.level.tolist() == [2, 0, 1]
    assert taxonomy.ancestors[0] == (1, 2)
    assert taxonomy.children[1] == (2,)
    assert [taxonomy.display_name(code) for code in range(3)] == ["apple", "food", "fruit"]
    again = from_table(taxonomy.to_table())
    assert (again.names, again.parents) == (taxonomy.names, taxonomy.parents)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["{"], ":1"),
        ([["a"]], "not an object"),
        ([{"id": "a/b"}], "'a/b'"),
        ([{"id": "../x"}], "characters"),
        ([{"id": ""}], "characters"),
        ([{"id": "a"}, {"id": "b"}, {"id": "a"}], "lines: 1, 3"),
        ([{"id": "a", "parents": ["b"]}], "'b'"),
        ([{"id": "a", "parents": ["a"]}], "a (line 1) → a (line 1)"),
        ([{"id": "a", "parents": "b"}], "not a list"),
        ([{"id": "a", "names": [3]}], "neither a text"),
        ([], "no label"),
        (
            [
                {"id": "a", "parents": ["b"]},
                {"id": "b", "parents": ["c"]},
                {"id": "c", "parents": ["a"]},
            ],
            "a (line 1) → b (line 2) → c (line 3) → a (line 1)",
        ),
    ],
)
def test_a_mistake_in_a_taxonomy_is_refused_with_its_line(
    tmp_path: Path, rows: list[object], expected: str
) -> None:
    with pytest.raises(InputError) as caught:
        read_taxonomy(write(tmp_path / "t.jsonl", *rows))
    assert expected in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.jsonl"):
        read_taxonomy(tmp_path / "absent.jsonl")


def test_names_may_hold_anything(tmp_path: Path) -> None:
    odd = "T.V./screen <b>\u202e"
    path = write(tmp_path / "t.jsonl", {"id": "tv", "names": [odd]})
    assert read_taxonomy(path).display_name(0) == odd


def test_a_very_deep_chain_is_read() -> None:
    n = 20_000
    labels = [Label(f"l{i:06d}", (), (f"l{i - 1:06d}",) if i else (), None, i) for i in range(n)]
    parents = build_taxonomy(labels, "chain").parents
    assert parents[-1] == (n - 2,)


@given(st.data())
def test_every_acyclic_graph_is_accepted(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 12))
    order = data.draw(st.permutations(range(n)))
    labels = []
    for position, number in enumerate(order):
        above = data.draw(st.sets(st.sampled_from(order[:position]))) if position else set()
        labels.append(
            Label(f"n{number}", (), tuple(f"n{p}" for p in sorted(above)), None, position)
        )
    taxonomy = build_taxonomy(labels, "random")
    for code, parents in enumerate(taxonomy.parents):
        assert set(parents) <= set(taxonomy.ancestors[code])
        assert code not in taxonomy.ancestors[code]
        assert all(taxonomy.level[code] > taxonomy.level[p] for p in parents)


def test_codes_refuse_an_unknown_label() -> None:
    taxonomy = build_taxonomy([Label("a", (), (), None, 1)], "test")
    assert taxonomy.codes(pa.array(["a", "a"])).tolist() == [0, 0]
    with pytest.raises(InputError, match="'b' is not in the taxonomy"):
        taxonomy.codes(pa.array(["a", "b"]))
