"""Images of a task of classification: in folders, in a CSV, or in WebDataset tars."""

from __future__ import annotations

import csv
import json
import re
import tarfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labeling.errors import InputError
from training.transfer.readers.images import LAYOUT, SUFFIXES
from training.transfer.readers.splits import TEST_NAMES, find_parts


@dataclass(frozen=True)
class LabelledFile:
    """An image that has not been decoded.

    Parameters
    ----------
    part
        ``train``, ``test``, or "" if the task is not split.
    name
        Its class.
    data
        The bytes of its file.
    """

    part: str
    name: str
    data: bytes


def labelled_files(path: Path, rejects: Counter[str]) -> Iterator[LabelledFile]:
    """Yield the images of a task in a fixed order; count unusable entries in `rejects`.

    Raises
    ------
    InputError
        If the file or folder is missing, or a tar or CSV cannot be read.
    """
    try:
        if path.suffix == ".csv":
            yield from _of_csv(path, rejects)
        elif path.suffix == ".tar":
            yield from _of_tar("", path, rejects)
        else:
            yield from _of_folder(path, rejects)
    except (OSError, ValueError, EOFError, tarfile.TarError, csv.Error) as error:
        raise InputError(
            "a task cannot be read", facts={"task": path, "cause": error}, help=LAYOUT
        ) from error


def parts_of(entries: list[Path]) -> dict[str, list[Path]]:
    """Return the files or folders of each part by their names; a task in one part has the part "".

    Examples
    --------
    >>> parts_of([Path("train-0.tar"), Path("train-1.tar"), Path("val.tar")])["test"][0].name
    'val.tar'
    >>> list(parts_of([Path("cat"), Path("dog")]))
    ['']
    """

    def named(name: str) -> list[Path]:
        return [entry for entry in entries if re.match(rf"{name}\b", entry.name)]

    return find_parts(named) or {"": entries}


def _of_folder(path: Path, rejects: Counter[str]) -> Iterator[LabelledFile]:
    for part, entries in parts_of(sorted(path.iterdir())).items():
        for entry in entries:
            if entry.suffix == ".tar":
                yield from _of_tar(part, entry, rejects)
            elif entry.is_dir():
                folders = sorted(entry.iterdir()) if part else [entry]
                for folder in folders:
                    yield from _of_class(part, folder)


def _of_class(part: str, folder: Path) -> Iterator[LabelledFile]:
    for file in sorted(folder.rglob("*")):
        if file.suffix.lower() in SUFFIXES:
            yield LabelledFile(part, folder.name, file.read_bytes())


def _of_csv(path: Path, rejects: Counter[str]) -> Iterator[LabelledFile]:
    with path.open(newline="", encoding="utf-8-sig") as handle:
        rows = csv.DictReader(handle)
        missing = {"path", "label"} - set(rows.fieldnames or ())
        if missing:
            raise ValueError(f"it has no column {' and '.join(sorted(missing))}")
        for row in rows:
            part = row.get("split") or ""
            file = path.parent / (row["path"] or "")
            if part not in ("", "train", *TEST_NAMES):
                rejects["split unknown"] += 1
            elif not file.is_file():
                rejects["image missing"] += 1
            elif not row["label"]:
                rejects["label missing"] += 1
            else:
                part = "test" if part in TEST_NAMES else part
                yield LabelledFile(part, row["label"], file.read_bytes())


def _of_tar(part: str, path: Path, rejects: Counter[str]) -> Iterator[LabelledFile]:
    samples: dict[str, dict[str, bytes]] = defaultdict(dict)
    with tarfile.open(path, "r:") as tar:
        for member in tar:
            stream = tar.extractfile(member)
            if stream is not None:
                key, _, suffix = member.name.rpartition("/")[2].partition(".")
                samples[key][f".{suffix.lower()}"] = stream.read()
    for members in samples.values():
        image = next((members[suffix] for suffix in SUFFIXES if suffix in members), None)
        name = _class_name(members)
        if image is None or name is None:
            rejects["image missing" if image is None else "label missing"] += 1
        else:
            yield LabelledFile(part, name, image)


def _class_name(members: dict[str, bytes]) -> str | None:
    if ".cls" in members:
        return members[".cls"].decode().strip()
    facts = json.loads(members.get(".json", b"null"))
    return str(facts["label"]) if isinstance(facts, dict) and "label" in facts else None
