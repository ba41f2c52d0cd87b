"""The run folder: how every stage's output is committed, described and opened.

A run folder holds one folder a stage; each output of a stage is a folder of its own, named by the
fingerprint of what it was made from, and ``CURRENT`` names the one in force with the
sha256 of its manifest::

    run/candidates/CURRENT                    3f2a9c1b04de 5e1f…
    run/candidates/3f2a9c1b04de/manifest.json
    run/candidates/3f2a9c1b04de/part-00000-of-00002.parquet

`staged` writes an output: into ``run/.staging`` first, then fsync, digests, manifest, a read-back,
one rename, and last the pointer. A reader starts from ``CURRENT``, goes by the manifest and opens
only files that the manifest lists, so it sees the whole old output or the whole new one.
Nothing is ever deleted but from ``.staging``, where long work leaves what it has finished until a
rerun has come to its end.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import re
import resource
import shutil
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from curation.runs.code import code_version
from labeling.errors import BusyError, InputError, IntegrityError
from labeling.frames.notebook import MAX_ROWS, html_table
from labeling.schemas import TableSchema, check

MADE_BY = {
    "signals": "label",
    "candidates": "label",
    "audits": "audit sample",
    "scored": "select",
    "selected": "select",
    "shards": "export",
    "model": "train",
    "evaluation": "evaluate",
}
"""The command that makes each stage, for messages (label sets add a suffix: ``shards-all``)."""


@dataclass(frozen=True)
class Stage:
    """One committed output of a stage, opened through its manifest."""

    name: str
    dir: Path
    manifest: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"<Stage {self.name} {self.fingerprint} of {len(self.manifest['files'])} files>"

    def _repr_html_(self) -> str:
        kinds = ("counts", "facts", "config", "inputs")
        rows = [(kind, *item) for kind in kinds for item in self.manifest.get(kind, {}).items()]
        return html_table(repr(self)[1:-1], ("", "name", "value"), rows[:MAX_ROWS])

    @property
    def fingerprint(self) -> str:
        """Digest of the inputs, settings and code that the output was made from."""
        return str(self.manifest["fingerprint"])

    @property
    def content(self) -> str:
        """Digest of the files: what later stages record, so that equal files stay valid inputs."""
        digests = "".join(f"{f['name']} {f['sha256']}\n" for f in self.manifest["files"])
        return hashlib.sha256(digests.encode()).hexdigest()[:12]

    @property
    def counts(self) -> Mapping[str, Any]:
        """The counts that the stage recorded."""
        counts: Mapping[str, Any] = self.manifest["counts"]
        return counts

    def paths(self, suffix: str = "", prefix: str = "") -> list[Path]:
        """Return the listed files with this ending and beginning, in the manifest's order."""
        names = [f["name"] for f in self.manifest["files"]]
        return [self.dir / n for n in names if n.endswith(suffix) and n.startswith(prefix)]

    def table_paths(self, schema: TableSchema) -> list[Path]:
        """Return the files of one table, one at least, in the manifest's order.

        They are named ``<table>-….parquet`` or, where the stage holds one table only and its
        columns are those of the schema, ``part-….parquet``.

        Raises
        ------
        InputError
            If the stage does not hold the table.
        """
        paths = self.paths(".parquet", f"{schema.name}-")
        if not paths:
            paths = [p for p in self.paths(".parquet", "part-") if _has_columns(p, schema)]
        if not paths:
            names = [path.name.split("-", 1)[0] for path in self.paths(".parquet")]
            raise InputError(
                f"the stage {self.name} holds no table {schema.name}",
                facts={"stage": self.dir, "tables": ", ".join(dict.fromkeys(names)) or "none"},
                help="open the stage that holds it: `winnow inspect RUN` lists all tables",
            )
        return paths

    def table(self, schema: TableSchema, columns: list[str] | None = None) -> pa.Table:
        """Return the whole of one table of the stage, checked against its schema.

        Raises
        ------
        InputError
            If the stage does not hold the table, or holds other rows than the schema allows.
        """
        paths = self.table_paths(schema)
        tables = [pq.read_table(p, columns=columns, schema=schema.arrow) for p in paths]
        table = pa.concat_tables(tables)
        if columns is None:
            check(table, schema, where=str(self.dir))
        return table


