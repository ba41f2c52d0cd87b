"""Files of inputs by their paths, patterns and endings; and what no reader takes."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from labeling.errors import InputError
from labeling.objects.client import is_address
from labeling.objects.paths import ObjectPath, identity, join
from labeling.readers.folders import HIDDEN, entries, matches
from labeling.readers.image_files import is_utf8, named

COMPRESSIONS = ("", ".gz", ".bz2", ".xz", ".zst")
"""Endings of compressed text files, and that of others."""

TABLE_SUFFIXES = (
    *(kind + end for kind in (".csv", ".tsv", ".jsonl", ".ndjson") for end in COMPRESSIONS),
    ".parquet",
)
"""Endings of tables."""

WAT_SUFFIXES = (".wat", ".wat.gz", ".wat.zst")
RECORD_SUFFIXES = (".warc", ".warc.gz", ".warc.zst", ".arc", ".arc.gz")
"""Endings of archives with pages and images; those of WAT files have only what pages link to."""

WACZ_SUFFIX = ".wacz"
"""Ending of a zip file of archives (https://specs.webrecorder.net/wacz/1.1.1)."""

ARCHIVE_SUFFIXES = (*RECORD_SUFFIXES, WACZ_SUFFIX, *WAT_SUFFIXES)

_PACKED = re.compile(r"(?<=.)(?:\.[a-z]{1,7})?\.(?:gz|bz2|xz|zst)\Z")

BROKEN, NO_FILE, REPEATED = "broken links", "pipes or devices", "repeated by links"
UNREADABLE, ODD_NAME = "folders that cannot be read", "with a name that is not UTF-8"
"""Kinds of what is in a folder and is not read."""


def input_files(base: Path, paths: str | Sequence[str], suffixes: tuple[str, ...]) -> list[Path]:
    """Return the files with one of the endings at some paths and below, sorted.

    A file that is reached twice, by links or by several paths, is returned once.

    Parameters
    ----------
    base
        Folder from which paths start.
    paths
        Files, folders, or patterns of these such as ``2024-*/**/*.csv``; one or several.
    suffixes
        Endings in lower case; those of the files may be in capitals.

    Raises
    ------
    InputError
        If there are no such files at one of the paths.
    """
    return sorted(_once(_taken(base, paths, suffixes)))


def skipped_files(
    base: Path, paths: str | Sequence[str], suffixes: tuple[str, ...]
) -> dict[Path, str]:
    """Return what is at some paths and `input_files` leaves out: endings, or other kinds."""
    skipped: dict[Path, str] = {}
    taken: list[Path] = []
    for path in [paths] if isinstance(paths, str) else paths:
        for file, kind in _listed(base, path, suffixes):
            if kind:
                skipped[file] = kind
            else:
                taken.append(file)
    return skipped | dict.fromkeys({*taken} - {*_once(taken)}, REPEATED)


def files_below(base: Path, path: str) -> list[Path]:
    """Return all files of a folder that are not hidden, sorted, also those that are links.

    Raises
    ------
    InputError
        If there is no file.
    """
    return sorted(set(_taken(base, path, ("",))))


def _taken(base: Path, paths: str | Sequence[str], suffixes: tuple[str, ...]) -> list[Path]:
    files: list[Path] = []
    for path in [paths] if isinstance(paths, str) else paths:
        listed = list(_listed(base, path, suffixes))
        taken = [file for file, kind in listed if not kind]
        if not taken:
            raise no_input(base, path, suffixes, Counter(kind for _, kind in listed))
        files += taken
    return files


def _once(files: Iterable[Path]) -> list[Path]:
    """Return files without those that are others by another path, of which links are left out."""
    folders: dict[Path, str] = {}
    once: dict[str, Path] = {}
    ordered = sorted((file.is_symlink(), len(file.parts), file) for file in set(files))
    for is_link, _, file in ordered:
        if file.parent not in folders:
            folders[file.parent] = identity(file.parent)
        real = identity(file) if is_link else os.path.join(folders[file.parent], file.name)
        once.setdefault(real, file)
    return list(once.values())


def skipped_sentence(skipped: Mapping[str, int]) -> str:
    """Return the numbers of skipped files by their ending as text.

    Examples
    --------
    >>> skipped_sentence({".lz4": 1000, "hidden": 2})
    'skipped: 1,000 .lz4, 2 hidden'
    """
    return "skipped: " + ", ".join(f"{n:,} {ending}" for ending, n in skipped.items())


def is_there(base: Path, path: str) -> bool:
    """Return whether a path exists, or something with its pattern does."""
    return next(matches(base, path), None) is not None


def no_input(
    base: Path, path: str, suffixes: tuple[str, ...], skipped: Mapping[str, int] | None = None
) -> InputError:
    """Return the error for an input that is missing, or has no file with one of the endings."""
    if "://" in path and not is_address(path):
        return InputError(
            "inputs are read from folders, and from s3://, gs:// and az://",
            facts={"path": path},
            help="copy or mount it, for example with `wget -r` or `rclone mount`",
        )
    missing = not is_there(base, path)
    facts = {"path": join(base, path)} | ({} if missing else {"endings": ", ".join(suffixes)})
    return InputError(
        "an input is missing" if missing else "an input contains no file that is read",
        facts=facts | ({"found": skipped_sentence(skipped)} if skipped else {}),
        help="correct the path in the configuration; paths start from `base`",
    )


def _listed(base: Path, path: str, suffixes: tuple[str, ...]) -> Iterator[tuple[Path, str]]:
    """Yield what is at a path, each with the kind by which it is skipped, empty if it is read."""
    for file, hidden in entries(base, path):
        yield file, HIDDEN if hidden else _kind(file, base) or _ending(file, suffixes)


def _kind(file: Path, base: Path) -> str:
    """Return the kind of what no reader takes; an empty text for a file."""
    if not is_utf8(named(base, file)):
        return ODD_NAME
    if isinstance(file, ObjectPath) or file.is_file():  # lists of objects hold no folders
        return ""
    if file.is_dir():
        return REPEATED if file.is_symlink() else UNREADABLE
    return NO_FILE if file.exists() else BROKEN


def _ending(file: Path, suffixes: tuple[str, ...]) -> str:
    """Return the ending of a file, of a packed one with that before; empty if it is one of some."""
    name = file.name.lower()
    if name.endswith(suffixes):
        return ""
    packed = _PACKED.search(name)
    return packed[0] if packed else Path(name).suffix or "without ending"
