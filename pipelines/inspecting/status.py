"""`winnow status`: how far a run is, from what is in its folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from curation.runs.stage import MADE_BY, OPTIONAL
from labeling.errors import WinnowError
from labeling.frames.notebook import html_table
from labeling.taxonomy.confusables import visible
from pipelines.evidence.proposals import proposal_line, run_of
from pipelines.inspecting.formatting import duration, size, table
from pipelines.inspecting.staleness import is_imported
from pipelines.inspecting.survey import (
    StageState,
    all_damages,
    require_run,
    stale_note,
    survey,
)
from pipelines.inspecting.unfinished import Attempt, Holder, attempts, holder
from pipelines.run.losses import ignored_feedback, reasons
from pipelines.run.paths import typed

REPORT = "report.html"
SHEET = "audit-sheet.csv"
NEEDS_IMAGES = {"shards", "model", "evaluation"}

_COUNTS = {
    "signals": ("signals", "images", "links", "feedback", "rejects"),
    "candidates": ("candidates", "images", "labels"),
    "images": ("out", "same_bytes", "not_compared"),
    "evidence": ("votes",),
    "audits": ("yes", "no", "unsure", "skipped"),
    "audits-bands": ("candidates",),
    "audits-cells": ("cells", "asked"),
    "look": ("out",),
    "scored": ("scored",),
    "selected": ("in", "out"),
    "shards": ("out", "train", "heldout", "shards"),
    "model": ("steps", "images"),
}
"""Counts in the line of a stage, in this order."""

_COUNT_NAMES = {
    ("audits-cells", "cells"): "candidates",
    ("images", "out"): "images",
    ("images", "same_bytes"): "with the bytes of another",
    ("images", "not_compared"): "not compared with a digest",
    ("look", "out"): "images",
    ("selected", "in"): "candidates",
    ("selected", "out"): "kept",
    ("shards", "out"): "images",
    ("shards", "train"): "to train",
    ("shards", "heldout"): "held out",
}

_MEASURES = {
    "signals": ("limit",),
    "candidates": ("limit",),
    "selected": ("precision", "precision_low", "precision_high"),
    "model": ("final_loss",),
    "evaluation": ("map",),
}
"""Facts in the line of a stage."""

_HEADER = ("stage", "state", "made (UTC)", "took", "size", "holds")


@dataclass(frozen=True)
class StageStatus:
    """The current output of a stage, with its counts and measures; empty where it is unreadable.

    `state` is ``current``, ``stale`` or ``damaged``; `stale` holds the reasons for which it
    would be made again.
    """

    name: str
    state: str
    stale: tuple[str, ...] = ()
    started: str | None = None
    seconds: float | None = None
    n_bytes: int | None = None
    counts: Mapping[str, object] = field(default_factory=dict)
    measures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class Status:
    """Stages of a run, the stale, unfinished and damaged ones, and who works on it.

    `print` gives the text of ``winnow status``.

    Attributes
    ----------
    run
        The run folder.
    stages
        For each stage with an output, in the order of the work: ``name``; ``state`` (current, stale
        or damaged); ``stale``, the reasons for which its command would make it again;
        ``started`` (UTC), ``seconds``, ``n_bytes``, ``counts`` and ``measures``.
    damages
        The problem of each file that is not as it was written, by its path.
    attempts
        Outputs that were begun and not committed: ``stage``, ``folder``, ``n_bytes``, ``shuffles``
        (splits and buckets, and how many of them are done), ``is_alive`` if a process works on it.
    holder
        The process that took the lock last (``pid``, ``host``, ``since``, ``is_alive``); None if it
        ended by itself.
    next
        The next command.
    proposals
        Number and precision of the proposals of added sources, in words; None without any.
    """

    run: Path
    stages: tuple[StageStatus, ...]
    damages: Mapping[str, str]
    attempts: tuple[Attempt, ...]
    holder: Holder | None
    next: str
    proposals: str | None = None

    def text(self, width: int | None = None) -> str:
        """Return the lines of ``winnow status``, its table cut to `width` cells."""
        rows = [_HEADER, *map(_cells, self.stages)]
        return "\n".join((*table(rows, (3, 4), width), *self._notes()))

    def _notes(self) -> Iterator[str]:
        yield from (stale_note(stage.name, stage.stale) for stage in self.stages if stage.stale)
        for attempt in self.attempts:
            yield from attempt.lines()
        if self.proposals is not None:
            yield self.proposals
        yield _at_work(self.holder)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<Status of {self.run} with {len(self.stages)} stages>"

    def _repr_html_(self) -> str:
        shown = html_table(repr(self)[1:-1], _HEADER, map(_cells, self.stages))
        return shown + "".join(f"<p>{escape(visible(note))}</p>" for note in self._notes())


def status(run_dir: Path) -> Status:
    """Return what a run has, what is stale, unfinished or damaged, and who works on it.

    It takes no lock and writes nothing to the run; files are compared by size, not by content.

    Raises
    ------
    InputError
        If the folder is not a run folder.
    """
    require_run(run_dir)
    states = survey(run_dir)
    process = holder(run_dir)
    is_alive = process is not None and process.is_alive is True
    begun = attempts(run_dir, is_alive)
    return Status(
        run=run_dir,
        stages=tuple(map(_status_of, states)),
        damages=all_damages(run_dir, states),
        attempts=begun,
        holder=process,
        next=f"winnow status {typed(run_dir)}" if is_alive else _next(run_dir, states, bool(begun)),
        proposals=_proposals(run_dir),
    )


def _proposals(run_dir: Path) -> str | None:
    try:
        return proposal_line(run_dir)
    except WinnowError:  # damages are named elsewhere
        return None


def _status_of(state: StageState) -> StageStatus:
    word = "damaged" if state.damages else "stale" if state.stale else "current"
    if state.stage is None:
        return StageStatus(state.name, word)
    made = state.stage.manifest["run"]
    facts, kind = state.stage.facts, state.name.split("-")[0]
    return StageStatus(
        state.name,
        word,
        state.stale,
        str(made["started"]),
        made["seconds"],
        sum(entry["n_bytes"] for entry in state.stage.manifest["files"]),
        state.stage.counts,
        {n: facts[n] for n in _MEASURES.get(kind, ()) if facts.get(n) is not None},
    )


def _next(run_dir: Path, states: Sequence[StageState], is_begun: bool) -> str:
    """Return the command that makes the first stage that is missing or stale."""
    current = {state.name: state for state in states if state.stage is not None}
    for name, command in MADE_BY.items():
        state = current.get(name)
        if _is_imported(current) and _is_left_out(name, current):
            continue
        if name in OPTIONAL and not _is_used(name, current):
            continue
        if state is not None and not state.stale and not (is_begun and command == "label"):
            continue
        if command == "label":
            return f"winnow label CONFIG --out {typed(run_dir)}"
        if command == "audit sample" and (run_dir / SHEET).exists():
            folder, sheet = typed(run_dir), typed(run_dir / SHEET)
            return f"fill in the column `verdict`, then: winnow audit import {folder} {sheet}"
        return f"winnow {command} {typed(run_dir)}{_further(state)}"
    report = run_dir / REPORT
    made = max((run_dir / name / "CURRENT").stat().st_mtime for name in current)
    if not report.exists() or report.stat().st_mtime < made:
        return f"winnow report {typed(run_dir)}"
    return f"open {typed(report)}"


def _is_used(name: str, current: Mapping[str, StageState]) -> bool:
    """Return whether a run uses a stage that it may lack.

    The evidence must hold votes of `winnow look`, or for ``evidence`` of files.
    """
    if name in ("ablation", "images"):
        return name in current
    state = current.get("evidence")
    files = [] if state is None or state.stage is None else state.stage.facts["files"]
    return any((file["name"] == "look") == (name == "look") for file in files)


def _further(state: StageState | None) -> str:
    """Return what the command of a stage needs beside the run, from how it was made before."""
    if state is None or state.stage is None or state.name not in OPTIONAL:
        return ""
    if state.name in ("evidence", "images"):
        return " VOTES" if state.name == "evidence" else " --images IMAGES"
    weights = state.stage.facts.get("weights")
    return f" --weights {typed(Path(weights))}" if weights else ""


def _is_left_out(name: str, current: Mapping[str, StageState]) -> bool:
    """Return whether a run of imported candidates has no use for a stage."""
    stage = current["candidates"].stage
    is_proposed = stage is not None and run_of(stage) is not None
    return name == "signals" or (name in NEEDS_IMAGES and (is_proposed or "images" not in current))


def _is_imported(current: Mapping[str, StageState]) -> bool:
    """Return whether the run's candidates were imported."""
    state = current.get("candidates")
    return state is not None and state.stage is not None and is_imported(state.stage)