@dataclass
class Staging:
    """An output that is being written: put files into `dir`, and counts into `counts`.

    Where `counts` holds ``in``, it must equal ``out`` plus the sum of ``dropped`` by reason, and
    ``out`` must not be 0 unless ``in`` is.
    `scratch` is for what is thrown away at the end; the one who needs it makes it.
    """

    dir: Path
    scratch: Path
    counts: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


def fingerprint(stage: str, inputs: Mapping[str, str], config: Mapping[str, Any]) -> str:
    """Return 12 hexadecimal digits that change with the inputs, the settings or the code."""
    parts = [stage, dict(sorted(inputs.items())), config, code_version(stage)]
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def current(run_dir: Path, stage: str) -> Stage | None:
    """Return the stage's output in force, or None where there is none yet.

    Raises
    ------
    IntegrityError
        If the pointer or the manifest is damaged.
    """
    pointer = run_dir / stage / "CURRENT"
    if not pointer.is_file():
        return None
    name, _, digest = pointer.read_text(encoding="utf-8", errors="replace").strip().partition(" ")
    directory = run_dir / stage / name
    manifest = directory / "manifest.json"
    found = file_digest(manifest) if manifest.is_file() else "nothing"
    if found != digest:
        raise IntegrityError(
            "the manifest of a stage differs from what was committed",
            facts={"file": manifest, "expected": digest, "found": found},
            help="restore the file, or make the stage again in a new run folder",
        )
    return Stage(stage, directory, _read_manifest(directory))


def open_stage(run_dir: Path, stage: str) -> Stage:
    """Return the stage's output in force, after comparing every file with its digest.

    Raises
    ------
    InputError
        If the stage has no output, or its output was made from inputs that are no longer in force.
    IntegrityError
        If a file is missing or differs from the manifest.
    """
    found = current(run_dir, stage)
    command = MADE_BY.get(stage.split("-")[0], stage)
    if found is None:
        raise InputError(
            f"the run has no {stage} yet",
            facts={"run": run_dir},
            help=f"make them with `winnow {command}`",
        )
    source = outdated_by(run_dir, found)
    if source is not None:
        raise InputError(
            f"the {stage} of this run were made from other {source.name}",
            facts={
                "made from": found.manifest["inputs"][source.name],
                "now in force": source.content,
            },
            help=f"make them again with `winnow {command}`",
        )
    verify(found)
    return found


def outdated_by(run_dir: Path, stage: Stage) -> Stage | None:
    """Return a stage whose output in force is not the one that `stage` was made from, if any."""
    for name, made_from in stage.manifest["inputs"].items():
        source = current(run_dir, name)
        if source is not None and source.content != made_from:
            return source
    return None


def verify(stage: Stage) -> None:
    """Raise `IntegrityError` unless every file of the stage is as its manifest says."""
    for entry in stage.manifest["files"]:
        path = stage.dir / entry["name"]
        found = file_digest(path) if path.is_file() else "nothing"
        if found != entry["sha256"]:
            raise IntegrityError(
                "a file differs from its manifest",
                facts={"file": path, "expected": entry["sha256"], "found": found},
                help="restore the file, or make the stage again in a new run folder",
            )


def reuse(
    run_dir: Path, stage: str, *, inputs: Mapping[str, str], config: Mapping[str, Any]
) -> Stage | None:
    """Put an earlier output of the same inputs, settings and code in force, if there is one."""
    target = run_dir / stage / fingerprint(stage, inputs, config)
    if not target.is_dir() or not _is_whole(target):
        return None
    found = current(run_dir, stage)
    if found is None or found.dir != target:
        _point_to(target)
    for left in _left_behind(run_dir / ".staging", stage):  # by one that died after its commit
        shutil.rmtree(left, ignore_errors=True)
    return Stage(stage, target, _read_manifest(target))


