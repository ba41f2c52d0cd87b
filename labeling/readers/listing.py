"""Files of inputs by their paths, patterns and endings; and those that no reader takes."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from labeling.errors import InputError

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

HIDDEN = "hidden"
"""Ending of files whose name, or a folder above, begins with a dot, or is of ``__MACOSX``."""


def input_files(base: Path, paths: str | Sequence[str], suffixes: tuple[str, ...]) -> list[Path]:
    """Return the files with one of the endings at some paths and below, sorted.

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
    files: set[Path] = set()
    for path in [paths] if isinstance(paths, str) else paths:
        taken = [file for file in _files(base, path) if _is_taken(file, path, base, suffixes)]
        if not taken:
            raise no_input(base, path, suffixes)
        files.update(taken)
    return sorted(files)


def skipped_files(
    base: Path, paths: str | Sequence[str], suffixes: tuple[str, ...]
) -> dict[Path, str]:
    """Return the files at some paths that `input_files` leaves out, with their endings."""
    skipped: dict[Path, str] = {}
    for path in [paths] if isinstance(paths, str) else paths:
        for file in _files(base, path):
            if not _is_taken(file, path, base, suffixes):
                hidden = _is_hidden(file, base / path)
                skipped[file] = HIDDEN if hidden else file.suffix.lower() or "without ending"
    return skipped


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
    return next(_matches(base, path), None) is not None


def no_input(base: Path, path: str, suffixes: tuple[str, ...]) -> InputError:
    """Return the error for an input that is missing, or has no file with one of the endings."""
    missing = not is_there(base, path)
    if "://" in path:
        return InputError(
            "inputs are read from folders that this machine sees, not from object stores",
            facts={"path": path},
            help="copy or mount it, for example with `aws s3 sync` or `rclone mount`",
        )
    return InputError(
        "an input is missing" if missing else "an input contains no file that is read",
        facts={"path": base / path} | ({} if missing else {"endings": ", ".join(suffixes)}),
        help="correct the path in the configuration; paths start from `base`",
    )


def _matches(base: Path, path: str) -> Iterator[Path]:
    """Yield the file or folder at a path; if it is missing, those with the path as a pattern."""
    root = base / path
    if root.exists():
        yield root
    elif glob.has_magic(path):
        yield from map(Path, sorted(glob.glob(str(root), recursive=True)))


def _files(base: Path, path: str) -> Iterator[Path]:
    for match in _matches(base, path):
        files = [match] if match.is_file() else sorted(match.rglob("*"))
        yield from (file for file in files if file.is_file())


def _is_taken(file: Path, path: str, base: Path, suffixes: tuple[str, ...]) -> bool:
    is_named = file == base / path
    return file.name.lower().endswith(suffixes) and (is_named or not _is_hidden(file, base / path))


def _is_hidden(file: Path, root: Path) -> bool:
    parts = file.relative_to(root).parts if file.is_relative_to(root) else (file.name,)
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)