def _cells(stage: StageStatus) -> tuple[str, ...]:
    """Return the cells of the line of a stage."""
    if stage.started is None or stage.seconds is None or stage.n_bytes is None:
        return (stage.name, stage.state, "", "", "", "")
    return (
        stage.name,
        stage.state,
        stage.started.replace("T", " ").rstrip("Z"),
        duration(stage.seconds),
        size(stage.n_bytes),
        ", ".join([*_counts(stage), *_measures(stage.measures)]),
    )


def _counts(stage: StageStatus) -> Iterator[str]:
    kind = stage.name if stage.name in _COUNTS else stage.name.split("-")[0]
    for name in _COUNTS.get(kind, ()):
        if isinstance(stage.counts.get(name), int):
            yield f"{stage.counts[name]:,} {_COUNT_NAMES.get((kind, name), name)}"
    dropped = stage.counts.get("dropped") if kind in ("images", "look") else None
    if isinstance(dropped, Mapping):
        yield from (f"{n:,} {reason}" for reason, n in dropped.items())
    if kind == "signals":
        yield from reasons(stage.counts)
    if kind == "candidates":
        yield from ignored_feedback(stage.counts)


def _measures(measures: Mapping[str, float]) -> Iterator[str]:
    if "limit" in measures:
        yield f"a sample of {measures['limit']:,} rows of each input"
    if "precision" in measures:
        low, high = measures["precision_low"], measures["precision_high"]
        yield f"precision {measures['precision']:.3f} ({low:.3f} to {high:.3f})"
    if "final_loss" in measures:
        yield f"loss {measures['final_loss']:.3f}"
    if "map" in measures:
        yield f"mAP {measures['map']:.3f}"


def _at_work(process: Holder | None) -> str:
    if process is None or process.is_alive is False:
        return "nobody works in this folder"
    if process.is_alive:
        return f"process {process.pid} works in this folder since {process.since}"
    return (
        f"process {process.pid} on {process.host} took the lock on {process.since};"
        " whether it still works cannot be seen from here"
    )