@contextmanager
def staged(
    run_dir: Path,
    stage: str,
    *,
    inputs: Mapping[str, str],
    config: Mapping[str, Any],
    seed: int = 0,
    resume: bool = False,
) -> Iterator[Staging]:
    """Write one output of a stage so that it is committed whole or not at all.

    Parameters
    ----------
    run_dir
        The run folder.
    stage
        Name of the stage, a key of `MADE_BY` with an optional ``-suffix``.
    inputs
        `Stage.content` of each stage, and digest of each file, that the output is made from.
    config
        The settings that the output depends on.
    seed
        Seed of whatever was random.
    resume
        Whether the block goes on with what an attempt before it, which did not come to its end,
        has left in both folders.

    Yields
    ------
    Staging
        Its folder is committed when the block ends without an error. After an error it is removed,
        or, where the block resumes, left with its scratch for the next attempt. What attempts with
        other inputs, settings or code have left of this stage is removed first.
    """
    print_id = fingerprint(stage, inputs, config)
    staging = run_dir / ".staging"
    work = Staging(staging / f"{stage}-{print_id}", staging / f"{stage}-{print_id}.work")
    keep = {work.dir, work.scratch} if resume else set()
    for left in _left_behind(staging, stage) - keep:
        shutil.rmtree(left, ignore_errors=True)
    started, clock = time.time(), time.perf_counter()
    try:
        work.dir.mkdir(parents=True, exist_ok=resume)
        for unfinished in work.dir.glob("*manifest.json*"):
            unfinished.unlink()
        yield work
        _check_counts(stage, work.counts)
        manifest = {
            "stage": stage,
            "fingerprint": print_id,
            "winnow": code_version(stage),
            "seed": seed,
            "inputs": dict(inputs),
            "config": dict(config),
            "counts": work.counts,
            "facts": work.facts,
            "files": _describe_files(work.dir),
            "run": _describe_run(started, time.perf_counter() - clock),
        }
        _commit(run_dir / stage, work.dir, manifest)
        keep = set()
    except OSError as error:
        raise _as_input_error(error, stage, work.dir) from error
    finally:
        for folder in {work.dir, work.scratch} - keep:
            shutil.rmtree(folder, ignore_errors=True)


def _left_behind(staging: Path, stage: str) -> set[Path]:
    """Return the folders of attempts at a stage."""
    named = re.compile(rf"{re.escape(stage)}-[0-9a-f]{{12}}(\.work)?")
    return {path for path in staging.glob(f"{stage}-*") if named.fullmatch(path.name)}


@contextmanager
def locked(run_dir: Path) -> Iterator[str]:
    """Hold the run folder for one process; another one is refused at once with `BusyError`.

    The lock belongs to the process, so one that dies leaves none behind, whatever the file says.

    Yields
    ------
    str
        Process, host and time of a holder that died, or nothing.
    """
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
        handle = (run_dir / ".lock").open("a+", encoding="utf-8", errors="replace")
    except OSError as error:
        raise _as_input_error(error, "run folder", run_dir) from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BusyError(
                "another winnow is working in this folder",
                facts={"run": run_dir, "holder": _holder(handle) or "unknown"},
                help="wait for it, or choose another folder",
            ) from error
        dead = _holder(handle)
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        try:
            handle.truncate(0)
            handle.write(f"process {os.getpid()} on {socket.gethostname()} since {now}\n")
            handle.flush()
        except OSError as error:
            raise _as_input_error(error, "run folder", run_dir) from error
        try:
            yield dead
        finally:
            handle.truncate(0)


def _holder(handle: TextIO) -> str:
    """Return what a lock file says: nothing after its holder came to an end by itself."""
    handle.seek(0)
    return handle.read(200).strip()


def file_digest(path: Path) -> str:
    """Return the sha256 of a file's bytes as 64 hexadecimal digits."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def write_text(path: Path, text: str) -> None:
    """Replace a file by `text` in one step: readers see the old text or the new."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", encoding="utf-8") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(partial, path)
    sync_dir(path.parent)


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write a table as Parquet with the settings that all of winnow's tables share."""
    pq.write_table(table, path, compression="zstd", write_page_checksum=True)


