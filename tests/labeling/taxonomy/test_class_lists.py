from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from labeling.errors import InputError
from labeling.taxonomy.class_lists import LISTED
from labeling.taxonomy.published import TaxonomyFiles, read_taxonomy
from labeling.taxonomy.taxonomy import Taxonomy

COCO = {
    "images": [],
    "categories": [
        {"id": 1, "name": "person", "supercategory": "person"},
        {"id": 3, "name": "traffic light", "supercategory": "outdoor", "color": [1, 2, 3]},
    ],
}
YAML = "path: ../x\ntrain: images\nnames:\n  0: person\n  1: no\n  2: traffic light\n"


def labels(path: Path, content: Any) -> dict[str, list[str]]:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return names_of(read_taxonomy(path))


def names_of(taxonomy: Taxonomy) -> dict[str, list[str]]:
    names = [[name for name, _ in of_label] for of_label in taxonomy.names]
    return dict(zip(taxonomy.label_ids, names, strict=True))


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("a.txt", "cat\nT-shirt\n\n# pets\n", {"cat": ["cat"], "t-shirt": ["T-shirt"]}),
        ("coco.names", "cat\ndog\n", {"cat": ["cat"], "dog": ["dog"]}),
        ("a.txt", "n01440764 tench, Tinca tinca\n", {"n01440764": ["tench", "Tinca tinca"]}),
        ("a.csv", "cat\ndog\n", {"cat": ["cat"], "dog": ["dog"]}),
        ("a.csv", "\ufeffName,Synonyms\nCat,puss;kitty\n", {"cat": ["Cat", "puss", "kitty"]}),
        ("a.csv", "name;parent\ncat;pet\npet;\n", {"cat": ["cat"], "pet": ["pet"]}),
        ("a.csv", '"id";"Name"\r\nx;"a;b"\r\n', {"x": ["a", "b"]}),
        ("a.csv", "cat;puss\ndog\n", {"cat": ["cat", "puss"], "dog": ["dog"]}),
        *(("a.csv", f"{head}\ncat\n", {"cat": ["cat"]}) for head in LISTED),
        ("a.csv", "Labels\ncat\n", {"cat": ["cat"]}),
        *(
            ("a.txt", f"{head}\ncat\n", {"cat": ["cat"]})
            for head in ("Labels", "classes", "title", "name", "class_name", "Class Name")
        ),
        ("a.txt", "id,name\nx,cat\n", {"x": ["cat"]}),
        ("a.csv", "id,Class Name,n\nx,cat,1\n\n,,\n", {"x": ["cat"]}),
        ("a.csv", "id,title\nx,cat\n", {"x": ["cat"]}),
        ("a.txt", "name\n", {"name": ["name"]}),
        ("a.txt", "cat\rdog\r", {"cat": ["cat"], "dog": ["dog"]}),
        ("a.csv", "name\rcat\rdog\r", {"cat": ["cat"], "dog": ["dog"]}),
        ("a.csv", "child,parent\npet,\n,\ncat, pet\n", {"cat": [], "pet": []}),
        ("a.txt", "#tag\n# pets\n#\nC\n", {"tag-595817b8": ["#tag"], "c": ["C"]}),
        ("a.csv", "Category\ncat\n", {"cat": ["cat"]}),
        ("a.csv", "Child;Parent\npet;\ncat;pet\n", {"cat": [], "pet": []}),
        ("a.tsv", "child\tparent\npet\t\ncat\tpet\n", {"cat": [], "pet": []}),
        ("a.tsv", "id\tname\nx\tcat|puss\n", {"x": ["cat", "puss"]}),
        ("a.json", ["cat", "dog"], {"cat": ["cat"], "dog": ["dog"]}),
        ("a.json", {"0": "crane", "1": "crane"}, {"crane": ["crane"], "crane-2": ["crane"]}),
        ("a.json", {"id2label": {"0": "cat"}, "model": "x"}, {"cat": ["cat"]}),
        ("a.json", {"dog": 1, "cat": 0}, {"cat": ["cat"], "dog": ["dog"]}),
        ("a.json", {"0": ["n01", "great_white"]}, {"n01": ["great white"]}),
        ("a.yaml", YAML, {"no": ["no"], "person": ["person"], "traffic_light": ["traffic light"]}),
        (
            "data.yaml",
            YAML,
            {"no": ["no"], "person": ["person"], "traffic_light": ["traffic light"]},
        ),
        ("data.yml", "names: [b]\n", {"b": ["b"]}),
        ("a.YAML", "- b\n", {"b": ["b"]}),
        ("A.TXT", "b\n", {"b": ["b"]}),
        ("a.txt", "0: cat\n1: dog\n", {"cat": ["cat"], "dog": ["dog"]}),
        ("a.txt", "# n\n1 cat\n2 dog, hound\n", {"cat": ["cat"], "dog": ["dog", "hound"]}),
        ("a.txt", "0\tcat\n1\t2 cats\n", {"2_cats": ["2 cats"], "cat": ["cat"]}),
        ("a.txt", "1. cat\n2. dog\n", {"cat": ["cat"], "dog": ["dog"]}),
        ("a.txt", "0 cat\n2 dog\n", {"0_cat": ["0 cat"], "2_dog": ["2 dog"]}),
        ("a.txt", "1 cat\ndog\n", {"1_cat": ["1 cat"], "dog": ["dog"]}),
        ("a.txt", "7 up\n8 ball\n", {"7_up": ["7 up"], "8_ball": ["8 ball"]}),
        ("a.txt", "1st\n2nd\n", {"1st": ["1st"], "2nd": ["2nd"]}),
        ("a.yml", "names: [a b, c]\n", {"a_b": ["a b"], "c": ["c"]}),
        ("a.yml", "dog: 1\ncat: 0\n", {"cat": ["cat"], "dog": ["dog"]}),
        ("a.yml", "1: dog\n0: 7\n", {"7": ["7"], "dog": ["dog"]}),
        ("a.json", {"n01440764": "tench, Tinca"}, {"n01440764": ["tench", "Tinca"]}),
        ("a.json", {"n01440764": ["n01440764", "tench"]}, {"n01440764": ["tench"]}),
        ("a.csv", "sep=;\nname;parent\ncat;pet\npet;\n", {"cat": ["cat"], "pet": ["pet"]}),
        ("a.csv", '"sep=,"\r\nid,name\r\nx,cat\r\n', {"x": ["cat"]}),
        ("a.csv", "SEP=\t\nchild\tparent\npet\t\n", {"pet": []}),
        ("a.txt", "sep=|\rcat\r", {"cat": ["cat"]}),
        ("a.json", '{"names": ["x"], "id": "a"}\n{"id": "b"}\n', {"a": ["x"], "b": []}),
    ],
)
def test_lists_of_classes_are_read(
    tmp_path: Path, file: str, content: Any, expected: dict[str, list[str]]
) -> None:
    assert labels(tmp_path / file, content) == expected


