"""`winnow plan`: what `winnow label` would do, and what it takes, before it does anything."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from curation.runs.stage import Stage, current
from labeling.errors import WinnowError
from pipelines.inputs.input import Input
from pipelines.inputs.webdatasets import WebdatasetInput
from pipelines.inspecting.forecast import disk, free_at, memory
from pipelines.inspecting.formatting import fits_terminal, size, table
from pipelines.inspecting.input_sizes import Source, sources
from pipelines.inspecting.staleness import why_candidates_again, why_signals_again
from pipelines.inspecting.unfinished import attempts
from pipelines.passes import inputs
from pipelines.passes.plan import plan as passes_of
from pipelines.passes.splits import input_paths, splits_of
from pipelines.run.config import Config
from pipelines.run.dependencies import taxonomy_files
from pipelines.run.progress import say
from pipelines.shuffle.engine import Split, n_buckets_for


@dataclass(frozen=True)
class Work:
    """One shuffle: its splits (at most so many, for a later pass) and its buckets."""

    name: str
    n_splits: int
    n_buckets: int


def plan(config: Config, run_dir: Path | None, out: IO[str]) -> None:
    """Write inputs, shuffles, disk, memory, and what is done already; nothing is read or made.

    Parameters
    ----------
    config
        The settings; `base` is absolute.
    run_dir
        The run folder, which need not be there; without it, space is looked for in this folder.
    out
        Text file to write to.

    Raises
    ------
    InputError
        If an input is missing or the footer of one cannot be read.
    """
    splits = splits_of(config)
    found = sources(config, splits)
    signals = None if run_dir is None else _signals_in_force(run_dir)
    again = None if run_dir is None else why_signals_again(config, splits, run_dir)
    is_made = again == [] and signals is not None
    n_rows = _rows_of(signals) if is_made and signals else sum(one.n_rows for one in found)
    shuffles = _shuffles(config, splits, n_rows, signals if is_made else None)
    _write_inputs(found, out)
    _write_shuffles(shuffles, out)
    _write_disk(n_rows, not is_made, run_dir, out)
    most = max(memory(n_rows, one.n_buckets) for one in shuffles)
    out.write(
        f"\nmemory: about {size(most)} for each worker process, however many rows there are\n"
    )
    if run_dir is not None:
        out.write("\n")
        for line in _done(config, found, run_dir, again, signals):
            out.write(f"{line}\n")


def _signals_in_force(run_dir: Path) -> Stage | None:
    try:
        return current(run_dir, "signals")
    except WinnowError:
        return None


def _rows_of(signals: Stage) -> int:
    counts = signals.counts
    return sum(int(counts.get(schema.name, 0)) for schema in inputs.SCHEMAS)


def _shuffles(
    config: Config, splits: Sequence[Split], n_rows: int, signals: Stage | None
) -> list[Work]:
    n_first = n_buckets_for(sum(input_paths(config, splits).values()))
    if signals is not None:
        n_signals, n_events = signals.counts["signals"], signals.counts["feedback"]
        n_links = signals.counts["links"]
        n_later = n_buckets_for(n_signals + n_links)
        n_edges = n_links + signals.counts["placements"]
    else:
        n_signals, n_edges, n_later = n_rows, n_rows, n_buckets_for(n_rows)
        n_events = n_rows if config.feedback else 0
    shuffles = [] if signals is not None else [Work("inputs", len(splits), n_first)]
    n_files = dict.fromkeys((schema.name for schema in inputs.SCHEMAS), n_first)
    support_only = config.label.support_only
    taxonomy = taxonomy_files(config)
    for one in passes_of(taxonomy, support_only, n_signals, n_events, Path(), n_edges):
        n_buckets = one.n_buckets or n_later
        shuffles.append(Work(one.name, sum(n_files.get(t, 1) for t in one.inputs), n_buckets))
        n_files |= dict.fromkeys(one.outputs, n_buckets)
    return shuffles


def _write_inputs(found: Sequence[Source], out: IO[str]) -> None:
    lines = [("input", "kind", "files", "rows", "size")]
    for one in found:
        n_rows = "" if one.kind == "taxonomy" else f"{'' if one.is_exact else '~'}{one.n_rows:,}"
        lines.append((one.path, one.kind, f"{one.n_files:,}", n_rows, size(one.n_bytes)))
    is_exact = all(one.is_exact for one in found)
    n_rows = f"{'' if is_exact else '~'}{sum(one.n_rows for one in found):,}"
    n_files = f"{sum(one.n_files for one in found):,}"
    lines.append(("together", "", n_files, n_rows, size(sum(one.n_bytes for one in found))))
    _write(lines, (2, 3, 4), out)
    if not is_exact:
        out.write(
            f"~ guessed from the size: a row for each {Input.bytes_per_row:,} bytes,"
            f" {WebdatasetInput.bytes_per_row:,} of a tar; exact for Parquet files\n"
        )


def _write_shuffles(shuffles: Sequence[Work], out: IO[str]) -> None:
    out.write("\n")
    lines = [("pass", "splits", "buckets")]
    for one in shuffles:
        most = "" if one.name == "inputs" else "≤ "
        lines.append((one.name, f"{most}{one.n_splits:,}", f"{one.n_buckets:,}"))
    _write(lines, (1, 2), out)


def _write_disk(n_rows: int, with_signals: bool, run_dir: Path | None, out: IO[str]) -> None:
    out.write("\n")
    needed = disk(n_rows, with_signals)
    folder, free = free_at(run_dir or Path())
    lines = [("disk", "rows", "bytes a row", "size", "")]
    lines += [
        (part.name, f"{part.n_rows:,}", f"× {part.bytes_per_row}", f"= {size(part.n_bytes)}", kept)
        for part in needed.parts
        for kept in ["" if part.is_kept else "deleted at the end"]
    ]
    lines.append(("at most at a time", "", "", f"~{size(needed.n_bytes)}", ""))
    lines.append(("free", "", "", size(free), f"in {folder}"))
    _write(lines, (1, 2, 3), out)
    if needed.n_bytes > free:
        out.flush()
        say(
            f"warning: about {size(needed.n_bytes)} are needed in {folder}, and {size(free)} are"
            " free: make room, or choose another folder with --out"
        )


def _done(
    config: Config,
    found: Sequence[Source],
    run_dir: Path,
    again: list[str] | None,
    signals: Stage | None,
) -> Iterator[str]:
    if again is None:
        yield "signals: will be made"
    elif again:
        yield f"signals: will be made again, it seems: {'; '.join(again)}"
    else:
        n_bytes = size(sum(one.n_bytes for one in found))
        yield f"signals: there, and used again if {n_bytes} of inputs have the digests they had"
    why = [] if signals is None else why_candidates_again(config, signals.content, run_dir)
    if signals is None or why is None:
        yield "candidates: will be made"
    elif why:
        yield f"candidates: will be made again: {'; '.join(why)}"
    else:
        yield "candidates: there, and used again if the signals are as they were"
    for attempt in attempts(run_dir):
        yield (
            f"unfinished: {attempt.stage}, {size(attempt.n_bytes)}; gone on with if inputs,"
            " settings and winnow are as they were"
        )
        for one in attempt.shuffles:
            splits = f"{one.splits:,} of {one.n_splits:,} splits"
            yield f"  {one.name}: {splits}, {one.buckets:,} of {one.n_buckets:,} buckets are done"


def _write(lines: Sequence[Sequence[str]], right: Sequence[int], out: IO[str]) -> None:
    for line in table(lines, right, fits_terminal() if out is sys.stdout else None):
        out.write(f"{line}\n")
