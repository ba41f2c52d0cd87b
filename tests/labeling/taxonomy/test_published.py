from __future__ import annotations

import bz2
import contextlib
import gzip
import json
import lzma
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.errors import InputError
from labeling.matching.matcher import compile_matcher, find
from labeling.taxonomy import published
from labeling.taxonomy.formats import read_openimages
from labeling.taxonomy.published import TaxonomyFiles, read_taxonomy
from labeling.taxonomy.taxonomy import Taxonomy

DESCRIPTIONS = '/m/0,Thing\n/m/01,"Car, automobile"\n/m/02,Wheel\n/m/03,Van\n'
HIERARCHY = {
    "LabelName": "/m/root",
    "Subcategory": [
        {
            "LabelName": "/m/01",
            "Part": [{"LabelName": "/m/02"}],
            "Subcategory": [{"LabelName": "/m/03"}],
        },
        {"LabelName": "/m/0", "Subcategory": [{"LabelName": "/m/03"}]},
    ],
}
TENCENT = (
    "category_index\tcategory_id\tindex_of_parent_category\tcategory name\n"
    "0\tn01\t-1\tthing\n1\tn02\t0\tobject, physical object\n"
)
WORDNET = (
    "  1 This software and database is being provided to you\n"
    "00001740 03 n 01 entity 0 001 ~ 00002684 n 0000 | that which is\n"
    "00002684 03 n 02 object 0 physical_object(p) 0 002 @ 00001740 n 0000 + 05 n 0101 | a thing\n"
    "00002700 03 n 01 Rome 0 001 @i 00002684 n 0000 | a city\n"
)


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return path


def parents_of(taxonomy: Taxonomy) -> dict[str, list[str]]:
    ids = taxonomy.label_ids
    return {label: [ids[p] for p in taxonomy.parents[n]] for n, label in enumerate(ids)}


def names_of(taxonomy: Taxonomy) -> dict[str, list[str]]:
    return {
        label: [name for name, _ in taxonomy.names[n]] for n, label in enumerate(taxonomy.label_ids)
    }


def test_an_edge_list_joins_the_rows_of_a_label(tmp_path: Path) -> None:
    text = "\ufeffchild,parent,name\r\ncat,pet,cat\r\ncat,animal,house cat\r\npet,,\r\nanimal,,\r\n"
    taxonomy = read_taxonomy(write(tmp_path / "t.csv", text))
    assert parents_of(taxonomy) == {"animal": [], "cat": ["animal", "pet"], "pet": []}
    assert names_of(taxonomy)["cat"] == ["cat", "house cat"]


def test_parents_in_open_images_are_kinds_not_parts(tmp_path: Path) -> None:
    path = write(tmp_path / "class-descriptions.csv", DESCRIPTIONS)
    hierarchy = write(tmp_path / "h.json", json.dumps(HIERARCHY, indent=1))
    taxonomy = read_taxonomy(TaxonomyFiles(path, hierarchy=hierarchy))
    assert parents_of(taxonomy) == {
        "m:0": ["m:root"],
        "m:01": ["m:root"],
        "m:02": [],
        "m:03": ["m:0", "m:01"],
        "m:root": [],
    }
    assert names_of(taxonomy)["m:01"] == ["Car, automobile"]
    assert names_of(taxonomy)["m:root"] == []
    flat = read_taxonomy(write(tmp_path / "d.csv", "LabelName,DisplayName\n" + DESCRIPTIONS))
    assert set(parents_of(flat)) == {"m:0", "m:01", "m:02", "m:03"}


def test_parents_of_tencent_are_indices(tmp_path: Path) -> None:
    path = tmp_path / "t.txt.gz"
    path.write_bytes(gzip.compress(TENCENT.encode()))
    taxonomy = read_taxonomy(path)
    assert parents_of(taxonomy) == {"n01": [], "n02": ["n01"]}
    assert names_of(taxonomy)["n02"] == ["object", "physical object"]


