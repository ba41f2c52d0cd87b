"""Markers of finished work, so that a rerun does only what is missing.

Everything is in the shuffle's work folder, in files that are whole or absent (see
`pipelines.shuffle.storage`)::

    work/job.json               what is to be done: a digest of it, and how many splits and buckets
    work/begun.json             a worker has begun
    work/concluded.json         a worker has added what follows from the whole output
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

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from curation.runs.sealed import seal, unseal
from labeling.errors import StoreError
from pipelines.shuffle import storage

SHARED = "shared"
"""File in a stage's scratch folder with the path of the shared one, for `winnow status`."""


class File(NamedTuple):
    """One file of a marker."""

    name: str
    n_bytes: int
    sha256: str


class Marker(NamedTuple):
    """Finished work: its files, rows by table, and what else the writer has to record."""

    files: tuple[File, ...]
    n_rows: Mapping[str, int]
    facts: Mapping[str, Any]


def split_marker(work_dir: str, split_id: str) -> str:
    """Return the path of a split's marker."""
    return storage.join(work_dir, "splits", f"{split_id}.json")


def bucket_marker(work_dir: str, bucket: int) -> str:
    """Return the path of a bucket's marker."""
    return storage.join(work_dir, "buckets", f"{bucket:05d}.json")


def write_marker(path: str, marker: Marker, partial_dir: str) -> None:
    """Write a marker, after its files."""
    write_json(path, marker._asdict(), partial_dir)


def write_json(path: str, content: Mapping[str, Any], partial_dir: str) -> None:
    """Write a small file of JSON with its digest."""
    with storage.writing(path, partial_dir) as writer:
        writer.write(seal(content).encode())


def read_marker(path: str, folder: str) -> Marker | None:
    """Return a marker if it exists and all its files in `folder` have their size and digest."""
    marker = _parse(path)
    if marker is None:
        return None
    for file in marker.files:
        written = storage.join(folder, file.name)
        if storage.size(written) != file.n_bytes or storage.sha256(written) != file.sha256:
            return None
    return marker


def read_json(path: str) -> Any:
    """Return the content of a file of JSON, or None where it is missing or damaged."""
    if storage.size(path) is None:
        return None
    try:
        return unseal(storage.read(path).decode())
    except ValueError:
        return None


def finished(work_dir: str, kind: str) -> list[str]:
    """Return the markers of finished ``splits`` or ``buckets``: files that are whole or absent."""
    folder = storage.join(work_dir, kind)
    names = storage.list_names(folder)
    return [storage.join(folder, name) for name in names if name.endswith(".json")]


def count_rows(work_dir: str, kind: str, known: Mapping[str, int] | None = None) -> dict[str, int]:
    """Return the rows of each finished split or bucket by its marker.

    Markers in `known`, from an earlier call, are not read again.
    """
    rows = dict(known or {})
    for path in finished(work_dir, kind):
        if path not in rows and (marker := _parse(path)) is not None:
            rows[path] = sum(marker.n_rows.values())
    return rows


def output_files(work_dir: str) -> list[File]:
    """Return the files that the finished buckets wrote."""
    markers = map(_parse, finished(work_dir, "buckets"))
    return [file for marker in markers if marker for file in marker.files]


def bytes_needed(work_dir: str) -> int:
    """Return about how many more bytes the shuffle will write; 0 before the first split."""
    job = read_json(storage.join(work_dir, "job.json"))
    n_splits, n_buckets = (len(finished(work_dir, kind)) for kind in ("splits", "buckets"))
    if job is None or not n_splits:
        return 0
    folder = storage.join(work_dir, "segments")
    names = storage.list_names(folder)
    segments = sum(storage.size(storage.join(folder, name)) or 0 for name in names)
    all_segments = segments * int(job["n_splits"]) // n_splits
    if not n_buckets:
        return 2 * all_segments - segments  # the output is about as large as the segments
    written = sum(file.n_bytes for file in output_files(work_dir))
    missing = written * (int(job["n_buckets"]) - n_buckets) // n_buckets
    return missing + all_segments - segments


def begin_job(work_dir: str, job: Mapping[str, Any]) -> None:
    """Prepare the work folder for a job: files of another job are removed."""
    if not is_job(work_dir, job):
        storage.remove(work_dir)
        write_json(storage.join(work_dir, "job.json"), job, storage.join(work_dir, "partial"))
    forget_attempt(work_dir)


def forget_attempt(work_dir: str) -> None:
    """Remove what an attempt leaves besides finished splits and buckets."""
    for name in ("errors", "partial", "begun.json", "concluded.json", "done.json"):
        storage.remove(storage.join(work_dir, name))


def is_job(work_dir: str, job: Mapping[str, Any]) -> bool:
    """Return whether a job has begun, and no other in its place."""
    return bool(read_json(storage.join(work_dir, "job.json")) == job)


def conclude(work_dir: str) -> None:
    """Record that what follows from the whole output is there, beside it."""
    path = storage.join(work_dir, "concluded.json")
    write_json(path, {}, storage.join(work_dir, "partial"))


def is_concluded(work_dir: str) -> bool:
    """Return whether what follows from the whole output is there."""
    return storage.size(storage.join(work_dir, "concluded.json")) is not None


def is_begun(work_dir: str) -> bool:
    """Return whether a job has begun: it is known what is to be done."""
    return storage.size(storage.join(work_dir, "job.json")) is not None


def n_splits(work_dir: str) -> int:
    """Return the number of splits of a job that has begun."""
    return int(read_json(storage.join(work_dir, "job.json"))["n_splits"])


def begin_work(work_dir: str) -> None:
    """Record that a worker has begun: nothing depends on it but what is printed."""
    with suppress(OSError, StoreError):
        if not has_worker(work_dir):
            path = storage.join(work_dir, "begun.json")
            write_json(path, {}, storage.join(work_dir, "partial"))


def has_worker(work_dir: str) -> bool:
    """Return whether a worker has begun."""
    return storage.size(storage.join(work_dir, "begun.json")) is not None


def is_job_done(work_dir: str, out_dir: str, job: Mapping[str, Any]) -> bool:
    """Return whether a job was finished, and every file of its output is unchanged."""
    if not is_job(work_dir, job):
        return False
    if storage.size(storage.join(work_dir, "done.json")) is None:
        return False
    buckets = range(int(job["n_buckets"])) if job["n_splits"] else ()
    return all(read_marker(bucket_marker(work_dir, b), out_dir) is not None for b in buckets)


def finish_job(work_dir: str) -> None:
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
