"""`winnow plan`: the steps of `winnow label` and their cost, before anything is read or made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from curation.runs.stage import Stage, current
from labeling.errors import WinnowError
from pipelines.inputs.input import Input
from pipelines.inputs.webdatasets import WebdatasetInput
from pipelines.inspecting.forecast import Source, disk, free_space, memory, sources
from pipelines.inspecting.formatting import size, write_table
from pipelines.inspecting.staleness import why_candidates_again, why_signals_again
from pipelines.inspecting.unfinished import attempts
from pipelines.jobs.splits import input_paths, splits_of
from pipelines.passes import inputs
from pipelines.passes.plan import plan as passes_of
from pipelines.run.config import Config
from pipelines.run.dependencies import taxonomy_files
from pipelines.run.progress import notify
from pipelines.shuffle.engine import Split, n_buckets_for


class Work(NamedTuple):
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
        The run folder, which may be missing; without one, the free space is that of the working
        folder.
    out
        Text file to write to.

    Raises
    ------
    InputError
        If an input is missing or the footer of one cannot be read.
    """
    splits = splits_of(config)
    listed = sources(config, splits)
    signals = None if run_dir is None else _current_signals(run_dir)
    reasons = None if run_dir is None else why_signals_again(config, splits, run_dir)
    kept = signals if reasons == [] else None
    n_rows = sum(source.n_rows for source in listed)
    if kept is not None:
        n_rows = sum(int(kept.counts.get(schema.name, 0)) for schema in inputs.SCHEMAS)
    shuffles = _shuffles(config, splits, n_rows, kept)
    _write_inputs(listed, out)
    _write_shuffles(shuffles, out)
    _write_disk(n_rows, kept is None, run_dir, out)
    most = max(memory(n_rows, work.n_buckets) for work in shuffles)
    out.write(
        f"\nmemory: about {size(most)} for each worker process, however many rows there are\n"
    )
    if run_dir is not None:
        n_bytes = sum(source.n_bytes for source in listed)
        lines = _reuse(config, n_bytes, run_dir, reasons, signals)
        out.writelines(f"{line}\n" for line in ("", *lines))


def _current_signals(run_dir: Path) -> Stage | None:
    try:
        return current(run_dir, "signals")
    except WinnowError:
        return None


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
    for step in passes_of(taxonomy, support_only, n_signals, n_events, Path(), n_edges):
        n_buckets = step.n_buckets or n_later
        # A pass has at most as many splits as its inputs have files: a file for each bucket.
        n_splits = sum(n_files.get(table, 1) for table in step.inputs)
        shuffles.append(Work(step.name, n_splits, n_buckets))
        n_files |= dict.fromkeys(step.outputs, n_buckets)
    return shuffles


def _write_inputs(listed: Sequence[Source], out: IO[str]) -> None:
    n_files, n_bytes, n_rows = (sum(each) for each in zip(*(s[2:5] for s in listed), strict=True))
    is_exact = all(source.is_exact for source in listed)
    lines = [("input", "kind", "files", "rows", "size")]
    for source in (*listed, Source("", "together", n_files, n_bytes, n_rows, is_exact)):
        rows = f"{'' if source.is_exact else '~'}{source.n_rows:,}"
        shown = "" if source.kind == "taxonomy" else rows
        size_shown = size(source.n_bytes)
        lines.append((source.path, source.kind, f"{source.n_files:,}", shown, size_shown))
    write_table(lines, (2, 3, 4), out)
    if not is_exact:
        out.write(
            f"~ guessed from the size: a row for each {Input.bytes_per_row:,} bytes,"
            f" {WebdatasetInput.bytes_per_row:,} of a tar; exact for Parquet files\n"
        )


def _write_shuffles(shuffles: Sequence[Work], out: IO[str]) -> None:
    lines = [("pass", "splits", "buckets")]
    for name, n_splits, n_buckets in shuffles:
        most = "" if name == "inputs" else "≤ "
        lines.append((name, f"{most}{n_splits:,}", f"{n_buckets:,}"))
    out.write("\n")
    write_table(lines, (1, 2), out)


def _write_disk(n_rows: int, with_signals: bool, run_dir: Path | None, out: IO[str]) -> None:
    parts, needed = disk(n_rows, with_signals)
    folder, free = free_space(run_dir or Path())
    lines = [("disk", "rows", "bytes a row", "size", "")]
    for name, each, n_bytes in parts:
        kept = "deleted at the end" if "scratch" in name else ""
        lines.append((name, f"{n_rows:,}", f"× {each}", f"= {size(n_bytes)}", kept))
    lines.append(("at most at a time", "", "", f"~{size(needed)}", ""))
    lines.append(("free", "", "", size(free), f"in {folder}"))
    out.write("\n")
    write_table(lines, (1, 2, 3), out)
    if needed > free:
        out.flush()
        notify(
            f"warning: about {size(needed)} are needed in {folder}, and {size(free)} are"
            " free: make room, or choose another folder with --out"
        )


def _reuse(
    config: Config,
    n_bytes: int,
    run_dir: Path,
    reasons: list[str] | None,
    signals: Stage | None,
) -> Iterator[str]:
    """Yield lines that name what exists and is used again, and what is made, and why."""
    if reasons is None:
        yield "signals: will be made"
    elif reasons:
        yield f"signals: will be made again, it seems: {'; '.join(reasons)}"
    else:
        yield (
            f"signals: there, and used again if the digests of {size(n_bytes)} of inputs have not"
            " changed"
        )
    why = None if signals is None else why_candidates_again(config, signals.content, run_dir)
    if why is None:
        yield "candidates: will be made"
    elif why:
        yield f"candidates: will be made again: {'; '.join(why)}"
    else:
        yield "candidates: there, and used again if the signals have not changed"
    for attempt in attempts(run_dir):
        yield from attempt.lines()
        yield "  continued if inputs, settings and winnow have not changed"