def test_wordnet_takes_hypernyms_and_instance_hypernyms(tmp_path: Path) -> None:
    taxonomy = read_taxonomy(write(tmp_path / "data.noun", WORDNET))
    assert parents_of(taxonomy) == {
        "n00001740": [],
        "n00002684": ["n00001740"],
        "n00002700": ["n00002684"],
    }
    assert names_of(taxonomy)["n00002684"] == ["object", "physical object"]
    assert taxonomy.glosses[1] == "a thing"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("t.csv", "child,parent\na,b\nb,c\nc,a\n", "a (line 2) → b (line 3) → c (line 4) → a"),
        ("t.csv", "child,parent\na,a\n", "a (line 2) → a (line 2)"),
        ("t.csv", "child,parent\na,b\n", "t.csv:2"),
        ("t.csv", "child,parent\na,\na,\n", "lines: 2, 3"),
        ("t.csv", "child,parent\na/b,\n", "'a/b'"),
        ("t.csv", "child,parent\n../x,\n", "t.csv:2"),
        ("t.csv", 'child,parent\n"a\nb",\n', "characters"),
        ("t.csv", "child,parent\na\n", "has missing columns"),
        ("t.csv", "kind,of\na,b\n", "child, parent"),
        ("t.csv", 'child,parent\n"a,b\n', "not CSV"),
        ("t.csv", "child,parent\n" + "a" * 200_000 + ",\n", "t.csv:2"),
        ("t.csv", "/m/1,A\n/m/1,B\n", "lines: 1, 2"),
        ("t.csv", "/m/1,A\nm:1,B\n", "lines: 1, 2"),
        ("t.csv", "/m/1,A,B\n", "t.csv:1"),
        ("t.txt", TENCENT + "1\tn03\t0\tx\n", "t.txt:4"),
        ("t.txt", TENCENT + "2\tn02\t0\tx\n", "lines: 3, 4"),
        ("t.txt", TENCENT + "2\tn03\t7\tx\n", "index of a parent"),
        ("t.txt", TENCENT + "2\tn03\t2\tx\n", "n03 (line 4) → n03 (line 4)"),
        ("t.txt", TENCENT + "2\tn03\n", "four columns"),
        ("data.noun", WORDNET.replace("~ 00002684", "@ 00002684"), "n00001740 (line 2) → n0000268"),
        ("data.noun", WORDNET.replace("@i 00002684", "@i 00009999"), "n00009999"),
        ("data.noun", WORDNET.replace("n 02 object", "n ff object"), "fewer words"),
        ("data.noun", WORDNET + "no synset\n", "data.noun:5"),
        ("t.jsonl", '{"id": "a", "gloss": 3}', "`gloss`"),
        ("t.jsonl", '{"id": "a", "names": ["\\ud800"]}', "not Unicode"),
        ("t.jsonl", '{"id": "a\\n"}', "characters"),
        ("t.jsonl", "[" * 200_000, "not JSON"),
        ("t.jsonl", '{"id": "\udcff"}', "cannot be read"),
        ("t.dat", "a\tb\n", "not of a known format"),
    ],
)
def test_bad_taxonomies_are_refused_with_their_line(
    tmp_path: Path, name: str, text: str, expected: str
) -> None:
    with pytest.raises(InputError) as caught:
        read_taxonomy(write(tmp_path / name, text))
    assert expected in str(caught.value)
    assert len(str(caught.value)) < 1_500


@pytest.mark.parametrize(
    ("hierarchy", "expected"),
    [
        ({"LabelName": "/m/01", "Subcategory": [{"LabelName": "/m/01"}]}, "m:01 (line 2) → m:01"),
        ({"LabelName": 3}, "LabelName"),
        ({"LabelName": "/m/01", "Subcategory": {}}, None),
        ({"LabelName": "/m/01", "Subcategory": "x"}, "not a list"),
    ],
)
def test_a_bad_hierarchy_is_refused(
    tmp_path: Path, hierarchy: object, expected: str | None
) -> None:
    path = write(tmp_path / "d.csv", DESCRIPTIONS)
    files = TaxonomyFiles(path, hierarchy=write(tmp_path / "h.json", json.dumps(hierarchy)))
    if expected is None:
        assert len(read_taxonomy(files)) == 4
        return
    with pytest.raises(InputError, match=expected.replace("(", r"\(").replace(")", r"\)")):
        read_taxonomy(files)


def test_a_hierarchy_belongs_to_open_images_only(tmp_path: Path) -> None:
    path = write(tmp_path / "t.jsonl", '{"id": "a"}')
    with pytest.raises(InputError, match="not of Open Images"):
        read_taxonomy(TaxonomyFiles(path, hierarchy=path))


@pytest.mark.parametrize("cut", [5, 30, -9, -1])
def test_a_cut_archive_is_refused(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "t.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"id": "a"}\n' * 100)[:cut])
    with pytest.raises(InputError, match="cannot be read"):
        read_taxonomy(path)


def test_a_packed_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "MAX_BYTES", 1 << 20)
    path = tmp_path / "t.jsonl.gz"
    path.write_bytes(gzip.compress(b" " * (1 << 24)))
    with pytest.raises(InputError, match="too large"):
        read_taxonomy(path)