def test_comments_headers_and_repeated_names_have_notes(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("# mine\nLabels\ncat\n#\n# more\n")
    (tmp_path / "a.json").write_text('["cat", "dog", "cat"]')
    assert read_taxonomy(tmp_path / "a.txt").notes == (
        "comments (lines of # and a space): 3",
        "line 2: 'Labels' is a header and no label",
    )
    assert read_taxonomy(tmp_path / "a.json").notes == (
        "class 3: 'cat' is another's name too, the id is cat-2",
    )


def test_supercategories_are_labels_without_names(tmp_path: Path) -> None:
    (tmp_path / "coco.json").write_text(json.dumps(COCO, indent=1))
    taxonomy = read_taxonomy(tmp_path / "coco.json")
    assert names_of(taxonomy) == {
        "outdoor": [],
        "person": ["person"],
        "traffic_light": ["traffic light"],
    }
    assert taxonomy.parents == ((), (), (0,))
    assert taxonomy.unread == {"color": 1}


def test_parents_of_a_table_are_ids_or_names(tmp_path: Path) -> None:
    text = "id,name,parent\na1,Cat,Pet\na2,Dog,p\np,Pet,\n"
    (tmp_path / "a.csv").write_text(text)
    assert read_taxonomy(tmp_path / "a.csv").parents == ((2,), (2,), ())
    (tmp_path / "a.csv").write_text(text.replace(",Pet\n", ",Pt\n"))
    with pytest.raises(InputError, match="a parent that is not in the taxonomy"):
        read_taxonomy(tmp_path / "a.csv")


def test_keys_that_are_not_read_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": "a", "name": "x"}\n{"id": "b", "parnts": []}\n')
    assert read_taxonomy(tmp_path / "a.jsonl").unread == {"name": 1, "parnts": 1}


def test_names_without_a_language_are_of_the_given_one(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Hund\n")
    taxonomy = read_taxonomy(TaxonomyFiles(tmp_path / "a.txt", language="de"))
    assert taxonomy.names == ((("Hund", "de"),),)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("a.json", 5),
        ("a.json", []),
        ("a.json", [None]),
        ("a.json", [[1, 2, 3]]),
        ("a.json", [{"id": 1}]),
        ("a.json", [{"name": {"a": 1}}]),
        ("a.json", "[" * 50_000),
        ("a.yaml", "[" * 5_000),
        ("a.yaml", "a: ["),
        ("a.yaml", "names:\n  0: cat\n  0: dog\n"),
        ("a.json", '{"cat": 0, "cat": 1}'),
        ("a.csv", "a,b\n1,2\n"),
        ("a.csv", "name,parent\ncat\n"),
        ("a.txt", "cat\ncat\n"),
        ("a.txt", ", ,\n"),
        ("a.csv", "sep=:\nname:parent\ncat:pet\n"),
        ("a.txt", "{0: 'tench, Tinca tinca',\n 1: 'goldfish'}\n"),
        ("a.txt", '[\n"cat",\n"dog"\n]\n'),
        ("a.yaml", "version: 3\nauthor: me\n"),
        ("a.json", {"title": "Animals", "0": "cat"}),
        ("a.json", {"pets": ["cat", "dog"]}),
        ("a.json", {"cat": "Katze"}),
        ("a.yaml", "names: [cat]\nclasses: [dog]\n"),
        ("a.json", {"names": {"train": ["cat"]}}),
    ],
)
def test_other_files_are_refused(tmp_path: Path, file: str, content: Any) -> None:
    with pytest.raises(InputError) as caught:
        labels(tmp_path / file, content)
    assert file in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "remedy"),
    [
        ("labels.txt", "cat\ndog\ncat\n", "commas separate names"),
        ("labels.csv", "id,name\na,cat\na,kitty\n", "merge the rows"),
        ("labels.jsonl", '{"id": "a", "names": ["x"]}\n' * 2, "merge the lines: names and parents"),
        (
            "labels.json",
            '[{"id": "a", "name": "x"}, {"id": "a", "name": "y"}]',
            "merge the classes",
        ),
    ],
)
def test_the_remedy_for_repeated_ids_is_that_of_the_format(
    tmp_path: Path, name: str, content: str, remedy: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match="more than once") as caught:
        read_taxonomy(tmp_path / name)
    assert remedy in caught.value.help


