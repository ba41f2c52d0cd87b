"""Lists of classes as data sets have them, to labels: text files, tables, JSON and YAML.

Where a list has no ids that a label may have, its names become ids. COCO's supercategories become
labels without names above the others.
"""

from __future__ import annotations

import csv
import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from labeling.keys.missing import is_null
from labeling.taxonomy.parsing import (
    Lines,
    bad_line,
    csv_rows,
    delimiter_of,
)
from labeling.taxonomy.taxonomy import Label

KEYS = {
    "id": ("id", "label_id", "synset", "wnid"),
    "name": ("name", "names", "label", "label_name", "class", "class_name", "category")
    + ("category_name", "display_name"),
    "synonyms": ("synonyms", "aliases"),
    "parent": ("parent", "parents", "supercategory"),
    "gloss": ("gloss", "definition", "description"),
}
"""Columns of tables and keys of JSON objects that are read, under all their names."""

LISTED = ("labels", "label_names", "classes", "class_names", "categories", "title", "titles")
"""Headers of names in tables that have none of those in `KEYS`."""

MAX_HEADER = 10_000
"""Characters of a header; a longer first line is a name."""

_OURS = {theirs: ours for ours, all_theirs in KEYS.items() for theirs in all_theirs}
_SEVERAL = ("name", "synonyms", "parent")
_INDEX = re.compile(r"(\d+)(?:\s*[:.,)]|\s+-(?=\s)|(?=\s))\s*(?=\S)", re.ASCII)
_COMMENT = re.compile(r"#(?:\s|\Z)")
_BRACKETS = re.compile(r"\{.*\}|\[.*\]")
_ABOVE = " > "
_NUMBERED = re.compile(r"(\d+) - (.+)", re.ASCII)
_SYNSET = re.compile(r"(n\d{8})[\s,:]+(.+)")

Row = Mapping[str, Any]
"""Values of one class by column or key."""


def label_id_of_name(name: str) -> str:
    """Return a name as a label id, with a digest where characters are lost.

    Examples
    --------
    >>> label_id_of_name("Traffic light"), label_id_of_name("Café"), label_id_of_name("C++")
    ('traffic_light', 'cafe', 'c-cedb1bac')
    """
    folded = unicodedata.normalize("NFC", " ".join(name.split())).casefold()
    decomposed = unicodedata.normalize("NFKD", folded).replace(" ", "_")
    plain = "".join(c for c in decomposed if not unicodedata.combining(c))
    kept = re.sub(r"[^a-z0-9_\-]+", "", plain)[:100]
    if kept and kept == plain:
        return kept
    digest = hashlib.sha256(folded.encode("utf-8", "replace")).hexdigest()[:8]
    return "-".join(filter(None, (kept.strip("-_"), digest)))


def read_names(lines: Lines, where: str) -> Iterator[Label]:
    """Read a text file with a label in each line: its names, with commas between.

    A line may begin with the id of a synset, as in ImageNet's lists (``n01440764 tench``). Numbers
    before all names that count from 0 or 1 (``0: person``) are left out, and so are, with a note,
    comments (``#`` and a space) and a header in the first line (``Labels``). Lines are paths where
    half of them are (``Pets > Cats``).
    """
    stripped = [(number, line.strip()) for number, line in lines]
    texts = [(number, text) for number, text in stripped if not _COMMENT.match(text)]
    n_comments = len(stripped) - len(texts)
    if texts and _BRACKETS.fullmatch(texts[0][1] + texts[-1][1]):
        message = "a list of names is an object or an array, as of JSON, YAML or Python"
        raise bad_line(message, f"{where}:{texts[0][0]}", texts[0][1])
    notes = [f"comments (lines of # and a space): {n_comments:,}"] if n_comments else []
    if len(texts) > 1 and _is_header([texts[0][1]]):
        notes.append(f"line {texts[0][0]}: {texts[0][1]!r} is a header and no label")
        del texts[0]
    if texts and 2 * sum(_ABOVE in text for _, text in texts) >= len(texts):
        labels = _of_paths(texts, where)
        yield from (replace(labels[0], notes=tuple(notes)), *labels[1:])
        return
    for (number, _), text in zip(texts, _without_indices([t for _, t in texts]), strict=True):
        synset = _SYNSET.fullmatch(text)
        names = split(synset[2] if synset else text, ",")
        label = label_of(synset[1] if synset else "", names, number, where)
        yield replace(label, notes=tuple(notes))
        notes = []


def _of_paths(texts: Sequence[tuple[int, str]], where: str) -> list[Label]:
    """Return the labels of paths, such as ``7 - Pets > Cats`` of Google's product taxonomy.

    The id is the number before a path, else of the whole path, since names occur in several.
    """
    labels: dict[str, Label] = {}
    for number, text in texts:
        numbered = _NUMBERED.fullmatch(text)
        names = split(numbered[2] if numbered else text, ">")
        path = _ABOVE.join(names)
        if path in labels:
            raise bad_line(
                "a path occurs more than once in the taxonomy", f"{where}:{number}", text
            )
        label_id = numbered[1] if numbered else label_id_of_name(path)
        labels[path] = label_of(label_id, names[-1:], number, where)
    for path, label in labels.items():
        above = path.rpartition(_ABOVE)[0]
        if above and above not in labels:
            message = "the path above a class is not in the taxonomy"
            raise bad_line(message, f"{where}:{label.line}", path)
        parents = (labels[above].label_id,) if above else ()
        labels[path] = replace(label, parents=parents)
    return list(labels.values())


