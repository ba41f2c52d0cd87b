"""Files of a task by their names; nothing outside of its folder, and nothing hidden."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
"""Endings of images, in small or capital letters."""


def is_hidden(path: Path) -> bool:
    """Return whether a path below a task is of an editor or a system, such as a checkpoint.

    Examples
    --------
    >>> is_hidden(Path("cat/.ipynb_checkpoints/1.jpg")), is_hidden(Path("cat/1.jpg"))
    (True, False)
    """
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def files_below(folder: Path) -> Iterator[Path]:
    """Yield the paths of the files below a folder, from that folder, sorted; none if missing."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder)


def files_by_stem(folder: Path, suffixes: tuple[str, ...] = SUFFIXES) -> dict[str, Path]:
    """Return the files below a folder by their names without the ending, sorted.

    Of files that differ in their endings only, the one whose ending comes first counts.
    """
    by_stem: dict[str, Path] = {}
    files = [file for file in files_below(folder) if not is_hidden(file)]
    for suffix in reversed(suffixes):
        named = (file for file in files if file.suffix.lower() == suffix)
        by_stem |= {file.with_suffix("").as_posix(): folder / file for file in named}
    return dict(sorted(by_stem.items()))


def paired(
    stems: Iterable[str],
    images: Mapping[str, Path],
    others: Mapping[str, Path],
    kind: str,
    rejects: Counter[str],
) -> Iterator[tuple[Path, Path]]:
    """Yield the image of each name and its other file; count the names that lack one of them.

    Examples
    --------
    >>> rejects: Counter[str] = Counter()
    >>> files = {"a": Path("a.jpg"), "b": Path("b.jpg")}, {"a": Path("a.xml"), "c": Path("c.xml")}
    >>> [*paired("abc", *files, "annotation", rejects)]
    [(PosixPath('a.jpg'), PosixPath('a.xml'))]
    >>> rejects
    Counter({'annotation missing': 1, 'image missing': 1})
    """
    for stem in stems:
        if stem in images and stem in others:
            yield images[stem], others[stem]
        else:
            rejects[f"{kind} missing" if stem in images else "image missing"] += 1


def file_inside(folder: Path, name: str, task: Path) -> Path | None:
    """Return the file of a name in a folder, or None where it is missing.

    Raises
    ------
    ValueError
        If the name leads out of the task.
    """
    path = Path(os.path.normpath(folder / name))
    if not path.is_relative_to(os.path.normpath(task)):
        raise ValueError("a name leads out of the task")
    try:
        return path if path.is_file() else None
    except (OSError, ValueError):  # too long for a name, or a NUL in it
        return None