def test_a_table_with_bars_between_columns_is_read(tmp_path: Path) -> None:
    text = "id|name|parent\ncat|cat;kitty|pet\npet|pet|\n"
    assert labels(tmp_path / "a.csv", text) == {"cat": ["cat", "kitty"], "pet": ["pet"]}
    assert labels(tmp_path / "a.txt", text) == {"cat": ["cat", "kitty"], "pet": ["pet"]}


def test_a_column_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'name' twice"):
        labels(tmp_path / "a.csv", "id,name,name\ncat,cat,kitty\n")
    assert labels(tmp_path / "a.csv", "id,name,,\ncat,cat,,\n") == {"cat": ["cat"]}


@pytest.mark.parametrize("null", ["~", "null", "Null", "NULL", ""])
def test_a_null_in_yaml_is_not_a_class(tmp_path: Path, null: str) -> None:
    with pytest.raises(InputError, match="has no name"):
        labels(tmp_path / "a.yaml", f"names:\n  0: cat\n  1: {null}\n")
    assert labels(tmp_path / "a.yaml", "names: ['null', no]\n") == {"null": ["null"], "no": ["no"]}


@pytest.mark.parametrize("ending", ["txt", "csv", "names"])
def test_a_line_of_any_length_is_a_name_or_refused(tmp_path: Path, ending: str) -> None:
    with pytest.raises(InputError) if ending == "csv" else nullcontext():
        labels(tmp_path / f"a.{ending}", "x" * 200_000 + "\ncat\n")


def test_lists_of_the_same_classes_are_read_once_and_keys_beside_them_have_a_note(
    tmp_path: Path,
) -> None:
    config = {
        "model": "x",
        "id2label": {"0": "crane", "1": "crane", "2": "cat"},
        "label2id": {"crane": 1, "cat": 2},
        "parents": {"cat": "pet"},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    taxonomy = read_taxonomy(tmp_path / "config.json")
    assert taxonomy.label_ids == ("cat", "crane", "crane-2")
    assert "keys beside 'id2label' that are not read: model, parents" in taxonomy.notes


def test_a_key_like_that_of_a_list_is_a_hint(tmp_path: Path) -> None:
    with pytest.raises(InputError, match='did you mean "categories"'):
        labels(tmp_path / "a.json", {"categorys": [{"id": 1, "name": "cat"}]})


@pytest.mark.parametrize("number", ["{} - ", ""])
def test_paths_of_names_are_a_hierarchy(tmp_path: Path, number: str) -> None:
    paths = ("Food, Pets", "Food, Pets > Pet Beds", "Food, Pets > Pet Beds > Beds", "Beds")
    lines = [f"{number.format(7 - n)}{path}" for n, path in enumerate(paths)]
    head = "# Google_Product_Taxonomy_Version: 2021-09-21"
    (tmp_path / "a.txt").write_text("\n".join([head, *lines]))
    taxonomy = read_taxonomy(tmp_path / "a.txt")
    assert sorted(name for names in taxonomy.names for name, _ in names) == [
        "Beds", "Beds", "Food, Pets", "Pet Beds",
    ]  # fmt: skip
    above = {
        taxonomy.names[code][0][0]: [taxonomy.names[p][0][0] for p in parents]
        for code, parents in enumerate(taxonomy.parents)
        if parents
    }
    assert above == {"Pet Beds": ["Food, Pets"], "Beds": ["Pet Beds"]}
    assert len(taxonomy.notes) == 1
    if number:
        assert taxonomy.label_ids == ("4", "5", "6", "7")


@pytest.mark.parametrize("lines", ["a > b\nc\n", "a\na > b\na > b\n"])
def test_paths_that_lack_a_class_or_repeat_one_are_refused(tmp_path: Path, lines: str) -> None:
    (tmp_path / "a.txt").write_text(lines)
    with pytest.raises(InputError, match="path"):
        read_taxonomy(tmp_path / "a.txt")
