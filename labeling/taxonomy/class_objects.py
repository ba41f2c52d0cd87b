"""Classes in JSON and YAML, as data sets and models list them, to labels."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from labeling.errors import InputError
from labeling.hints import did_you_mean
from labeling.taxonomy.class_lists import label_of, labels_of_rows, split
from labeling.taxonomy.parsing import Lines, bad_line, parse_json, repeated
from labeling.taxonomy.taxonomy import Label

LISTS = ("categories", "id2label", "names", "classes", "labels", "label2id")
"""Keys of files whose value is the list of classes, of COCO, Hugging Face and Ultralytics."""

MAX_YAML = 4 << 20
"""Characters of a YAML file; its reader is slow."""


def read_json(lines: Lines, where: str) -> Iterator[Label]:
    """Read COCO's categories, ImageNet's class index, or a list or an object of names.

    The list may be the value of one of the keys `LISTS`.
    """
    yield from _read_any(parse_json("".join(text for _, text in lines), where), where)


def read_yaml(lines: Lines, where: str) -> Iterator[Label]:
    """Read the names of a data set of Ultralytics, or what `read_json` reads, from YAML."""
    import yaml  # type: ignore[import-untyped]  # here: few taxonomies are in YAML

    # The base loader leaves all values texts but nulls: a class may be called "no".
    class Loader(yaml.BaseLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> dict[str, Any]:
            value: dict[str, Any] = super().construct_mapping(node, deep)
            if len(value) < len(node.value):
                key = repeated(getattr(key, "value", None) for key, _ in node.value)
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key!r} occurs twice", problem_mark=node.start_mark
                )
            return value

    Loader.add_implicit_resolver("null", re.compile(r"(~|null|Null|NULL|)\Z"), ["~", "n", "N", ""])
    Loader.add_constructor("null", lambda loader, node: None)
    text = "".join(line for _, line in lines)
    try:
        if len(text) > MAX_YAML:
            raise yaml.YAMLError(f"more than {MAX_YAML:,} characters")
        value = yaml.load(text, Loader)
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError(
            "the taxonomy is not YAML",
            facts={"where": where, "cause": error},
            help="correct the file, or set `taxonomy.format`",
        ) from error
    yield from _read_any(value, where)


def _read_any(value: Any, where: str) -> Iterator[Label]:
    if isinstance(value, dict):
        lists = [key for key in LISTS if isinstance(value.get(key), list | dict)]
        return _of_lists(value, lists, where) if lists else _of_object(value, where)
    if not isinstance(value, list):
        raise bad_line("the taxonomy has no list of classes", where, repr(value))
    if all(isinstance(item, dict) for item in value):
        return labels_of_rows(list(enumerate(value, 1)), where)
    if all(isinstance(item, list) and len(item) == 2 for item in value):
        return _of_pairs(value, where)
    return _of_names(value, where)


def _of_lists(value: Mapping[str, Any], keys: Sequence[str], where: str) -> Iterator[Label]:
    """Yield the labels of the list at the first of some keys; those at others must be the same."""
    labels, *others = (list(_read_any(value[key], where)) for key in keys)
    for key, of_key in zip(keys[1:], others, strict=True):
        # By name and not by id: an object from names to numbers has each name once.
        if {label.names for label in of_key} != {label.names for label in labels}:
            message = f"the taxonomy has two lists of classes, {keys[0]!r} and {key!r}"
            raise bad_line(message, where, ", ".join(label.label_id for label in of_key))
    unread = ", ".join(str(key) for key in value if key not in keys)
    if labels and unread:
        note = f"keys beside {keys[0]!r} that are not read: {unread:.200}"
        labels[0] = replace(labels[0], notes=(note, *labels[0].notes))
    yield from labels


def _of_object(value: Mapping[str, Any], where: str) -> Iterator[Label]:
    """Yield the labels of an object of numbers and names, in either order, or of synsets."""
    if all(map(_is_number, value.values())) and not all(map(_is_number, value)):
        return _of_names(sorted(value, key=lambda name: int(value[name])), where)
    if value and all(re.fullmatch(r"n\d{8}", str(key)) for key in value):
        texts = all(isinstance(name, str) for name in value.values())
        return _of_pairs(list(value.items()) if texts else list(value.values()), where)
    for key in value:
        if not _is_number(key):
            raise bad_line(
                f"the key {str(key)!r:.100} of the taxonomy is neither a number nor one of"
                f" {', '.join(LISTS)}{did_you_mean(str(key), LISTS)}",
                where,
                f"{value[key]!r:.100}",
            )
    return _read_any(list(value.values()), where)


def _is_number(value: Any) -> bool:
    """Return whether a value is a number from 0; those of YAML are texts, and so are all keys."""
    return not isinstance(value, bool) and re.fullmatch(r"\d{1,9}", str(value)) is not None


def _of_pairs(pairs: Sequence[Sequence[Any]], where: str) -> Iterator[Label]:
    """Yield the labels of pairs of an id and a name, with underscores between its words."""
    rows = [{"id": wnid, "names": split(str(name).replace("_", " "), ",")} for wnid, name in pairs]
    return labels_of_rows(list(enumerate(rows, 1)), where)


def _of_names(names: Iterable[Any], where: str) -> Iterator[Label]:
    """Yield a label for each class of a list; later ones of the same name are numbered."""
    seen: Counter[str] = Counter()
    for number, name in enumerate(names, 1):
        if not isinstance(name, str) or not name.strip():
            raise bad_line("a class of the taxonomy has no name", f"{where}:{number}", repr(name))
        label = label_of("", split(name, ","), number, where)
        seen[label.label_id] += 1
        n_seen = seen[label.label_id]
        if n_seen > 1:
            label_id = f"{label.label_id}-{n_seen}"
            note = f"class {number:,}: {name!r} is another's name too, the id is {label_id}"
            label = replace(label, label_id=label_id, notes=(note,))
        yield label
