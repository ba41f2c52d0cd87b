"""Images of a task of classification: in folders, in a CSV, or in WebDataset tars."""

from __future__ import annotations

import csv
import json
import re
import tarfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from labeling.errors import InputError
from training.transfer.readers.images import LAYOUT
from training.transfer.readers.splits import TEST_NAMES, TRAIN_NAMES, find_parts
from training.transfer.readers.task_files import SUFFIXES, file_inside, files_below, is_hidden


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
        If the file or folder is missing, a tar or CSV cannot be read, or a folder has one of two
        parts only.
    """
    try:
        if path.suffix.lower() == ".csv":
            yield from _of_csv(path, rejects)
        elif path.suffix.lower() == ".tar":
            yield from _of_tar("", path, rejects)
        else:
            yield from _of_folder(path, rejects)
    except (OSError, ValueError, EOFError, tarfile.TarError, csv.Error) as error:
        raise InputError(
            "a task cannot be read", facts={"task": path, "cause": error}, help=LAYOUT
        ) from error


def parts_of(entries: Sequence[Path]) -> dict[str, list[Path]]:
    """Return the files or folders of each part by their names; a task in one part has the part "".

    Examples
    --------
    >>> parts_of([Path("train-0.tar"), Path("train-1.tar"), Path("val.tar")])["test"][0].name
    'val.tar'
    >>> list(parts_of([Path("Training"), Path("Test")])), list(parts_of([Path("cat"), Path("dog")]))
    (['train', 'test'], [''])
    """
    return find_parts(lambda name: _named(name, entries)) or {"": list(entries)}


def _named(name: str, entries: Sequence[Path]) -> list[Path]:
    return [entry for entry in entries if re.match(rf"{name}\b", entry.name, re.IGNORECASE)]


def _of_folder(path: Path, rejects: Counter[str]) -> Iterator[LabelledFile]:
    entries = [entry for entry in sorted(path.iterdir()) if not is_hidden(Path(entry.name))]
    parts = parts_of(entries)
    if "" in parts:
        _refuse_half(entries)
    for part, entries_of_part in parts.items():
        for entry in entries_of_part:
            if entry.suffix.lower() == ".tar":
                yield from _of_tar(part, entry, rejects)
            elif entry.is_dir():
                folders = sorted(entry.iterdir()) if part else [entry]
                for folder in folders:
                    yield from _of_class(part, folder, rejects)


def _refuse_half(entries: Sequence[Path]) -> None:
    """Raise `InputError` if a part holds classes, and its counterpart is not there."""
    for name in (*TRAIN_NAMES, *TEST_NAMES):
        for folder in _named(name, entries):
            inner = sorted(folder.iterdir()) if folder.is_dir() else []
            if inner and all(entry.is_dir() or is_hidden(Path(entry.name)) for entry in inner):
                raise InputError(
                    "a task has one of two parts only",
                    facts={
                        "part": folder,
                        "expected": f"one of {', '.join(TRAIN_NAMES)} and one of "
                        f"{', '.join(TEST_NAMES)}",
                        "found": ", ".join(entry.name for entry in entries[:20]),
                    },
                    help="rename the other part, or name this folder to have it split",
                )


def _of_class(part: str, folder: Path, rejects: Counter[str]) -> Iterator[LabelledFile]:
    for file in files_below(folder):
        if is_hidden(Path(folder.name, file)):
            rejects["file hidden"] += 1
        elif file.suffix.lower() in SUFFIXES:
            yield LabelledFile(part, folder.name, (folder / file).read_bytes())
        else:
            rejects["file of another kind"] += 1


def _of_csv(path: Path, rejects: Counter[str]) -> Iterator[LabelledFile]:
    with path.open(newline="", encoding="utf-8-sig") as handle:
        rows = csv.DictReader(handle)
        missing = {"path", "label"} - set(rows.fieldnames or ())
        if missing:
            raise ValueError(f"it has no column {' and '.join(sorted(missing))}")
        for row in rows:
            cells = {name: row.get(name) or "" for name in ("path", "label", "split")}
            part = cells["split"].strip().lower()
            reason = _reason_against(cells["path"], cells["label"], part, path.parent)
            if reason:
                rejects[reason] += 1
            else:
                part = "test" if part in TEST_NAMES else "train" if part else ""
                file = path.parent / cells["path"]
                yield LabelledFile(part, cells["label"], file.read_bytes())


def _reason_against(name: str, label: str, part: str, folder: Path) -> str:
    """Return why a row cannot be used; empty if it can."""
    if part not in ("", *TRAIN_NAMES, *TEST_NAMES):
        return "split unknown"
    try:
        if file_inside(folder, name, folder) is None:
            return "image missing"
    except ValueError:
        return "file name outside the task"
    return "" if label else "label missing"


def _of_tar(part: str, path: Path, rejects: Counter[str]) -> Iterator[LabelledFile]:
    samples: dict[str, dict[str, bytes]] = defaultdict(dict)
    with tarfile.open(path, "r:") as tar:
        for member in tar:
            stream = tar.extractfile(member)
            if stream is None or is_hidden(Path(member.name)):
                continue
            folder, _, file = member.name.rpartition("/")
            key, _, suffix = file.partition(".")
            samples[f"{folder}/{key}"][f".{suffix.lower()}"] = stream.read()
        _refuse_cut(path, tar.offset)
    for members in samples.values():
        image = next((members[suffix] for suffix in SUFFIXES if suffix in members), None)
        name = _class_name(members)
        if image is None or not name:
            rejects["image missing" if image is None else "label missing"] += 1
        else:
            yield LabelledFile(part, name, image)


def _refuse_cut(path: Path, end: int) -> None:
    """Raise ValueError unless a tar ends where its reader stopped, with an empty block."""
    with path.open("rb") as file:
        file.seek(end)
        block = file.read(tarfile.BLOCKSIZE)
        if len(block) < tarfile.BLOCKSIZE:
            raise ValueError(f"{path.name} is cut: the mark of its end is missing")
        while block:
            if block.strip(b"\0"):
                raise ValueError(f"{path.name} has further bytes after its end: is it two tars?")
            block = file.read(1 << 20)


def _class_name(members: dict[str, bytes]) -> str | None:
    """Return the class of a sample, or None if it has none that can be read."""
    try:
        if ".cls" in members:
            return members[".cls"].decode().strip()
        facts = json.loads(members.get(".json", b"null"))
    except (ValueError, RecursionError):
        return None
    label = facts.get("label") if isinstance(facts, dict) else None
    return str(label) if isinstance(label, str | int) else None
