"""WebDataset tars, such as img2dataset writes, to signals, placements and images."""

from __future__ import annotations

import itertools
import json
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa

from labeling.errors import InputError
from labeling.hints import did_you_mean
from labeling.html.page_images import Text
from labeling.json_objects import with_repeated
from labeling.keys import ids
from labeling.keys.missing import is_null
from labeling.keys.urls import host_of
from labeling.readers.image_files import LFS_POINTER, Located
from labeling.readers.page_rows import PageRows
from labeling.readers.skips import NO_TEXT, skipped_rows
from labeling.readers.table_files.tabular import NEAR
from labeling.readers.tar_members import Damage, NextTar, shown, tar_members
from labeling.substitutes import N_START, is_pointer

IMAGE_ENDINGS = ("jpg", "jpeg", "png", "webp", "gif")
FURTHER_IMAGE = "further_image"
"""Kind of the images of a sample after its first, in the order of `IMAGE_ENDINGS`."""

MAX_IMAGE_BYTES = 32 << 20
MAX_NAMES = 1000
"""Names of members and keys that are kept, for columns that no sample has."""

MAX_TEXT_BYTES = 1 << 20

_DEBRIS = re.compile(
    r"(.*/)?(\._[^/]*|\.DS_Store|Thumbs\.db|desktop\.ini)|(.*/)?(__MACOSX|PaxHeaders?[^/]*)/.*"
)
"""Members that operating systems and programs add."""


class _Member(NamedTuple):
    """A member, and the key of its sample, after the offset of its tar if it is not the first."""

    key: str
    info: tarfile.TarInfo


class _Sample(NamedTuple):
    """Members of the open file that share a key, by the endings of their names."""

    file: BinaryIO
    key: str
    members: Mapping[str, tarfile.TarInfo]


class _Columns:
    """Columns to read; those that no sample has had, of so many, and the names of what they had."""

    def __init__(self, columns: Mapping[str, str]) -> None:
        self.by_source = columns
        self.absent = set(columns.values())
        self.n_samples = 0
        self._names: set[str] = set()

    def add(self, names: Iterable[str]) -> None:
        """Add names of members or keys of a sample, until all columns were there."""
        if self.absent and len(self._names) < MAX_NAMES:
            self._names.update(itertools.islice(names, MAX_NAMES))

    def skips(self, file: str) -> Iterator[tuple[str, pa.Table]]:
        """Yield each column that is in no sample, with a name that may have been meant."""
        for key in sorted(self.absent):
            kind = key + did_you_mean(key, sorted(self._names), NEAR)
            yield from skipped_rows(file, kind, self.n_samples)


class _Rejected(Exception):
    """A sample, or a text of it, that is rejected, with the reason as its message."""


def read_webdataset(
    path: Path, name: str, columns: Mapping[str, str]
) -> Iterator[tuple[str, pa.Table]]:
    """Read one tar, as a stream of samples: adjacent members that share a key.

    Parameters
    ----------
    path
        The tar, uncompressed; or several, one after the other in one file.
    name
        Its path below the data folder, for the images' locations: ``<name>#<offset>+<length>``.
    columns
        Labeling source to the place of its text: the ending of a member (``txt``), or a key of a
        JSON member (``json.title``). ``page`` (URL or any name; else each sample is a page of its
        own) and ``lang`` are not sources.

    Yields
    ------
    name, table
        Tables of `labeling.schemas` by name, in batches: pages, images, signals, placements,
        rejects and skips.
        A sample without an image (``no_image``), without any of the texts that `columns` names
        (``incomplete_sample``), with an image that is empty (``empty_image``), a pointer of Git LFS
        (``lfs_pointer``) or above the size limit (``too_large``), with the key of an earlier one of
        its tar (``duplicate_key``) or without a text that can be read is a reject, and so is each
        text that is too large or is not UTF-8 or JSON, or occurs twice in it (``bad_text``), and
        members with the name of others of their sample (``duplicate_key``). Samples whose texts are
        empty are skips (``no_text``), and so are all images of a sample but one
        (``further_image``), and all samples for a column that none of them has. A damaged header is
        a ``bad_member``, and a file that is cut is ``truncated``. Links and sparse files, and
        members that macOS, Windows and pax add, are ignored, and counted in one reject,
        ``ignored_members``.

    Raises
    ------
    InputError
        If the file cannot be opened, or is not a tar.
    """
    rows, wanted = PageRows(), _Columns(columns)
    try:
        with path.open("rb") as file:
            members = _members(path, name, file, rows)
            n_without_text, n_further = 0, 0
            for sample in _samples(members, name, file, rows):
                n_without_text += not _add_sample(rows, sample, name, wanted)
                n_further += max(0, len(sample.members.keys() & {*IMAGE_ENDINGS}) - 1)
                if rows.is_full():
                    yield from rows.tables()
            yield from rows.tables()
            yield from skipped_rows(name, NO_TEXT, n_without_text)
            yield from skipped_rows(name, FURTHER_IMAGE, n_further)
            yield from wanted.skips(name)
    except OSError as error:
        raise InputError(
            "a WebDataset tar cannot be read",
            facts={"file": path, "cause": error},
            help="check its path and its permissions",
        ) from error


