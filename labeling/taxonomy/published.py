"""Files of labels to a taxonomy: JSON Lines, an edge list, Open Images, Tencent, WordNet.

Every reader gives `Label` objects that remember their line;
`labeling.taxonomy.taxonomy.build_taxonomy` then refuses ids that stand twice, unknown parents and
cycles, each with the lines.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from io import BufferedIOBase
from pathlib import Path

from labeling.errors import InputError
from labeling.schemas import LABEL_ID
from labeling.taxonomy import formats
from labeling.taxonomy.taxonomy import Label, Taxonomy, build_taxonomy

MAX_BYTES = 1 << 30
"""Bytes of a taxonomy's file, unpacked, beyond which it is refused: a gzip file may hold a bomb."""

MAX_LINE_BYTES = 64 << 20
"""Bytes of a line; the hierarchy of Open Images may be a single one."""

_OPEN_IMAGES = re.compile(r"LabelName,|/[a-z]+/[^,]+,")

_READERS: Mapping[str, Callable[[formats.Lines, str], Iterator[Label]]] = {
    "jsonl": formats.read_jsonl,
    "edges": formats.read_edges,
    "tencent": formats.read_tencent,
    "wordnet": formats.read_wordnet,
}


@dataclass(frozen=True)
class TaxonomyFiles:
    """Where a taxonomy is.

    Parameters
    ----------
    path
        The file of labels; with ``.gz`` at the end of its name, packed.
    format
        jsonl, edges, openimages, tencent or wordnet (see `labeling.taxonomy.formats`); ``auto``
        takes the name's end and the first line for a hint.
    hierarchy
        For Open Images, the JSON file that says which label is a kind of which.
    sha256
        Digests of `paths`, 64 hexadecimal digits each: files with other content are refused.
        Empty where any content will do.
    """

    path: Path
    format: str = "auto"
    hierarchy: Path | None = None
    sha256: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files that are read."""
        return (self.path,) if self.hierarchy is None else (self.path, self.hierarchy)


def read_taxonomy(files: TaxonomyFiles | Path | str) -> Taxonomy:
    """Read a taxonomy; a path alone means that its format is found out.

    Parameters
    ----------
    files
        Path of the file of labels, or `TaxonomyFiles` with its format.

    Raises
    ------
    InputError
        For a file that is missing, damaged or too large, a line that is not of the format, an id
        that may not be one or stands twice, an unknown parent, or a cycle (with all its lines);
        and for a file whose digest is not that in `files`.
    """
    files = files if isinstance(files, TaxonomyFiles) else TaxonomyFiles(Path(files))
    try:
        return _read(files)
    finally:  # after reading: also where a line was refused, which may be a line of another file
        _expect(files)


def pinned(files: TaxonomyFiles) -> TaxonomyFiles:
    """Return the files with the digests of their present content, unless they have digests.

    Raises
    ------
    InputError
        If a file cannot be read.
    """
    return files if files.sha256 else replace(files, sha256=tuple(map(_digest, files.paths)))


def _expect(files: TaxonomyFiles) -> None:
    """Raise where a file is not the one that its digest was taken of."""
    for path, expected in zip(files.paths, files.sha256, strict=bool(files.sha256)):
        found = _digest(path)
        if found != expected:
            raise InputError(
                "the taxonomy is not the file that the command began with",
                facts={"file": path, "expected": expected, "found": found},
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
        return InputError("the taxonomy does not exist", facts={"file": path})
    return InputError("the taxonomy cannot be read", facts={"file": path, "cause": error})


def _read(files: TaxonomyFiles) -> Taxonomy:
    kind = format_of(files)
    if files.hierarchy is not None and kind != "openimages":
        raise InputError(
            "a taxonomy has a hierarchy beside it, but is not of Open Images",
            facts={"file": files.path, "format": kind, "hierarchy": files.hierarchy},
            help="leave `taxonomy.hierarchy` out, or set `taxonomy.format`",
        )
    where = str(files.path)
    if kind == "openimages":
        labels = _read_openimages(files)
    else:
        labels = _READERS[kind](_lines(files.path), where)
    return build_taxonomy([_checked(label, where) for label in labels], where)


def _read_openimages(files: TaxonomyFiles) -> Iterator[Label]:
    text = "" if files.hierarchy is None else "".join(t for _, t in _lines(files.hierarchy))
    lines = _lines(files.path)
    return formats.read_openimages(lines, str(files.path), text, str(files.hierarchy))


def format_of(files: TaxonomyFiles) -> str:
    """Return the format of a taxonomy, found out by its name and first line where it is ``auto``.

    Raises
    ------
    InputError
        If it cannot be found out, or the file cannot be read.
    """
    if files.format != "auto":
        return files.format
    name = files.path.name.removesuffix(".gz")
    first = next((text for _, text in _lines(files.path)), "")
    if name.endswith((".jsonl", ".json")):
        return "jsonl"
    if files.hierarchy is not None or _OPEN_IMAGES.match(first):
        return "openimages"
    if first.startswith("category_index\t"):
        return "tencent"
    if name.endswith(".csv"):
        return "edges"
    if name.startswith("data."):
        return "wordnet"
    raise InputError(
        "the format of the taxonomy cannot be told from its name and first line",
        facts={"file": files.path, "first line": repr(first[:100])},
        help="set `taxonomy.format` in the configuration",
    )


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number and text of each line that is not blank."""
    n_bytes = 0
    try:
        with _open(path) as file:
            for number, line in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES), b""), 1):
                n_bytes += len(line)
                if n_bytes >= MAX_BYTES or len(line) == MAX_LINE_BYTES:
                    largest = f"{MAX_BYTES:,} bytes, {MAX_LINE_BYTES:,} of a line"
                    raise InputError(
                        "the taxonomy is too large",
                        facts={"file": f"{path}:{number}", "largest": largest},
                    )
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                if text.strip():
                    yield number, text
    except (UnicodeDecodeError, OSError, EOFError, zlib.error) as error:
        raise _unreadable(path, error) from error


def _open(path: Path) -> BufferedIOBase:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def _checked(label: Label, where: str) -> Label:
    """Return the label, or raise where it holds what no table may hold."""
    place = f"{where}:{label.line}"
    if not re.fullmatch(LABEL_ID, label.label_id) or label.label_id.endswith("\n"):
        raise InputError(
            "a label id holds characters that ids may not hold",
            facts={
                "where": place,
                "id": repr(label.label_id[:200]),
                "allowed": "1 to 128 letters, digits, _ - :",
            },
            help="shorten or rename the id; the names of a label may hold anything",
        )
    for text in (*(part for name in label.names for part in name), label.gloss or ""):
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise InputError(
                "a name or gloss of a label is not Unicode text",
                facts={"where": place, "cause": error},
            ) from error
    return label
