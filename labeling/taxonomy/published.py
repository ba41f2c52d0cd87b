"""Files of published taxonomies: found, unpacked, pinned by their digests, and read."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from io import BufferedIOBase
from pathlib import Path
from typing import Any

from labeling.arguments import check_fields, checks_arguments
from labeling.errors import InputError
from labeling.objects.paths import ObjectPath, path_of
from labeling.substitutes import N_START, substitute, substitute_at
from labeling.taxonomy.formats import FORMATS
from labeling.taxonomy.taxonomy import Label, Taxonomy, build_taxonomy, refuse_repeated_ids

MAX_BYTES = 1 << 30
"""Bytes of a taxonomy's file, unpacked; a larger one is refused, such as a gzip bomb."""

MAX_LINE_BYTES = 64 << 20
"""Bytes of a line; the hierarchy of Open Images may be a single one."""


_OPENERS: Mapping[str, Callable[[Any], BufferedIOBase]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
}

_SEPARATOR = re.compile(r'"?sep=([ -~\t])"?[\r\n]*', re.IGNORECASE)
_CARRIAGE_RETURN = re.compile(r"(?<=\r)(?!\n)")


@dataclass(frozen=True)
class TaxonomyFiles:
    """The files of a taxonomy, and their format.

    Parameters
    ----------
    path
        The file of labels, packed if its name ends in ``.gz``, ``.bz2`` or ``.xz``.
    format
        A key of `labeling.taxonomy.formats.FORMATS`; ``auto`` decides by the name and the first
        line.
    hierarchy
        For Open Images, the JSON file with the hierarchy of the labels.
    sha256
        Digests of `paths`, 64 hexadecimal digits each: files with other content are refused.
        Empty to accept any content.
    language
        Tag of the language of names that have none in the file, such as ``de``.
    """

    path: Path
    format: str = "auto"
    hierarchy: Path | None = None
    sha256: tuple[str, ...] = ()
    language: str = ""

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files that are read."""
        return (self.path,) if self.hierarchy is None else (self.path, self.hierarchy)


@checks_arguments
def read_taxonomy(files: TaxonomyFiles | Path | str) -> Taxonomy:
    """Read a taxonomy; a path alone means the format ``auto``.

    Parameters
    ----------
    files
        Path of the file of labels, or `TaxonomyFiles` with its format.

    Returns
    -------
    Taxonomy
        The labels sorted by id.

    Raises
    ------
    InputError
        For a file that is missing, damaged or too large, a line that is not of the format, an
        invalid or duplicate id, an unknown parent, or a cycle (with all its lines); and for a file
        whose digest differs from the one in `files`.
    """
    files = files if isinstance(files, TaxonomyFiles) else TaxonomyFiles(path_of(files))
    try:
        return _read(files)
    finally:
        # Also after an error: a refused line may be of a file that was exchanged meanwhile.
        _check_digests(files)


def pinned(files: TaxonomyFiles) -> TaxonomyFiles:
    """Return the files with the digests of their current content, unless they have digests.

    Raises
    ------
    InputError
        If a file cannot be read.
    """
    return files if files.sha256 else replace(files, sha256=tuple(map(_digest, files.paths)))


def _check_digests(files: TaxonomyFiles) -> None:
    for path, expected in zip(files.paths, files.sha256, strict=bool(files.sha256)):
        digest = _digest(path)
        if digest != expected:
            raise InputError(
                "the taxonomy has changed since the command began",
                facts={"file": path, "expected": expected, "found": digest},
                help="let every worker see the same file, leave it unchanged while the command"
                " runs, and give the command again",
            )


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> InputError:
    if isinstance(error, FileNotFoundError):
        return InputError(
            "the taxonomy does not exist",
            facts={"file": path},
            help="correct the path; in a configuration it starts from `base`",
        )
    remedy = "give a file of a format in docs/how-to/taxonomies.md"
    return InputError(
        "the taxonomy cannot be read",
        facts={"file": path, "cause": error},
        help="save it as UTF-8, unpacked" if isinstance(error, UnicodeDecodeError) else remedy,
    )


def _read(files: TaxonomyFiles) -> Taxonomy:
    name, where, hierarchy = format_of(files), str(files.path), files.hierarchy
    extra: tuple[str, ...] = ()
    if hierarchy is not None:
        if not FORMATS[name].has_hierarchy:
            raise InputError(
                "the taxonomy has a second file, its hierarchy, but is not of Open Images",
                facts={"file": files.path, "format": name, "hierarchy": hierarchy},
                help="leave `taxonomy.hierarchy` out, or set `taxonomy.format`",
            )
        extra = "".join(text for _, text in _lines(hierarchy)), str(hierarchy)
    labels = list(FORMATS[name].read(_lines(files.path), where, *extra))
    refuse_repeated_ids(labels, where, FORMATS[name].merge)
    return build_taxonomy([_in_language(label, files.language) for label in labels], where)


def _in_language(label: Label, language: str) -> Label:
    """Return the label with a language for the names that have none."""
    if not language:
        return label
    return replace(label, names=tuple((name, tag or language) for name, tag in label.names))


def format_of(files: TaxonomyFiles) -> str:
    """Return the format of a taxonomy; for ``auto``, by its name and first line.

    Raises
    ------
    InputError
        If they are not of a known format, or the file cannot be read.
    """
    if files.format in FORMATS:
        return files.format
    if files.format != "auto":
        raise InputError(
            "there is no such format of taxonomies",
            facts={"file": files.path, "format": files.format},
            help=f"formats are auto, {', '.join(FORMATS)}",
        )
    whole = files.path.name.lower()
    name = next((whole.removesuffix(e) for e in _OPENERS if whole.endswith(e)), whole)
    first = next((text for _, text in _lines(files.path)), "")
    for known, of in FORMATS.items():
        if of.is_like(name, first) or (of.has_hierarchy and files.hierarchy is not None):
            return known
    raise InputError(
        "the name and first line of the taxonomy are not of a known format",
        facts={"file": files.path, "first line": repr(first[:100])},
        help="set `taxonomy.format` in the configuration",
    )


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number and text of each line that is not blank."""
    n_bytes = 0
    try:
        with _open(path) as file:
            _refuse_substitute(path, file.read(N_START))
            file.seek(0)
            for number, line in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES), b""), 1):
                n_bytes += len(line)
                if n_bytes >= MAX_BYTES or len(line) == MAX_LINE_BYTES:
                    largest = f"{MAX_BYTES:,} bytes, {MAX_LINE_BYTES:,} of a line"
                    raise InputError(
                        "the taxonomy is too large",
                        facts={"file": f"{path}:{number}", "largest": largest},
                        help="leave out labels that no text will name",
                    )
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                # Spreadsheets of old end lines with carriage returns alone.
                parts = _CARRIAGE_RETURN.split(text) if "\r" in text else [text]
                if number == 1:
                    parts[:1] = _without_separator(parts[0], path)
                yield from ((number, part) for part in parts if part.strip())
    except (UnicodeDecodeError, OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        _refuse_substitute(path)
        raise _unreadable(path, error) from error


def _without_separator(first: str, path: Path) -> list[str]:
    """Return the first line, unless it is that of Excel which names the sign between columns."""
    mark = _SEPARATOR.fullmatch(first)
    if mark is None:
        return [first]
    if mark[1] not in ",;\t|":
        raise InputError(
            "a taxonomy has an unknown sign between columns",
            facts={"where": f"{path}:1", "found": first.strip()},
            help="separate them with commas, semicolons, tabs or bars",
        )
    return []


def _refuse_substitute(path: Path, start: bytes | None = None) -> None:
    """Raise `InputError` for a file, packed or not, that is in the place of a taxonomy."""
    instead = substitute_at(path) if start is None else substitute(start)
    if instead is not None:
        raise InputError(
            f"the taxonomy is {instead.kind}", facts={"file": path}, help=instead.remedy
        )


def _open(path: Path) -> BufferedIOBase:
    opener = _OPENERS.get(path.suffix.lower())
    if opener is None:
        return path.open("rb")
    return opener(path.open("rb") if isinstance(path, ObjectPath) else path)
