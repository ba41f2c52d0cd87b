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
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from curation.manifest import write_text
from labeling.errors import InputError

MEMBER_NAME = re.compile(r"([0-9a-f]{32})\.(jpg|json)")
"""What the whole name of a member must match, when written and when read."""

_BLOCK = 512
_END = bytes(2 * _BLOCK)
_FILE_TYPES = (tarfile.REGTYPE, tarfile.AREGTYPE)
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


class _Member(NamedTuple):
    name: str
    start: int
    stop: int


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
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            members = _scan(data, path)
            _check_samples([member.name for member in members], path)
            for jpeg, note in zip(members[::2], members[1::2], strict=True):
                key = jpeg.name.partition(".")[0]
                known = _parse(data[note.start : note.stop], path, key)
                yield Sample(key, data[jpeg.start : jpeg.stop], known)
    except (OSError, ValueError) as error:
        # An empty file cannot be mapped: that is the ValueError.
        raise _refused(path, f"cannot be opened: {error}") from error


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
    while data[at : at + _BLOCK] != _END[:_BLOCK]:
        member = _read_header(data, at, path, last)
        members.append(member)
        last = member.name
        at = member.stop + -member.stop % _BLOCK
    if data[at : at + len(_END)] != _END or data[at:].strip(b"\0"):
        raise _refused(path, "does not end where its end is marked", last)
    return members


def _read_header(data: mmap.mmap, at: int, path: Path, last: str | None) -> _Member:
    if at + _BLOCK > len(data):
        raise _refused(path, "is cut: the mark of its end is missing", last)
    try:
        header = tarfile.TarInfo.frombuf(data[at : at + _BLOCK], "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise _refused(path, f"is not a tar, or damaged at byte {at:,}: {error}", last) from error
    if header.type not in _FILE_TYPES or not MEMBER_NAME.fullmatch(header.name):
        raise _refused(path, "holds a member that is no sample's", header.name)
    start = at + _BLOCK
    if header.size < 0 or start + header.size > len(data):
        raise _refused(path, "is cut in a member", header.name)
    return _Member(header.name, start, start + header.size)


def _check_samples(names: Sequence[str], path: Path) -> None:
    last = ""
    for at in range(0, len(names), 2):
        key = names[at].partition(".")[0]
        if names[at : at + 2] != [f"{key}.jpg", f"{key}.json"]:
            raise _refused(path, "holds a sample that is not one .jpg and then one .json", key)
        if key <= last:
            raise _refused(path, "holds a sample twice, or out of order", key)
        last = key


def _parse(text: bytes, path: Path, key: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _refused(path, f"holds a sample whose JSON cannot be read: {error}", key) from error
    if not isinstance(value, dict):
        raise _refused(path, "holds a sample whose JSON is not an object", key)
    return value


def _refused(path: Path, what: str, key: str | None = None) -> InputError:
    facts: dict[str, object] = {"shard": path}
    if key is not None:
        facts["key"] = repr(key.partition(".")[0] if MEMBER_NAME.fullmatch(key) else key)
    return InputError(
        f"the shard {what}",
        facts=facts,
        help="fetch the file again, or make the shards again with `winnow export`",
    )
