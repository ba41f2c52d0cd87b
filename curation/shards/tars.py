"""WebDataset tars: equal samples are written as equal bytes, and every header read is checked.

A sample is two members, ``<image_id>.jpg`` and ``<image_id>.json``, in this order; samples are
sorted by id. Every header is plain ustar with mode 0644 and without times or owners, so a shard
depends on its samples alone. The keys are hexadecimal digests: readers of WebDataset would merge
two samples whose keys have a dot, and a key with a slash could be unpacked into another folder.
"""

from __future__ import annotations

import json
import mmap
import re
import struct
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from curation.runs.durable import write_text
from labeling.errors import InputError

MEMBER_NAME = re.compile(r"([0-9a-f]{32})\.(jpg|json)")
"""Pattern of a member's whole name, when written and when read."""

_BLOCK = 512
_END = bytes(2 * _BLOCK)
_FILE_TYPES = (tarfile.REGTYPE, tarfile.AREGTYPE)
# Name, size, checksum and type of a member, and the first byte of the prefix of a long name.
_HEADER = struct.Struct("100s24x12s12x8sc188xB166x")
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Sample:
    """One training sample: the image as JPEG and its facts as JSON."""

    image_id: str
    jpeg: bytes
    json: Mapping[str, Any]


@dataclass(frozen=True)
class ShardInfo:
    """One shard that was written: its file name, its samples and its size in bytes."""

    name: str
    n_samples: int
    n_bytes: int


class SampleSpan(NamedTuple):
    """Position of a sample in its shard: the bytes of its two members."""

    key: str
    jpeg: slice
    json: slice


class _Member(NamedTuple):
    name: str
    span: slice


def write_shards(
    samples: Iterable[Sample], out_dir: Path, prefix: str, shard_bytes: int
) -> list[ShardInfo]:
    """Write samples as ``<prefix>-000000.tar``, ``<prefix>-000001.tar``, … and return the list.

    Parameters
    ----------
    samples
        In ascending order of `Sample.image_id`; held in memory one at a time.
    out_dir
        An existing folder.
    prefix
        Beginning of the file names.
    shard_bytes
        Largest size of a shard in bytes; a single larger sample is a shard of its own.

    Raises
    ------
    InputError
        If an id is not 32 hexadecimal digits, occurs twice or is out of order.
    """
    shards: list[ShardInfo] = []
    remaining = iter(samples)
    sample = next(remaining, None)
    last = ""
    while sample is not None:
        path = out_dir / f"{prefix}-{len(shards):06d}.tar"
        n_samples = 0
        with path.open("wb") as shard:
            while sample is not None:
                packed = _pack(sample, last)
                if n_samples and shard.tell() + len(packed) + len(_END) > shard_bytes:
                    break
                shard.write(packed)
                n_samples, last = n_samples + 1, sample.image_id
                sample = next(remaining, None)
            shard.write(_END)
            shards.append(ShardInfo(path.name, n_samples, shard.tell()))
    return shards


def write_index(shards: Sequence[ShardInfo], out_dir: Path) -> None:
    """Write ``sizes.json``: the number of samples of each shard, as WebDataset expects it."""
    sizes = {shard.name: shard.n_samples for shard in shards}
    write_text(out_dir / "sizes.json", json.dumps(sizes, indent=1, sort_keys=True) + "\n")


def map_shard(path: Path) -> mmap.mmap:
    """Return the bytes of a shard as a memory map.

    Raises
    ------
    InputError
        If there is no such file, or it is empty.
    """
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        # mmap raises ValueError for an empty file.
        raise _refused(path, f"cannot be opened: {error}") from error


def find_samples(data: mmap.mmap, path: Path) -> list[SampleSpan]:
    """Return the position of each sample, in the shard's order; only headers are read.

    Raises
    ------
    InputError
        If the shard is not a whole tar of samples that are one JPEG and then one JSON. The message
        names the shard and the key. Samples may be in any order.
    """
    members = _scan(data, path)
    samples: list[SampleSpan] = []
    for at in range(0, len(members), 2):
        key = members[at].name.partition(".")[0]
        pair = members[at : at + 2]
        if [member.name for member in pair] != [f"{key}.jpg", f"{key}.json"]:
            raise _refused(path, "holds a sample that is not one .jpg and then one .json", key)
        samples.append(SampleSpan(key, pair[0].span, pair[1].span))
    return samples