def _samples(
    members: Iterator[_Member], name: str, file: BinaryIO, rows: PageRows
) -> Iterator[_Sample]:
    """Yield adjacent members that share a key, with one of each ending; the others are rejects."""
    seen: set[str] = set()
    for key, group in groupby(members, attrgetter("key")):
        sample: dict[str, tarfile.TarInfo] = {}
        repeated: list[str] = []
        for _, info in group:
            ending = _ending_of(info)
            if key in seen or ending in sample:
                repeated.append(ending)
            else:
                sample[ending] = info
        seen.add(key)
        if repeated:
            rows.reject(f"{name}#{key}"[:300], "duplicate_key", ", ".join(repeated))
        if sample:
            yield _Sample(file, key, sample)


def _members(path: Path, name: str, file: BinaryIO, rows: PageRows) -> Iterator[_Member]:
    n_ignored, start = 0, ""
    for member in tar_members(path, file):
        if isinstance(member, NextTar):
            start = f"{member.offset}/"
        elif isinstance(member, Damage):
            rows.reject(f"{name}#{member.offset}", member.reason, member.value)
        elif member.isdir():
            continue
        elif not member.isreg() or member.issparse() or _DEBRIS.fullmatch(member.name):
            n_ignored += 1
        else:
            yield _Member(start + _key_of(member), member)
    if n_ignored:
        rows.reject(
            name, "ignored_members", f"{n_ignored:,}: links, sparse files, ._x, .DS_Store …"
        )


def _key_of(member: tarfile.TarInfo) -> str:
    folder, slash, name = shown(member.name).rpartition("/")
    return folder + slash + name.partition(".")[0]


def _ending_of(member: tarfile.TarInfo) -> str:
    return shown(member.name).rpartition("/")[2].partition(".")[2].lower()


def _add_sample(rows: PageRows, sample: _Sample, name: str, columns: _Columns) -> bool:
    """Add the image of a sample and its texts, or a reject; return whether there is one of them."""
    where = f"{name}#{sample.key}"
    image = next((sample.members[e] for e in IMAGE_ENDINGS if e in sample.members), None)
    bad: Mapping[str, str] = {}
    try:
        if image is None:
            raise _Rejected("no_image")
        texts, bad = _texts(sample, columns)
        if not texts.keys() - {"page", "lang"}:
            raise _Rejected(next(iter(bad.values()), "incomplete_sample"))
        content = _content(sample.file, image, MAX_IMAGE_BYTES)
        if not content:
            raise _Rejected("empty_image")
        if is_pointer(content[:N_START]):
            raise _Rejected(LFS_POINTER)
    except _Rejected as reason:
        rows.reject(where[:300], str(reason), ", ".join(bad or sample.members))
        return True
    for member, reason_of_text in bad.items():
        rows.reject(where[:300], reason_of_text, member)
    page, lang = (_key(texts.pop(name, "")) for name in ("page", "lang"))
    origin = rows.add_origin(page or where, name), host_of(page or where)
    located = Located(ids.digest(content), f"{name}#{image.offset_data}+{image.size}", image.size)
    named = [Text(source, text) for source, text in texts.items() if text.strip()]
    rows.add_image(located, origin, named, lang)
    return bool(named or bad)


def _key(text: str) -> str | None:
    return None if is_null(text) else text


def _texts(sample: _Sample, columns: _Columns) -> tuple[dict[str, str], dict[str, str]]:
    """Return the text of each source that the sample has, and the reasons of those that are bad."""
    contents: dict[tuple[str, bool], Any] = {}
    texts, bad = {}, {}
    columns.n_samples += 1
    columns.add(sample.members)
    for source, key in columns.by_source.items():
        ending, _, json_key = key.partition(".")
        member = sample.members.get(ending.lower())
        if member is None:
            continue
        try:
            kind = ending, bool(json_key)
            if kind not in contents:
                content = _content(sample.file, member, MAX_TEXT_BYTES)
                contents[kind] = _decoded(content, bool(json_key))
                columns.add(f"{ending}.{name}" for name in contents[kind] if json_key)
            if not json_key or json_key in contents[kind]:
                columns.absent.discard(key)
            texts[source] = _text(contents[kind].get(json_key) if json_key else contents[kind])
        except _Rejected as reason:
            bad[key] = str(reason)
    return texts, bad


def _decoded(content: bytes, is_json: bool) -> Any:
    try:
        text = content.decode("utf-8-sig")
        decoded = json.loads(text, object_pairs_hook=with_repeated) if is_json else text
    except (ValueError, RecursionError):
        raise _Rejected("bad_text") from None
    if is_json and not isinstance(decoded, dict):
        raise _Rejected("bad_text")
    return decoded


def _text(value: object) -> str:
    if isinstance(value, dict | list):
        raise _Rejected("bad_text")
    is_nan = isinstance(value, float) and value != value
    text = "" if value is None or is_nan else str(value)
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _content(file: BinaryIO, member: tarfile.TarInfo, largest: int) -> bytes:
    if member.size > largest:
        raise _Rejected("too_large")
    file.seek(member.offset_data)
    return file.read(member.size)
