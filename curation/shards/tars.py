"""WebDataset tars that are the same bytes for the same samples, and a reader that believes nothing.

A sample is two members, ``<image_id>.jpg`` and ``<image_id>.json``, in this order; samples are
sorted by id. Every header is plain ustar with mode 0644 and without times, owners or names of
owners, so a shard depends on nothing but its samples. The keys are hexadecimal digests: a key
with a dot would merge two samples in readers of WebDataset, one with a slash would leave the
folder where the tar is unpacked.
"""

from __future__ import annotations

import json
import mmap
import re
import struct
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from curation.runs.durable import write_text
from labeling.errors import InputError

MEMBER_NAME = re.compile(r"([0-9a-f]{32})\.(jpg|json)")
"""What the whole name of a member must match, when written and when read."""

_BLOCK = 512
_END = bytes(2 * _BLOCK)
_FILE_TYPES = (tarfile.REGTYPE, tarfile.AREGTYPE)
# Name, size, checksum and type of a member, and the first byte of the folder of a long name.
_HEADER = struct.Struct("100s24x12s12x8sc188xB166x")
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Sample:
    """One training sample: the image as JPEG and what is known about it as JSON."""

    image_id: str
    jpeg: bytes
    json: Mapping[str, Any]


@dataclass(frozen=True)
class ShardInfo:
    """One shard that was written: its file name, its samples and its size in bytes."""

    name: str
    n_samples: int
    n_bytes: int


class Place(NamedTuple):
    """Where a sample stands in its shard: the bytes of its two members."""

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
        Size that no shard passes, unless it holds one sample only.

    Raises
    ------
    InputError
        If an id is not 32 hexadecimal digits, stands twice or is out of order.
    """
    shards: list[ShardInfo] = []
    waiting = iter(samples)
    sample = next(waiting, None)
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
                sample = next(waiting, None)
            shard.write(_END)
            shards.append(ShardInfo(path.name, n_samples, shard.tell()))
    return shards


def write_index(shards: Sequence[ShardInfo], out_dir: Path) -> None:
    """Write ``sizes.json``: how many samples each shard holds, as readers of WebDataset expect."""
    sizes = {shard.name: shard.n_samples for shard in shards}
    write_text(out_dir / "sizes.json", json.dumps(sizes, indent=1, sort_keys=True) + "\n")


def read_shard(path: Path) -> Iterator[Sample]:
    """Yield the samples of one shard, after checking the structure of the whole of it.

    Raises
    ------
    InputError
        Before the first sample, if the shard is not a whole tar of sorted two-member samples: cut,
        compressed, with a member missing, repeated, out of order or of a foreign name. Later, at
        its sample, for JSON that cannot be read. The message names the shard and the key.
    """
    with map_shard(path) as data:
        places = find_samples(data, path)
        _check_order(places, path)
        for place in places:
            known = parse_json(data[place.json], path, place.key)
            yield Sample(place.key, data[place.jpeg], known)


def map_shard(path: Path) -> mmap.mmap:
    """Return the bytes of a shard as a memory map.

    Raises
    ------
    InputError
        If there is no such file, or nothing in it.
    """
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        # An empty file cannot be mapped: that is the ValueError.
        raise _refused(path, f"cannot be opened: {error}") from error


def find_samples(data: mmap.mmap, path: Path) -> list[Place]:
    """Return where each sample of a shard stands, in the shard's order; only headers are read.

    Raises
    ------
    InputError
        If the shard is not a whole tar, or not of samples of one JPEG and then one JSON. The
        message names the shard and the key. Samples may be in any order.
    """
    members = _scan(data, path)
    places: list[Place] = []
    for at in range(0, len(members), 2):
        key = members[at].name.partition(".")[0]
        pair = members[at : at + 2]
        if [member.name for member in pair] != [f"{key}.jpg", f"{key}.json"]:
            raise _refused(path, "holds a sample that is not one .jpg and then one .json", key)
        places.append(Place(key, pair[0].span, pair[1].span))
    return places


def parse_json(text: bytes, path: Path, key: str) -> dict[str, Any]:
    """Return what is known of a sample.

    Raises
    ------
    InputError
        If this is not the JSON of an object. The message names the shard and the key.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _refused(path, f"holds a sample whose JSON cannot be read: {error}", key) from error
    if not isinstance(value, dict):
        raise _refused(path, "holds a sample whose JSON is not an object", key)
    return value


def _pack(sample: Sample, last: str) -> bytes:
    """Return both members of a sample as they stand in the tar."""
    if sample.image_id <= last:
        raise InputError(
            "the samples of a shard are not sorted by image, or one stands twice",
            facts={"image": sample.image_id, "after": last},
        )
    text = json.dumps(
        sample.json, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    jpeg, note = f"{sample.image_id}.jpg", f"{sample.image_id}.json"
    return _pack_member(jpeg, sample.jpeg) + _pack_member(note, text.encode("utf-8"))


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
    """Return the members of a tar, or raise unless it is whole."""
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
        raise _refused(path, "does not end where its end is marked", last)
    return members


def _read_header(block: bytes, at: int, path: Path, last: str | None) -> _Member:
    """Return the member whose header stands at a byte."""
    padded, size, checksum, kind, folder = _HEADER.unpack(block)
    try:
        n_bytes = int(size.rstrip(b" \0"), 8)
        # The checksum counts its own eight bytes as blanks.
        if int(checksum.rstrip(b" \0"), 8) != sum(block) - sum(checksum) + 8 * ord(" "):
            raise ValueError("its checksum is wrong")
    except ValueError as error:
        raise _refused(path, f"is not a tar, or damaged at byte {at:,}: {error}", last) from error
    name = padded.partition(b"\0")[0].decode("utf-8", "surrogateescape")
    if kind not in _FILE_TYPES or folder or n_bytes < 0 or not MEMBER_NAME.fullmatch(name):
        raise _refused(path, "holds a member that is no sample's", name)
    return _Member(name, slice(at + _BLOCK, at + _BLOCK + n_bytes))


def _check_order(places: Sequence[Place], path: Path) -> None:
    last = ""
    for place in places:
        if place.key <= last:
            raise _refused(path, "holds a sample twice, or out of order", place.key)
        last = place.key


def _refused(path: Path, what: str, key: str | None = None) -> InputError:
    facts: dict[str, object] = {"shard": path}
    if key is not None:
        facts["key"] = repr(key.partition(".")[0] if MEMBER_NAME.fullmatch(key) else key)
    return InputError(
        f"the shard {what}",
        facts=facts,
        help="fetch the file again, or make the shards again with `winnow export`",
    )
