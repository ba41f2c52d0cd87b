"""Where the images of a task of classification come from: folders, a CSV, or WebDataset tars."""

from __future__ import annotations

import csv
import json
import re
import tarfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labeling.errors import InputError
from training.transfer.images import SUFFIXES

TEST_NAMES = ("test", "val", "validation", "valid")
"""Names of a held-out part; the first that there is counts."""

HELD_OUT = 0.2
"""Share that is held out where a task comes in one part."""


@dataclass(frozen=True)
class Item:
    """An image that has not been decoded.

    Parameters
    ----------
    part
        ``train`` or ``test``, or nothing where the task is not split.
    name
        Its class.
    data
        The bytes of its file.
    """

    part: str
    name: str
    data: bytes


def items(path: Path, put_aside: Counter[str]) -> Iterator[Item]:
    """Yield the images of a task in a fixed order; count in `put_aside` what has none.

    Raises
    ------
    InputError
        If there is no such file or folder, or a tar or CSV cannot be read.
    """
    try:
        if path.suffix == ".csv":
            yield from _of_csv(path, put_aside)
        elif path.suffix == ".tar":
            yield from _of_tar("", path, put_aside)
        else:
            yield from _of_folder(path, put_aside)
    except (OSError, ValueError, EOFError, tarfile.TarError, csv.Error) as error:
        raise InputError(
            "a task cannot be read",
            facts={"task": path, "cause": error},
            help="docs/how-to/transfer.md says how a task is laid out",
        ) from error


def parts(entries: list[Path]) -> dict[str, list[Path]]:
    """Return which files or folders are of which part; a task in one part has the part "".

    Examples
    --------
    >>> parts([Path("train-0.tar"), Path("train-1.tar"), Path("val.tar")])["test"][0].name
    'val.tar'
    >>> list(parts([Path("cat"), Path("dog")]))
    ['']
    """
    named = {
        part: own
        for part in ("train", *TEST_NAMES)
        if (own := [entry for entry in entries if re.match(rf"{part}\b", entry.name)])
    }
    test = next((part for part in TEST_NAMES if part in named), None)
    if "train" not in named or test is None:
        return {"": entries}
    return {"train": named["train"], "test": named[test]}


def _of_folder(path: Path, put_aside: Counter[str]) -> Iterator[Item]:
    for part, entries in parts(sorted(path.iterdir())).items():
        for entry in entries:
            if entry.suffix == ".tar":
                yield from _of_tar(part, entry, put_aside)
            elif entry.is_dir():
                folders = sorted(entry.iterdir()) if part else [entry]
                for folder in folders:
                    yield from _of_class(part, folder)


def _of_class(part: str, folder: Path) -> Iterator[Item]:
    for file in sorted(folder.rglob("*")):
        if file.suffix.lower() in SUFFIXES:
            yield Item(part, folder.name, file.read_bytes())


def _of_csv(path: Path, put_aside: Counter[str]) -> Iterator[Item]:
    with path.open(newline="", encoding="utf-8-sig") as handle:
        rows = csv.DictReader(handle)
        missing = {"path", "label"} - set(rows.fieldnames or ())
        if missing:
            raise ValueError(f"it has no column {' and '.join(sorted(missing))}")
        for row in rows:
            split = row.get("split") or ""
            file = path.parent / (row["path"] or "")
            if split not in ("", "train", *TEST_NAMES):
                put_aside["split unknown"] += 1
            elif not file.is_file():
                put_aside["image missing"] += 1
            elif not row["label"]:
                put_aside["label missing"] += 1
            else:
                part = "test" if split in TEST_NAMES else split
                yield Item(part, row["label"], file.read_bytes())


def _of_tar(part: str, path: Path, put_aside: Counter[str]) -> Iterator[Item]:
    members: dict[str, dict[str, bytes]] = defaultdict(dict)
    with tarfile.open(path, "r:") as tar:
        for member in tar:
            stream = tar.extractfile(member)
            if stream is not None:
                key, _, ending = member.name.rpartition("/")[2].partition(".")
                members[key][f".{ending.lower()}"] = stream.read()
    for own in members.values():
        image = next((own[suffix] for suffix in SUFFIXES if suffix in own), None)
        name = _class_name(own)
        if image is None or name is None:
            put_aside["image missing" if image is None else "label missing"] += 1
        else:
            yield Item(part, name, image)


def _class_name(members: dict[str, bytes]) -> str | None:
    if ".cls" in members:
        return members[".cls"].decode().strip()
    facts = json.loads(members.get(".json", b"null"))
    return str(facts["label"]) if isinstance(facts, dict) and "label" in facts else None


def held_out(n: int, seed: int) -> npt.NDArray[np.bool_]:
    """Return which of n rows are for measuring: `HELD_OUT` of them, but one at least of several."""
    result = np.zeros(n, bool)
    n_test = max(1, round(HELD_OUT * n)) if n > 1 else 0
    result[np.random.default_rng(seed).permutation(n)[:n_test]] = True
    return result
