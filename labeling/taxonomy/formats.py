"""Lines of each format of taxonomies to labels.

A new format needs a function that reads its lines, and one line in `FORMATS`.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from labeling.errors import InputError
from labeling.keys.missing import is_null
from labeling.taxonomy.class_lists import (
    KEYS,
    is_table,
    read_names,
    read_table,
)
from labeling.taxonomy.class_objects import read_json, read_yaml
from labeling.taxonomy.parsing import Lines, bad_line, csv_rows, delimiter_of, parse_json
from labeling.taxonomy.taxonomy import Label

_WORDNET_HEAD = re.compile(r"(\d{8}) \d\d ([nvasr]) ([0-9a-f]{2}) (.+)")
_MARKER = re.compile(r"\((?:a|p|ip)\)$")
_OPEN_IMAGES = re.compile(r"LabelName,|/[a-z]+/[^,]+,")
_EDGES = re.compile(r"\ufeff?\"?child\"?\s*[,;\t]\s*\"?parent\b", re.IGNORECASE)
_JSON_TEXT = re.compile(r'"(?:[^"\\]|\\.)*+"')
_EDGE_COLUMNS = ["child", "parent", "name"]

JSONL_KEYS = ("id", "names", "parents", "gloss")
"""Keys of a label in JSON Lines."""

READ_KEYS = tuple(dict.fromkeys((*JSONL_KEYS, *(key for keys in KEYS.values() for key in keys))))
"""Keys and columns of labels that any format reads."""


def read_jsonl(lines: Lines, where: str) -> Iterator[Label]:
    """Read JSON Lines.

    Each line is an object with ``id``, and optionally ``names`` (texts, or objects with ``name``
    and ``lang``), ``parents`` (ids) and ``gloss``; other keys are listed as unread.
    """
    for number, line in lines:
        location = f"{where}:{number}"
        row = parse_json(line, location)
        if not isinstance(row, dict) or not isinstance(row.get("id"), str):
            raise bad_line(
                "a line of the taxonomy is not an object with a text `id`", location, line
            )
        names = [_json_name(name, location) for name in _json_list(row, "names", location)]
        parents = _json_list(row, "parents", location)
        gloss = row.get("gloss")
        if gloss is not None and not isinstance(gloss, str):
            raise bad_line("`gloss` of a label is not a text", location, repr(gloss))
        unread = tuple(key for key in row if key not in JSONL_KEYS)
        yield Label(row["id"], tuple(names), tuple(map(str, parents)), gloss, number, unread)


def read_edges(lines: Lines, where: str) -> Iterator[Label]:
    """Read a CSV file with the columns ``child``, ``parent`` and optionally ``name``.

    Commas, tabs or semicolons separate columns.
    A label with several parents or names has several rows; one without a parent has a row with an
    empty ``parent``. Every parent has a row of its own, so that a mistyped one is found.
    """
    texts = list(lines)
    delimiter = delimiter_of(texts[0][1], lambda columns: len(columns) > 1) if texts else ","
    rows = csv_rows(texts, where, delimiter)
    _, header = next(rows, (0, []))
    if [column.strip().lower() for column in header] not in (_EDGE_COLUMNS, _EDGE_COLUMNS[:2]):
        raise bad_line(
            "an edge list does not begin with the columns child, parent and optionally name",
            f"{where}:1",
            ",".join(header),
        )
    seen: dict[tuple[str, ...], int] = {}
    first: dict[str, int] = {}
    names: dict[str, dict[str, None]] = defaultdict(dict)
    parents: dict[str, dict[str, None]] = defaultdict(dict)
    for number, written in rows:
        row = [cell.strip() for cell in written]
        if not any(row):
            continue
        if len(row) != len(header) or is_null(row[0]):
            raise bad_line(
                "a row of an edge list has missing columns", f"{where}:{number}", str(row)
            )
        if tuple(row) in seen:
            raise InputError(
                "a row occurs twice in an edge list",
                facts={"file": where, "lines": f"{seen[tuple(row)]}, {number}", "row": row},
                help="remove one of the lines",
            )
        seen[tuple(row)] = number
        first.setdefault(row[0], number)
        parents[row[0]] |= dict.fromkeys(parent for parent in row[1:2] if not is_null(parent))
        names[row[0]] |= dict.fromkeys(name for name in row[2:] if not is_null(name))
    for child, number in first.items():
        yield Label(
            child, tuple((n, "") for n in names[child]), tuple(parents[child]), None, number
        )


def read_openimages(
    lines: Lines, where: str, hierarchy: str = "", hierarchy_where: str = ""
) -> Iterator[Label]:
    """Read the class descriptions of Open Images, and its hierarchy.

    The id of the mid ``/m/0abc`` is ``m:0abc``. ``Subcategory`` makes parents; ``Part`` does not: a
    wheel is not a kind of car. Labels of the hierarchy alone (such as its root) have no name.

    Parameters
    ----------
    lines
        CSV: mid and name, with or without the header ``LabelName,DisplayName``.
    where
        File of the lines, for messages.
    hierarchy
        JSON text: nested objects with ``LabelName``, ``Subcategory`` and ``Part``.
    hierarchy_where
        Its file, for messages.
    """
    parents = _hierarchy(hierarchy, hierarchy_where) if hierarchy else {}
    described = set()
    for number, row in csv_rows(lines, where):
        if row == ["LabelName", "DisplayName"]:
            continue
        if len(row) != 2:
            raise bad_line(
                "a row of class descriptions is not a mid and a name", f"{where}:{number}", str(row)
            )
        described.add(row[0])
        above = tuple(map(label_id_of_mid, parents.get(row[0], ())))
        yield Label(label_id_of_mid(row[0]), ((row[1], "en"),), above, None, number)
    line_of = _lines_of_texts(hierarchy) if parents.keys() - described else {}
    for mid in sorted(parents.keys() - described):
        above = tuple(map(label_id_of_mid, parents[mid]))
        yield Label(label_id_of_mid(mid), (), above, None, line_of[mid])


def _lines_of_texts(text: str) -> dict[str, int]:
    """Return the number of the first line with each text of a JSON file."""
    lines: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        for written in _JSON_TEXT.findall(line):
            lines.setdefault(json.loads(written), number)
    return lines


def label_id_of_mid(mid: str) -> str:
    """Return a machine id of Open Images as a label id, which may hold no slash.

    Examples
    --------
    >>> label_id_of_mid("/m/0199g")
    'm:0199g'
    """
    return mid.removeprefix("/").replace("/", ":")


def read_tencent(lines: Lines, where: str) -> Iterator[Label]:
    """Read the dictionary of Tencent ML-Images.

    Columns, with tabs between: index, id, index of the parent (-1: none) and names with commas.
    """
    rows = [(number, line.rstrip("\r\n").split("\t")) for number, line in lines]
    if rows and rows[0][1][0] == "category_index":
        del rows[0]
    ids: dict[str, str] = {}
    for number, row in rows:
        if len(row) != 4:
            raise bad_line("a line does not have four columns", f"{where}:{number}", str(row))
        if row[0] in ids:
            raise bad_line("an index occurs twice in the taxonomy", f"{where}:{number}", row[0])
        ids[row[0]] = row[1]
    for number, (_, label_id, parent, names) in rows:
        if parent != "-1" and parent not in ids:
            raise bad_line(
                "the index of a parent is not in the taxonomy", f"{where}:{number}", parent
            )
        above = () if parent == "-1" else (ids[parent],)
        named = tuple((name.strip(), "en") for name in names.split(",") if name.strip())
        yield Label(label_id, named, above, None, number)


def read_wordnet(lines: Lines, where: str) -> Iterator[Label]:
    """Read a data file of WordNet, such as ``data.noun`` (format: wndb(5WN)).

    Ids are the part of speech and the offset, ``n00001740``; parents are the hypernyms (``@``) and
    instance hypernyms (``@i``).
    """
    for number, line in lines:
        if line.startswith("  "):
            continue
        location = f"{where}:{number}"
        head = _WORDNET_HEAD.match(line.partition("|")[0])
        if not head:
            raise bad_line("a line is not a synset of WordNet", location, line)
        offset, part_of_speech, n_words, rest = head.groups()
        fields = rest.split()
        words = fields[: 2 * int(n_words, 16) : 2]
        pointers = fields[2 * int(n_words, 16) :]
        if not pointers or not pointers[0].isdecimal() or len(pointers) < 1 + 4 * int(pointers[0]):
            raise bad_line("a synset has fewer words or pointers than it states", location, line)
        above = [
            pointers[at + 2] + pointers[at + 1]
            for at in range(1, 1 + 4 * int(pointers[0]), 4)
            if pointers[at] in ("@", "@i")
        ]
        names = tuple((_MARKER.sub("", word).replace("_", " "), "en") for word in words)
        gloss = line.partition("|")[2].strip() or None
        yield Label(part_of_speech + offset, names, tuple(dict.fromkeys(above)), gloss, number)


def _hierarchy(text: str, where: str) -> dict[str, dict[str, None]]:
    """Return the parents of each mid of a hierarchy, in the order of the text."""
    parents: dict[str, dict[str, None]] = defaultdict(dict)
    stack: list[tuple[Any, str | None]] = [(parse_json(text, where), None)]
    while stack:
        node, above = stack.pop()
        if not isinstance(node, dict) or not isinstance(node.get("LabelName"), str):
            raise bad_line("a node of the hierarchy has no text `LabelName`", where, repr(node))
        mid = node["LabelName"]
        parents[mid] |= dict.fromkeys([above] if above is not None else [])
        stack += [(below, None) for below in reversed(_json_list(node, "Part", where))]
        stack += [(below, mid) for below in reversed(_json_list(node, "Subcategory", where))]
    return parents


def _json_list(row: dict[str, Any], key: str, where: str) -> list[Any]:
    value = row.get(key) or []
    if not isinstance(value, list):
        raise bad_line(f"`{key}` of a label is not a list", where, repr(value))
    return value


def _json_name(name: object, where: str) -> tuple[str, str]:
    if isinstance(name, str):
        return name, ""
    if isinstance(name, dict) and isinstance(name.get("name"), str):
        return name["name"], str(name.get("lang") or "")
    raise bad_line(
        "a name of a label is neither a text nor an object with `name`", where, repr(name)
    )


class Format(NamedTuple):
    """One format: a reader of its lines, and a test of the file's name and its first line.

    ``read`` takes the lines and the file's name for messages. If ``has_hierarchy``, it may also
    take the text and the name of a second file. ``merge`` is the remedy for a repeated id.
    """

    read: Callable[..., Iterator[Label]]
    is_like: Callable[[str, str], bool]
    has_hierarchy: bool = False
    merge: str = "remove all but one of the lines"


def _is_json_lines(name: str, first: str) -> bool:
    if not name.endswith(".json"):
        return name.endswith((".jsonl", ".ndjson"))
    try:
        row = json.loads(first)
    except (ValueError, RecursionError):
        return False
    return isinstance(row, dict) and "id" in row


_MERGE_CLASSES = "merge the classes: names and parents may be lists"

FORMATS: Mapping[str, Format] = {
    "jsonl": Format(
        read_jsonl, _is_json_lines, merge="merge the lines: names and parents are lists"
    ),
    "openimages": Format(read_openimages, lambda _, first: bool(_OPEN_IMAGES.match(first)), True),
    "tencent": Format(read_tencent, lambda _, first: first.startswith("category_index\t")),
    "edges": Format(read_edges, lambda _, first: bool(_EDGES.match(first))),
    "table": Format(
        read_table,
        lambda name, first: (
            name.endswith((".csv", ".tsv")) or (name.endswith(".txt") and is_table(first))
        ),
        merge="merge the rows: `|` separates several names or parents in a cell",
    ),
    "json": Format(read_json, lambda name, _: name.endswith(".json"), merge=_MERGE_CLASSES),
    "yaml": Format(
        read_yaml, lambda name, _: name.endswith((".yaml", ".yml")), merge=_MERGE_CLASSES
    ),
    "names": Format(
        read_names,
        lambda name, _: name.endswith((".txt", ".names")),
        merge="remove one of the lines, or add the words that differ; commas separate names",
    ),
    # After those with an ending: the names of Ultralytics' data sets are in data.yaml.
    "wordnet": Format(read_wordnet, lambda name, _: name.startswith("data.")),
}
"""All formats; of those that a file is like, the first counts."""