def parquet_bytes(table: pa.Table) -> pa.Buffer:
    """Return what `write_parquet` would write."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return sink.getvalue()


def _read_manifest(directory: Path) -> Mapping[str, Any]:
    path = directory / "manifest.json"
    try:
        manifest: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise IntegrityError(
            "the manifest of a stage cannot be read", facts={"file": path, "cause": error}
        ) from error
    return manifest


def _has_columns(path: Path, schema: TableSchema) -> bool:
    return bool(pq.read_schema(path).remove_metadata().equals(schema.arrow))


def _check_counts(stage: str, counts: Mapping[str, Any]) -> None:
    if "in" not in counts:
        return
    total = counts["out"] + sum(counts.get("dropped", {}).values())
    if counts["in"] != total:
        raise AssertionError(f"counts of {stage} do not add up: {dict(counts)}")
    refuse_nothing(stage, counts)


def refuse_nothing(
    stage: str, counts: Mapping[str, Any], facts: Mapping[str, object] | None = None, help: str = ""
) -> None:
    """Raise `InputError` if something goes into a stage, and nothing comes out of it.

    Whatever states ``in`` and ``out`` is checked before it is committed; a stage that knows the
    cause calls this first, with its own facts and remedy.

    Parameters
    ----------
    stage
        Name of the stage.
    counts
        Rows ``in`` and ``out``, and where it is known ``dropped``: rows by reason.
    facts, help
        As of `labeling.errors.WinnowError`.
    """
    if not counts["in"] or counts["out"]:
        return
    dropped = {reason: f"{n:,}" for reason, n in counts.get("dropped", {}).items()}
    raise InputError(
        f"the stage {stage} would be empty, although {counts['in']:,} rows went in",
        facts={**dropped, **(facts or {})},
        help=help or "earlier outputs are untouched; correct the input or the settings",
    )


def _describe_files(directory: Path) -> list[dict[str, Any]]:
    files = []
    for path in sorted(p for p in directory.rglob("*") if p.is_file()):
        with path.open("rb") as handle:
            os.fsync(handle.fileno())
        entry: dict[str, Any] = {
            "name": path.relative_to(directory).as_posix(),
            "n_bytes": path.stat().st_size,
            "sha256": file_digest(path),
        }
        if path.suffix == ".parquet":
            entry["n_rows"] = pq.read_metadata(path).num_rows
        files.append(entry)
    return files


def _describe_run(started: float, seconds: float) -> dict[str, Any]:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "seconds": round(seconds, 3),
        "peak_mb": round(peak / (1024 if sys.platform == "linux" else 1024**2)),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def _commit(stage_dir: Path, work_dir: Path, manifest: Mapping[str, Any]) -> None:
    write_text(work_dir / "manifest.json", json.dumps(manifest, indent=1, default=str) + "\n")
    sync_dir(work_dir)
    stage_dir.mkdir(parents=True, exist_ok=True)
    target = stage_dir / str(manifest["fingerprint"])
    if target.exists() and not _is_whole(target):
        target.rename(_free_name(target))
    if not target.exists():
        work_dir.rename(target)
        sync_dir(stage_dir)
    verify(Stage(str(manifest["stage"]), target, _read_manifest(target)))
    _point_to(target)


def _point_to(target: Path) -> None:
    digest = file_digest(target / "manifest.json")
    write_text(target.parent / "CURRENT", f"{target.name} {digest}\n")


def _is_whole(directory: Path) -> bool:
    try:
        verify(Stage("", directory, _read_manifest(directory)))
    except IntegrityError:
        return False
    return True


def _free_name(target: Path) -> Path:
    """Return a name for a damaged output of the same fingerprint: it is kept, not deleted."""
    number = 1
    while (aside := target.with_name(f"{target.name}.{number}")).exists():
        number += 1
    return aside


def sync_dir(directory: Path) -> None:
    """Make what was renamed or removed in a folder durable."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _as_input_error(error: OSError, stage: str, directory: Path) -> InputError:
    return InputError(
        f"writing the {stage} failed: {error.strerror or error}",
        facts={"file": error.filename or directory},
        help="earlier outputs are untouched; make room or mend the permissions, then run it again",
    )
