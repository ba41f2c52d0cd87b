"""Markers: which work of a shuffle is done, so that a rerun goes on behind it.

Everything is in the shuffle's work folder, in files that are whole or absent (see
`pipelines.shuffle.storage`)::

    work/job.json               what is to be done: a digest of it, and how many splits and buckets
    work/splits/<split>.json    a finished split: its segment, and the rows of each table
    work/segments/<split>       the segment; all are deleted when the last bucket is done
    work/buckets/<bucket>.json  a finished bucket: its output files, which are in the output folder
    work/errors/….json          errors met by this attempt
    work/done.json              all is done

A marker is JSON and lists files with their name, size and sha256, and counts rows by table. It is
written after its files are durable; one whose files are missing or differ does not count, and the
work is done again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from pipelines.shuffle import storage

SHARED = "shared"
"""File in a stage's scratch folder that names the shared one, for those who look from outside."""


class File(NamedTuple):
    """One file of a marker."""

    name: str
    n_bytes: int
    sha256: str


class Marker(NamedTuple):
    """Finished work: its files, rows by table, and what else there is to say."""

    files: tuple[File, ...]
    n_rows: Mapping[str, int]
    facts: Mapping[str, Any]


class Finished(NamedTuple):
    """How far a shuffle is. Rows are those of the finished splits, and of the finished buckets."""

    n_splits: int
    n_buckets: int
    splits: int
    buckets: int
    rows_read: int
    rows_written: int
    is_done: bool


def split_marker(work_dir: str, split_id: str) -> str:
    """Return the path of a split's marker."""
    return storage.join(work_dir, "splits", f"{split_id}.json")


def bucket_marker(work_dir: str, bucket: int) -> str:
    """Return the path of a bucket's marker."""
    return storage.join(work_dir, "buckets", f"{bucket:05d}.json")


def write_marker(path: str, marker: Marker, partial_dir: str) -> None:
    """Write a marker, after its files."""
    write_json(path, marker._asdict(), partial_dir)


def write_json(path: str, content: Any, partial_dir: str) -> None:
    """Write a small file of JSON."""
    with storage.writing(path, partial_dir) as writer:
        writer.write(json.dumps(content).encode())


def read_marker(path: str, folder: str) -> Marker | None:
    """Return a marker if it is there and all its files in `folder` are as it says."""
    marker = _parse(path)
    if marker is None:
        return None
    for file in marker.files:
        found = storage.join(folder, file.name)
        if storage.size(found) != file.n_bytes or storage.sha256(found) != file.sha256:
            return None
    return marker


def read_json(path: str) -> Any:
    """Return what a file of JSON holds, or None where it is missing or damaged."""
    if storage.size(path) is None:
        return None
    try:
        return json.loads(storage.read(path))
    except ValueError:
        return None


def finished(work_dir: str) -> Finished | None:
    """Return how far the shuffle of a work folder is, or None where it has not begun.

    Goes by the markers alone, without looking at their files.
    """
    job = read_json(storage.join(work_dir, "job.json"))
    if job is None:
        return None
    splits = found(work_dir, "splits")
    buckets = found(work_dir, "buckets")
    return Finished(
        job["n_splits"],
        job["n_buckets"],
        len(splits),
        len(buckets),
        sum(splits.values()),
        sum(buckets.values()),
        storage.size(storage.join(work_dir, "done.json")) is not None,
    )


def found(work_dir: str, kind: str, known: Mapping[str, int] | None = None) -> dict[str, int]:
    """Return the rows of each finished split or bucket by its marker's name.

    Markers in `known`, from an earlier call, are not read again.
    """
    folder = storage.join(work_dir, kind)
    rows = {}
    for name in storage.names(folder):
        if known is not None and name in known:
            rows[name] = known[name]
        elif name.endswith(".json"):
            marker = _parse(storage.join(folder, name))
            if marker is not None:
                rows[name] = sum(marker.n_rows.values())
    return rows


def needed(work_dir: str) -> int:
    """Return about how many more bytes the shuffle will write, by what is there; 0: unknown."""
    done = finished(work_dir)
    if done is None or not done.splits:
        return 0
    folder = storage.join(work_dir, "segments")
    segments = sum(storage.size(storage.join(folder, name)) or 0 for name in storage.names(folder))
    all_segments = segments * done.n_splits // done.splits
    if not done.buckets:
        return 2 * all_segments - segments
    folder = storage.join(work_dir, "buckets")
    markers = [_parse(storage.join(folder, name)) for name in storage.names(folder)]
    written = sum(file.n_bytes for marker in markers if marker for file in marker.files)
    missing = written * (done.n_buckets - done.buckets) // done.buckets
    return missing + all_segments - segments


def begin(work_dir: str, job: Mapping[str, Any]) -> None:
    """Make the work folder ready for a job: what is left of another one is removed."""
    if read_json(storage.join(work_dir, "job.json")) != job:
        storage.remove(work_dir)
        write_json(storage.join(work_dir, "job.json"), job, storage.join(work_dir, "partial"))
    for name in ("errors", "partial", "done.json"):
        storage.remove(storage.join(work_dir, name))


def is_done(work_dir: str, out_dir: str, job: Mapping[str, Any]) -> bool:
    """Tell whether a job was finished, and every file of its output is still as it was."""
    if read_json(storage.join(work_dir, "job.json")) != job:
        return False
    if storage.size(storage.join(work_dir, "done.json")) is None:
        return False
    buckets = range(int(job["n_buckets"])) if job["n_splits"] else ()
    return all(read_marker(bucket_marker(work_dir, b), out_dir) is not None for b in buckets)


def conclude(work_dir: str) -> None:
    """Mark a job as done, and delete its segments."""
    partial_dir = storage.join(work_dir, "partial")
    write_json(storage.join(work_dir, "done.json"), {}, partial_dir)
    for name in ("segments", "partial"):
        storage.remove(storage.join(work_dir, name))


def _parse(path: str) -> Marker | None:
    content = read_json(path)
    try:
        files = tuple(File(*file) for file in content["files"])
        return Marker(files, content["n_rows"], content["facts"])
    except (KeyError, TypeError):
        return None
