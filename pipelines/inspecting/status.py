"""`winnow status`: how far a run is, from what is in its folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from curation.runs.stage import MADE_BY, Stage
from pipelines.inspecting.formatting import duration, size, write_table
from pipelines.inspecting.survey import StageState, refuse_damaged, require_run, survey
from pipelines.inspecting.unfinished import Holder, attempts, holder
from pipelines.run.paths import typed

REPORT = "report.html"
SHEET = "audit-sheet.csv"
NEEDS_IMAGES = {"signals", "shards", "model", "evaluation"}

_COUNTS = {
    "signals": ("signals", "images", "links", "feedback", "rejects"),
    "candidates": ("candidates", "images", "labels"),
    "audits": ("yes", "no", "unsure"),
    "scored": ("scored",),
    "selected": ("in", "out"),
    "shards": ("out", "train", "heldout", "shards"),
    "model": ("steps", "images"),
}
"""Counts in the line of a stage, in this order."""

_COUNT_NAMES = {
    ("selected", "in"): "candidates",
    ("selected", "out"): "kept",
    ("shards", "out"): "images",
    ("shards", "train"): "to train",
    ("shards", "heldout"): "held out",
}


def status(run_dir: Path, out: IO[str]) -> str:
    """Write what a run has, what is stale, unfinished or damaged, and who works on it.

    It takes no lock and writes nothing to the run; files are compared by size, not by content.

    Returns
    -------
    str
        The next command.

    Raises
    ------
    InputError
        If the folder is not a run folder.
    IntegrityError
        At the end, if files are damaged, with their names.
    """
    require_run(run_dir)
    states = survey(run_dir)
    begun = attempts(run_dir)
    process = holder(run_dir)
    is_alive = process is not None and process.is_alive is True
    header = ("stage", "state", "made (UTC)", "took", "size", "holds")
    write_table([header, *map(_cells, states)], (3, 4), out)
    lines = [state.stale_note for state in states if state.stale]
    for attempt in begun:
        lines += attempt.lines(is_alive and attempt is begun[-1])
    out.writelines(f"{line}\n" for line in (*lines, _at_work(process)))
    out.flush()
    refuse_damaged(states)
    return f"winnow status {typed(run_dir)}" if is_alive else _next(run_dir, states, bool(begun))


def _next(run_dir: Path, states: Sequence[StageState], is_begun: bool) -> str:
    """Return the command that makes the first stage that is missing or stale."""
    current = {state.name: state for state in states if state.stage is not None}
    for name, command in MADE_BY.items():
        state = current.get(name)
        if name in NEEDS_IMAGES and _is_imported(current):
            continue
        if state is not None and not state.stale and not (is_begun and command == "label"):
            continue
        if command == "label":
            return f"winnow label CONFIG --out {typed(run_dir)}"
        if command == "audit sample" and (run_dir / SHEET).exists():
            folder, sheet = typed(run_dir), typed(run_dir / SHEET)
            return f"fill in the column `verdict`, then: winnow audit import {folder} {sheet}"
        return f"winnow {command} {typed(run_dir)}"
    report = run_dir / REPORT
    made = max((run_dir / name / "CURRENT").stat().st_mtime for name in current)
    if not report.exists() or report.stat().st_mtime < made:
        return f"winnow report {typed(run_dir)}"
    return f"open {typed(report)}"


def _is_imported(current: Mapping[str, StageState]) -> bool:
    """Return whether the run's candidates were imported, without signals and images."""
    state = current.get("candidates")
    return (
        state is not None
        and state.stage is not None
        and "signals" not in state.stage.manifest["inputs"]
    )


def _cells(state: StageState) -> tuple[str, ...]:
    """Return the cells of the line of a stage."""
    if state.stage is None:
        return (state.name, "damaged", "", "", "", "")
    word = "damaged" if state.damages else "stale" if state.stale else "current"
    made = state.stage.manifest["run"]
    n_bytes = sum(entry["n_bytes"] for entry in state.stage.manifest["files"])
    return (
        state.name,
        word,
        str(made["started"]).replace("T", " ").rstrip("Z"),
        duration(made["seconds"]),
        size(n_bytes),
        ", ".join([*_counts(state.stage), *_measures(state.stage)]),
    )


def _counts(stage: Stage) -> Iterator[str]:
    kind = stage.name.split("-")[0]
    for name in _COUNTS.get(kind, ()):
        if isinstance(stage.counts.get(name), int):
            yield f"{stage.counts[name]:,} {_COUNT_NAMES.get((kind, name), name)}"


def _measures(stage: Stage) -> Iterator[str]:
    kind, facts = stage.name.split("-")[0], stage.facts
    if kind == "selected" and "precision" in facts:
        low, high = facts["precision_low"], facts["precision_high"]
        yield f"precision {facts['precision']:.3f} ({low:.3f} to {high:.3f})"
    if kind == "model" and "final_loss" in facts:
        yield f"loss {facts['final_loss']:.3f}"
    if kind == "evaluation" and "map" in facts:
        yield f"mAP {facts['map']:.3f}"


def _at_work(process: Holder | None) -> str:
    if process is None or process.is_alive is False:
        return "nobody works in this folder"
    if process.is_alive:
        return f"process {process.pid} works in this folder since {process.since}"
    return (
        f"process {process.pid} on {process.host} took the lock on {process.since};"
        " whether it still works cannot be seen from here"
    )