def parse_json(text: bytes, path: Path, key: str) -> dict[str, Any]:
    """Return the facts of a sample.

    Raises
    ------
    InputError
        If the text is not the JSON of an object. The message names the shard and the key.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _refused(path, f"holds a sample whose JSON cannot be read: {error}", key) from error
    if not isinstance(value, dict):
        raise _refused(path, "holds a sample whose JSON is not an object", key)
    return value


def _pack(sample: Sample, last: str) -> bytes:
    """Return both members of a sample as bytes of the tar."""
    if sample.image_id <= last:
        raise InputError(
            "the samples of a shard are not sorted by image, or one occurs twice",
            facts={"image": sample.image_id, "after": last},
        )
    text = json.dumps(
        sample.json, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    jpeg, facts = f"{sample.image_id}.jpg", f"{sample.image_id}.json"
    return _pack_member(jpeg, sample.jpeg) + _pack_member(facts, text.encode("utf-8"))


def _pack_member(name: str, content: bytes) -> bytes:
    if not MEMBER_NAME.fullmatch(name):
        raise InputError(
            "an image id may not become a file name",
            facts={"id": repr(name.rpartition(".")[0]), "expected": "32 hexadecimal digits"},
        )
    header = tarfile.TarInfo(name)
    header.size = len(content)
    padding = bytes(-len(content) % _BLOCK)
    return header.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict") + content + padding


def _scan(data: mmap.mmap, path: Path) -> list[_Member]:
    """Return the members of a whole tar."""
    if data[:2] == _GZIP:
        raise _refused(
            path, "is compressed with gzip; unpack it, the images are compressed already"
        )
    members: list[_Member] = []
    at, last = 0, None
    while (block := data[at : at + _BLOCK]) != _END[:_BLOCK]:
        if len(block) < _BLOCK:
            raise _refused(path, "is cut: the mark of its end is missing", last)
        member = _read_header(block, at, path, last)
        last = member.name
        if member.span.stop > len(data):
            raise _refused(path, "is cut in a member", last)
        members.append(member)
        at = member.span.stop + -member.span.stop % _BLOCK
    if data[at : at + len(_END)] != _END or data[at:].strip(b"\0"):
        raise _refused(path, "does not end with its two empty blocks", last)
    return members


def _read_header(block: bytes, at: int, path: Path, last: str | None) -> _Member:
    """Return the member whose header begins at a byte."""
    padded, size, checksum, kind, folder = _HEADER.unpack(block)
    try:
        n_bytes = int(size.rstrip(b" \0"), 8)
        # The checksum counts its own eight bytes as blanks (POSIX.1-1988, ustar).
        if int(checksum.rstrip(b" \0"), 8) != sum(block) - sum(checksum) + 8 * ord(" "):
            raise ValueError("its checksum is wrong")
    except ValueError as error:
        raise _refused(path, f"is not a tar, or damaged at byte {at:,}: {error}", last) from error
    name = padded.partition(b"\0")[0].decode("utf-8", "surrogateescape")
    if kind not in _FILE_TYPES or folder or n_bytes < 0 or not MEMBER_NAME.fullmatch(name):
        raise _refused(path, "holds a member that is not part of a sample", name)
    return _Member(name, slice(at + _BLOCK, at + _BLOCK + n_bytes))


def _refused(path: Path, what: str, key: str | None = None) -> InputError:
    facts: dict[str, object] = {"shard": path}
    if key is not None:
        facts["key"] = repr(key.partition(".")[0] if MEMBER_NAME.fullmatch(key) else key)
    return InputError(
        f"the shard {what}",
        facts=facts,
        help="fetch the file again, or make the shards again with `winnow export`",
    )