def _without_indices(texts: Sequence[str]) -> Sequence[str]:
    """Return the texts without the numbers before them, if these count from 0 or 1."""
    indices = [index for index in map(_INDEX.match, texts) if index]
    first = int(indices[0][1]) if indices else 0
    numbers = [int(index[1]) for index in indices]
    if first > 1 or numbers != list(range(first, first + len(texts))):
        return texts
    return [text[index.end() :] for text, index in zip(texts, indices, strict=True)]


def read_table(lines: Lines, where: str) -> Iterator[Label]:
    """Read a table with a column of names and others of `KEYS`, or with one column and no header.

    Commas, tabs, semicolons or bars separate columns, ``|`` or ``;`` several names or parents in a
    cell.
    """
    texts = list(lines)
    delimiter = delimiter_of(texts[0][1], _is_header) if texts else ","
    rows = [row for row in csv_rows(texts, where, delimiter) if any(map(str.strip, row[1]))]
    header = rows[0][1] if rows else []
    if not _is_header(header):
        if len(header) > 1:
            message = "a table of labels begins with neither child, parent nor a column of names"
            raise bad_line(f"{message} ({', '.join(KEYS['name'])})", f"{where}:1", texts[0][1])
        header, rows = ["name"], [(0, []), *rows]
    if "name" not in map(_ours, header):
        header = ["name" if _key(column) in LISTED else column for column in header]
    header = [column.strip() for column in header]
    if again := [column for column in header if _ours(column) and header.count(column) > 1]:
        raise bad_line(f"a table has the column {again[0]!r} twice", f"{where}:1", texts[0][1])
    table = []
    for number, row in rows[1:]:
        if len(row) != len(header):
            raise bad_line("a row lacks columns of the header", f"{where}:{number}", str(row))
        cells = dict(zip(header, row, strict=True))
        many = {k: split(v, "|;") for k, v in cells.items() if _ours(k) in _SEVERAL}
        table.append((number, cells | many))
    yield from labels_of_rows(table, where)


def _is_header(columns: Sequence[str]) -> bool:
    return any(_ours(column) == "name" or _key(column) in LISTED for column in columns)


def is_table(first: str) -> bool:
    """Return whether the first line of a text is a header of ids and names.

    Examples
    --------
    >>> [is_table(line) for line in ("id,name", "Name;Parent", "name", "cat, name tag")]
    [True, True, False, False]
    """

    def is_header(columns: list[str]) -> bool:
        return len(columns) > 1 and all(map(_ours, columns)) and _is_header(columns)

    if len(first) > MAX_HEADER:
        return False
    return any(is_header(next(csv.reader([first], delimiter=sign), [])) for sign in ",\t;|")


def labels_of_rows(rows: Sequence[tuple[int, Row]], where: str) -> Iterator[Label]:
    """Yield the labels of numbered rows; parents are ids or names, supercategories also new."""
    labels: list[Label] = []
    above: dict[str, int] = {}
    for number, row in rows:
        texts: dict[str, list[str]] = {ours: [] for ours in KEYS}
        for key, value in row.items():
            if ours := _ours(key):
                texts[ours] += _texts(value, key, f"{where}:{number}")
        # A number is the position of a class in a list, and not an id that people know.
        ids = [] if isinstance(row.get("id"), int) else texts["id"]
        label_id = next((label_id for label_id in ids if not is_null(label_id)), "")
        names = texts["name"] + texts["synonyms"]
        unread = tuple(str(key) for key in row if not _ours(key))
        label = label_of(label_id, names, number, where)
        parents = [p for p in texts["parent"] if not is_null(p) and p not in names]
        gloss = next(iter(texts["gloss"]), None)
        labels.append(replace(label, parents=tuple(parents), gloss=gloss, unread=unread))
        above |= {label_id_of_name(p): number for p in parents if row.get("supercategory") == p}
    by_name = {label.names[0][0]: label.label_id for label in reversed(labels) if label.names}
    known = {label.label_id for label in labels}
    for label in labels:
        parents = [p if p in known else by_name.get(p, label_id_of_name(p)) for p in label.parents]
        yield replace(label, parents=tuple(parents))
    for label_id, number in above.items():
        if label_id not in known:
            yield Label(label_id, (), line=number)


def label_of(label_id: str, names: Sequence[str], number: int, where: str) -> Label:
    """Return a label; without an id, one of its first name."""
    if any(unicodedata.category(c) == "Cc" for name in names for c in name):
        raise bad_line("a name holds a control character", f"{where}:{number}", repr(names))
    if not label_id and not names:
        raise bad_line("a class of the taxonomy has no name", f"{where}:{number}", "")
    named = tuple((name, "") for name in dict.fromkeys(names))
    return Label(label_id or label_id_of_name(names[0]), named, line=number)


def _texts(value: Any, key: str, where: str) -> list[str]:
    """Return the texts of a cell or of a JSON value: one, or several."""
    values = value if isinstance(value, list) else [value]
    texts = [str(v) if isinstance(v, int) else v for v in values if v is not None]
    if not all(isinstance(text, str) for text in texts):
        raise bad_line(f"`{key}` of a class is not a text", where, repr(value))
    return [text.strip() for text in texts if text.strip()]


def split(text: str, signs: str) -> list[str]:
    """Return the parts of a text between any of some signs, without spaces around them."""
    parts = re.split(f"[{signs}]", text)
    return [part.strip() for part in parts if part.strip()]


def _ours(key: Any) -> str:
    """Return the key of `KEYS` that a column or a key of JSON means, or an empty text."""
    return _OURS.get(_key(key), "")


def _key(key: Any) -> str:
    return re.sub(r"[\s-]+", "_", str(key).strip(' \ufeff"').lower())