def test_many_parents_and_shared_names_are_legal(tmp_path: Path) -> None:
    rows = [{"id": f"p{n}", "names": ["Jack"]} for n in range(20)]
    rows += [{"id": "x", "names": ["Café", "CAFE\u0301"], "parents": [r["id"] for r in rows]}]
    path = write(tmp_path / "t.jsonl", "\n".join(json.dumps(row) for row in rows))
    taxonomy = read_taxonomy(path)
    assert len(taxonomy.parents[-1]) == 20
    matcher = compile_matcher(taxonomy)
    assert [(label, n) for label, _, n in find(matcher, "a café")] == [(20, 1)]
    assert {n for _, _, n in find(matcher, "jack")} == {20}


@settings(deadline=None)
@given(
    st.binary(max_size=300),
    st.sampled_from(["t.jsonl", "t.csv", "t.csv.gz", "data.noun", "t.txt", "t.json", "t.yaml"]),
)
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str
) -> None:
    path = tmp_path_factory.mktemp("bytes") / name
    path.write_bytes(content)
    with contextlib.suppress(InputError):
        assert len(read_taxonomy(path))


@pytest.mark.parametrize(
    ("ending", "pack"), [("gz", gzip.compress), ("bz2", bz2.compress), ("XZ", lzma.compress)]
)
def test_a_taxonomy_may_be_packed(
    tmp_path: Path, ending: str, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / f"a.csv.{ending}"
    packed = pack(b"id,name\n" + b"".join(b"%d,name %d\n" % (n, n) for n in range(500)))
    path.write_bytes(packed)
    assert len(read_taxonomy(path)) == 500
    path.write_bytes(packed[:-20])
    with pytest.raises(InputError, match="cannot be read"):
        read_taxonomy(path)


def test_null_in_a_list_of_edges_is_not_a_label(tmp_path: Path) -> None:
    path = tmp_path / "edges.csv"
    path.write_text("child,parent,name\ncat,pet,N/A\npet,null,pet\n")
    taxonomy = read_taxonomy(path)
    assert (taxonomy.names, taxonomy.parents) == (((), (("pet", ""),)), ((1,), ()))
    path.write_text("child,parent\nnull,pet\npet,\n")
    with pytest.raises(InputError, match="missing columns"):
        read_taxonomy(path)


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.json", "a.jsonl", "a.yaml", "data.noun"])
@pytest.mark.parametrize(
    ("content", "kind", "remedy"),
    [
        ("\n<!-- saved -->\n<!DOCTYPE html>\n<p>Log in\n", "an HTML page", "download"),
        ("\ufeff<html><body>cat\n", "an HTML page", "download"),
        ('<?xml version="1.0"?>\n<Error>\n', "an XML document", "download"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS", "git lfs pull"),
        ("/annex/objects/SHA256E-s5--0.csv\n", "git-annex", "git annex get"),
        ("{\\rtf1\\ansi cat}\n", "RTF", "plain text"),
    ],
)
def test_a_file_in_the_place_of_a_taxonomy_is_refused(
    tmp_path: Path, name: str, content: str, kind: str, remedy: str
) -> None:
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content.encode()))
    (tmp_path / f"{name}.xz").write_text(content)
    for path in (write(tmp_path / name, content), tmp_path / f"{name}.gz", tmp_path / f"{name}.xz"):
        with pytest.raises(InputError, match=f"the taxonomy is .*{kind}") as caught:
            read_taxonomy(path)
        assert caught.value.facts["file"] == path
        assert remedy in caught.value.help


def test_labels_of_the_hierarchy_alone_have_its_lines_and_many_take_no_time(
    tmp_path: Path,
) -> None:
    below = [{"LabelName": f"/m/x{number}"} for number in range(30_000)]
    hierarchy = {"LabelName": "/m/root", "Subcategory": [*below, {"LabelName": "/m/0"}]}
    text = json.dumps(hierarchy, indent=1)
    (tmp_path / "h.json").write_text(text.replace('/m/x7"', '\\/m/x7"'))
    path = write(tmp_path / "d.csv", "/m/0,Thing\n")
    start = time.process_time()
    labels = [*read_openimages([(1, "/m/0,Thing\n")], "d.csv", (tmp_path / "h.json").read_text())]
    assert time.process_time() - start < 5
    lines = {label.label_id: label.line for label in labels}
    assert [lines[f"m:{mid}"] for mid in ("0", "root", "x0", "x7", "x29999")] == [
        *(1, 2, 5),
        *(5 + 3 * 7, 5 + 3 * 29_999),
    ]
    assert len(read_taxonomy(TaxonomyFiles(path, hierarchy=tmp_path / "h.json"))) == 30_002
