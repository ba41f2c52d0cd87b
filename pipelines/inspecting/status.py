"""`winnow status`: how far a run is, from what is in its folder."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from curation.runs.stage import MADE_BY, Stage
from pipelines.inspecting.formatting import duration, fits_terminal, size, table
from pipelines.inspecting.lock_holder import Holder, holder
from pipelines.inspecting.survey import Seen, refuse_damaged, require_run, survey
from pipelines.inspecting.unfinished import Attempt, attempts
from pipelines.run.paths import shown

REPORT = "report.html"
SHEET = "audit-sheet.csv"
NEEDS_IMAGES = {"signals", "shards", "model", "evaluation"}

_SHOWN = {
    "signals": ("signals", "images", "links", "feedback", "rejects"),
    "candidates": ("candidates", "images", "labels"),
    "audits": ("yes", "no", "unsure"),
    "scored": ("scored",),
    "selected": ("in", "out"),
    "shards": ("out", "train", "heldout", "shards"),
    "model": ("steps", "images"),
}
"""Counts that a line of a stage shows, in this order."""

_CALLED = {
    ("selected", "in"): "candidates",
    ("selected", "out"): "kept",
    ("shards", "out"): "images",
    ("shards", "train"): "to train",
    ("shards", "heldout"): "held out",
}


def status(run_dir: Path, out: IO[str]) -> str:
    """Write what a run has, what is stale, unfinished or damaged, and who works on it.

    Takes no lock and writes nothing to the run; files are compared by size, not by content.

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
    seen = survey(run_dir)
    begun = attempts(run_dir)
    by = holder(run_dir)
    lines = [_header(), *map(_line, seen)]
    for line in table(lines, right=(3, 4), width=fits_terminal()):
        out.write(f"{line}\n")
    for line in (*_remarks(seen), *_unfinished(begun, by), *_at_work(by)):
        out.write(f"{line}\n")
    out.flush()
    refuse_damaged(seen)
    return next_command(run_dir, seen, bool(begun), by)


def next_command(run_dir: Path, seen: Sequence[Seen], is_begun: bool, by: Holder | None) -> str:
    """Return what to type next: the first stage that is missing or stale is made."""
    if by is not None and by.is_alive:
        return f"winnow status {shown(run_dir)}"
    in_force = {one.name: one for one in seen if one.stage is not None}
    for name, command in MADE_BY.items():
        one = in_force.get(name)
        if name in NEEDS_IMAGES and _is_from_elsewhere(in_force):
            continue
        if one is not None and not one.stale and not (is_begun and command == "label"):
            continue
        if command == "label":
            return f"winnow label CONFIG --out {shown(run_dir)}"
        if command == "audit sample" and (run_dir / SHEET).exists():
            folder, sheet = shown(run_dir), shown(run_dir / SHEET)
            return f"fill in the column `verdict`, then: winnow audit import {folder} {sheet}"
        return f"winnow {command} {shown(run_dir)}"
    return _after_all(run_dir, in_force.values())


def _is_from_elsewhere(in_force: Mapping[str, Seen]) -> bool:
    """Return whether the run's candidates were imported, without signals and images."""
    candidates = in_force.get("candidates")
    if candidates is None or candidates.stage is None:
        return False
    return "signals" not in candidates.stage.manifest["inputs"]


def _after_all(run_dir: Path, seen: Iterator[Seen] | Any) -> str:
    report = run_dir / REPORT
    pointers = [run_dir / one.name / "CURRENT" for one in seen]
    if not report.exists() or report.stat().st_mtime < max(p.stat().st_mtime for p in pointers):
        return f"winnow report {shown(run_dir)}"
    return f"open {shown(report)}"


def _header() -> tuple[str, ...]:
    return ("stage", "state", "made (UTC)", "took", "size", "holds")


def _line(one: Seen) -> tuple[str, ...]:
    if one.stage is None:
        return (one.name, "damaged", "", "", "", "")
    state = "damaged" if one.damages else "stale" if one.stale else "in force"
    made = one.stage.manifest["run"]
    n_bytes = sum(entry["n_bytes"] for entry in one.stage.manifest["files"])
    return (
        one.name,
        state,
        str(made["started"]).replace("T", " ").rstrip("Z"),
        duration(made["seconds"]),
        size(n_bytes),
        _holds(one.stage),
    )


def _holds(stage: Stage) -> str:
    kind = stage.name.split("-")[0]
    counts = stage.counts
    shown = [
        f"{counts[name]:,} {_CALLED.get((kind, name), name)}"
        for name in _SHOWN.get(kind, ())
        if isinstance(counts.get(name), int)
    ]
    return ", ".join(shown + _measured(kind, stage.manifest["facts"]))


def _measured(kind: str, facts: Mapping[str, Any]) -> list[str]:
    if kind == "selected" and "precision" in facts:
        low, high = facts["precision_low"], facts["precision_high"]
        return [f"precision {facts['precision']:.3f} ({low:.3f} to {high:.3f})"]
    if kind == "model" and "final_loss" in facts:
        return [f"loss {facts['final_loss']:.3f}"]
    if kind == "evaluation" and "map" in facts:
        return [f"mAP {facts['map']:.3f}"]
    return []


def _remarks(seen: Sequence[Seen]) -> Iterator[str]:
    for one in seen:
        if one.stale:
            command = MADE_BY.get(one.name.split("-")[0], one.name)
            yield (
                f"stale: {one.name} was made from other {', '.join(one.stale)} than are in force;"
                f" `winnow {command}` makes it again"
            )


def _unfinished(begun: Sequence[Attempt], by: Holder | None) -> Iterator[str]:
    for one in begun:
        is_alive = by is not None and by.is_alive is True and one is begun[-1]
        word = "being made" if is_alive else "unfinished"
        yield f"{word}: {one.stage}, {size(one.n_bytes)} in {one.folder}"
        for each in one.shuffles:
            done = (
                f"{each.splits:,} of {each.n_splits:,} splits,"
                f" {each.buckets:,} of {each.n_buckets:,} buckets"
            )
            rate = each.rate(time.time())
            pace = f", {rate:,.1f} a minute" if is_alive and not each.is_done and rate else ""
            yield f"  {each.name}: {'done' if each.is_done else done + pace}"


def _at_work(by: Holder | None) -> Iterator[str]:
    if by is None or by.is_alive is False:
        yield "nobody works in this folder"
    elif by.is_alive:
        yield f"process {by.pid} works in this folder since {by.since}"
    else:
        yield (
            f"process {by.pid} on {by.host} took the lock on {by.since};"
            " whether it still works cannot be seen from here"
        )
