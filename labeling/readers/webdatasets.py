"""WebDataset tars, such as img2dataset writes, to signals, placements and images."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa

from labeling.errors import InputError
from labeling.html.page import Text
from labeling.keys import ids
from labeling.readers.image_files import Located, host_of
from labeling.readers.page_rows import PageRows

IMAGE_ENDINGS = ("jpg", "jpeg", "png", "webp", "gif")
MAX_IMAGE_BYTES = 32 << 20
MAX_TEXT_BYTES = 1 << 20
SAMPLES_PER_BATCH = 2_000

_Members = Mapping[str, tarfile.TarInfo]
"""The members of a sample by the endings of their names."""


class _Rejected(Exception):
    """A sample that is rejected, with the reason as its message."""


def read_webdataset(
    path: Path, name: str, columns: Mapping[str, str]
) -> Iterator[tuple[str, pa.Table]]:
    """Read one tar, as a stream of samples: adjacent members that share a key.

    Parameters
    ----------
    path
        The tar, uncompressed.
    name
        Its path below the data folder, for the images' locations: ``<name>#<offset>+<length>``.
    columns
        Labeling source to the place of its text: the ending of a member (``txt``), or a key of a
        JSON member (``json.title``). ``page`` (URL or any name; else each sample is a page of its
        own) and ``lang`` are not sources.

    Yields
    ------
    name, table
        Tables of `labeling.schemas` by name, in batches: images, signals, placements and rejects.
        A sample without an image (``no_image``), without a member that `columns` names
        (``incomplete_sample``), with a member above the size limits (``too_large``) or with a text
        that is not UTF-8 or JSON (``bad_text``) is a reject.

    Raises
    ------
    InputError
        If the file is not a tar, or truncated or damaged.
    """
    rows = PageRows()
    try:
        with tarfile.open(path, "r:") as tar:
            for number, (key, group) in enumerate(groupby(_members(tar), _key_of), 1):
                members = {_ending_of(member): member for member in group}
                try:
                    _add_sample(rows, tar, members, f"{name}#{key}", name, columns)
                except _Rejected as reason:
                    rows.reject(f"{name}#{key}"[:300], str(reason), ", ".join(members))
                if number % SAMPLES_PER_BATCH == 0:
                    yield from rows.tables()
            yield from rows.tables()
    except (tarfile.TarError, OSError, EOFError) as error:
        raise InputError(
            "a WebDataset tar is truncated, damaged or compressed",
            facts={"file": path, "cause": error},
            help="create the tar again, or remove it from the folder",
        ) from error


def _members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for member in tar:
        tar.members = []  # type: ignore[attr-defined]  # else it remembers every one
        if member.isreg() and not member.issparse():
            yield member


def _key_of(member: tarfile.TarInfo) -> str:
    folder, slash, name = member.name.rpartition("/")
    return folder + slash + name.partition(".")[0]


def _ending_of(member: tarfile.TarInfo) -> str:
    return member.name.rpartition("/")[2].partition(".")[2].lower()


def _add_sample(
    rows: PageRows,
    tar: tarfile.TarFile,
    members: _Members,
    where: str,
    name: str,
    columns: Mapping[str, str],
) -> None:
    image = next((members[e] for e in IMAGE_ENDINGS if e in members), None)
    if image is None:
        raise _Rejected("no_image")
    texts = _texts(tar, members, columns)
    page = texts.pop("page", "") or where
    lang = texts.pop("lang", "") or None
    image_id = ids.digest(_content(tar, image, MAX_IMAGE_BYTES))
    located = Located(image_id, f"{name}#{image.offset_data}+{image.size}", image.size)
    named = [Text(source, text) for source, text in texts.items() if text]
    rows.add_image(located, (ids.digest(page), host_of(page)), named, lang)


def _texts(tar: tarfile.TarFile, members: _Members, columns: Mapping[str, str]) -> dict[str, str]:
    contents: dict[str, Any] = {}
    texts = {}
    for source, key in columns.items():
        ending, _, json_key = key.partition(".")
        if ending not in members:
            raise _Rejected("incomplete_sample")
        if ending not in contents:
            contents[ending] = _decoded(_content(tar, members[ending], MAX_TEXT_BYTES), json_key)
        text = contents[ending].get(json_key) if json_key else contents[ending]
        texts[source] = "" if text is None else str(text)
        if not texts[source].isascii():
            texts[source] = texts[source].encode("utf-8", "replace").decode("utf-8")
    return texts


def _decoded(content: bytes, json_key: str) -> Any:
    try:
        text = content.decode("utf-8-sig")
        decoded = json.loads(text) if json_key else text
    except (ValueError, RecursionError):
        raise _Rejected("bad_text") from None
    if json_key and not isinstance(decoded, dict):
        raise _Rejected("bad_text")
    return decoded


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo, largest: int) -> bytes:
    if member.size > largest:
        raise _Rejected("too_large")
    file = tar.extractfile(member)
    content = b"" if file is None else file.read()
    if len(content) != member.size:
        raise tarfile.ReadError(f"member {member.name!r} is cut")
    return content
