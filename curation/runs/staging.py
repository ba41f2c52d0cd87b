"""Writing the output of a stage: committed whole, or not at all.

Files go into ``run/.staging`` first. Then come fsync, digests, the manifest, a read-back, one
rename, and last the pointer ``CURRENT``. Nothing is ever deleted outside ``.staging``; long work
leaves its finished parts there until a rerun is done.
"""

from __future__ import annotations

import os
import platform
import re
import resource
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from curation.runs.code import code_version, fingerprint
from curation.runs.durable import file_digest, reporting_write_errors, sync_dir, write_text
from curation.runs.sealed import seal
from curation.runs.stage import Stage, current, read_stage, verify
from labeling.errors import InputError, IntegrityError

STAGING = ".staging"
"""Folder of a run that holds unfinished outputs."""


@dataclass
class StageWriter:
    """An output that is being written: put files into `dir`, and numbers into `counts`.

    Where `counts` holds ``in``, it must equal ``out`` plus the sum of ``dropped`` by reason, and
    ``out`` must not be 0 unless ``in`` is. `scratch` is for files that are not part of the output;
    make the folder before you use it.
    """

    dir: Path
    scratch: Path
    counts: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


def reuse(
    run_dir: Path, stage: str, *, inputs: Mapping[str, str], config: Mapping[str, Any]
) -> Stage | None:
    """Make an earlier output of the same inputs, settings and code current, if there is one."""
    earlier, _ = _versions(stage, run_dir / stage / fingerprint(stage, inputs, config))
    if earlier is None:
        return None
    now = current(run_dir, stage)
    if now is None or now.dir != earlier.dir:
        with reporting_write_errors(stage, earlier.dir):
            _point_to(earlier.dir)
    # A process that was killed after its commit has not removed them.
    for unfinished in _attempts(run_dir, stage):
        shutil.rmtree(unfinished, ignore_errors=True)
    return earlier


@contextmanager
def write_stage(
    run_dir: Path,
    stage: str,
    *,
    inputs: Mapping[str, str],
    config: Mapping[str, Any],
    seed: int = 0,
    resume: bool = False,
) -> Iterator[StageWriter]:
    """Write one output of a stage so that it is committed whole or not at all.

    Parameters
    ----------
    run_dir
        The run folder.
    stage
        Name of the stage, a key of `curation.runs.stage.MADE_BY` with an optional ``-suffix``.
    inputs
        `Stage.content` of each stage, and digest of each file, that the output is made from.
    config
        The settings that the output depends on.
    seed
        Seed of all that is random.
    resume
        Whether the block continues from the files that an unfinished attempt left in both folders.

    Yields
    ------
    StageWriter
        Its folder is committed when the block ends without an error. After an error both folders
        are removed, or kept for the next attempt with `resume`. Attempts at this stage with other
        inputs, settings or code are removed first.

    Raises
    ------
    InputError
        If the output would be empty although its input is not, or cannot be written.
    """
    print_id = fingerprint(stage, inputs, config)
    folder = run_dir / STAGING / f"{stage}-{print_id}"
    work = StageWriter(folder, folder.with_name(f"{folder.name}.work"))
    keep = {work.dir, work.scratch} if resume else set()
    for unfinished in _attempts(run_dir, stage) - keep:
        shutil.rmtree(unfinished, ignore_errors=True)
    started, clock = time.time(), time.perf_counter()
    try:
        needed = partial(_bytes_needed, run_dir, work.dir, inputs)
        with reporting_write_errors(stage, work.dir, needed):
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
            _commit(run_dir / stage / print_id, work.dir, manifest)
        keep = set()
    finally:
        for unfinished in {work.dir, work.scratch} - keep:
            shutil.rmtree(unfinished, ignore_errors=True)


def refuse_nothing(
    stage: str, counts: Mapping[str, Any], facts: Mapping[str, object] | None = None, help: str = ""
) -> None:
    """Raise `InputError` if a stage has input and no output.

    Counts with ``in`` and ``out`` are checked before each commit. A stage that knows the cause
    calls this first, with its own facts and remedy.

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


def _bytes_needed(run_dir: Path, work_dir: Path, inputs: Mapping[str, str]) -> int:
    """Return about how many bytes an output needs: as many as the stages that it is made from.

    What was written before the disk was full counts where it is more.
    """
    written = sum(path.stat().st_size for path in work_dir.rglob("*") if path.is_file())
    sources = (current(run_dir, name) for name in inputs if (run_dir / name).is_dir())
    entries = (entry for source in sources if source for entry in source.manifest["files"])
    of_sources = sum(int(entry["n_bytes"]) for entry in entries)
    return max(written, of_sources)


def _attempts(run_dir: Path, stage: str) -> set[Path]:
    """Return the folders of unfinished attempts at a stage."""
    named = re.compile(rf"{re.escape(stage)}-[0-9a-f]{{12}}(\.work)?")
    paths = (run_dir / STAGING).glob(f"{stage}-*")
    return {path for path in paths if named.fullmatch(path.name)}


def _check_counts(stage: str, counts: Mapping[str, Any]) -> None:
    if "in" not in counts:
        return
    if counts["in"] != counts["out"] + sum(counts.get("dropped", {}).values()):
        raise AssertionError(f"counts of {stage} do not add up: {dict(counts)}")
    refuse_nothing(stage, counts)


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
        # Linux counts in kibibytes, macOS in bytes.
        "peak_mb": round(peak / (1024 if sys.platform == "linux" else 1024**2)),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def _commit(target: Path, work_dir: Path, manifest: Mapping[str, Any]) -> None:
    write_text(work_dir / "manifest.json", seal(manifest))
    sync_dir(work_dir)
    output = read_stage(str(manifest["stage"]), work_dir)
    earlier, target = _versions(output.name, target)
    if earlier is not None and earlier.content == output.content:
        target = earlier.dir
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        work_dir.rename(target)
        sync_dir(target.parent)
    verify(read_stage(output.name, target))
    _point_to(target)


def _point_to(target: Path) -> None:
    digest = file_digest(target / "manifest.json")
    write_text(target.parent / "CURRENT", f"{target.name} {digest}\n")


def _versions(stage: str, target: Path) -> tuple[Stage | None, Path]:
    """Return the newest whole output of a fingerprint, if any, and the folder for a new one.

    A damaged output is kept; the one that replaces it is in ``<fingerprint>.1``, and so on.
    """
    folders = [target]
    while folders[-1].exists():
        folders.append(target.with_name(f"{target.name}.{len(folders)}"))
    for folder in reversed(folders[:-1]):
        try:
            output = read_stage(stage, folder)
            verify(output)
        except IntegrityError:
            continue
        return output, folders[-1]
    return None, folders[-1]
