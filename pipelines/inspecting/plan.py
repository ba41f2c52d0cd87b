"""`winnow plan`: the steps of `winnow label` and their cost, before anything is read or made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from curation.runs.stage import Stage, current
from labeling.errors import WinnowError
from labeling.frames.notebook import MAX_ROWS, html_table
from labeling.readers.listing import skipped_sentence
from labeling.taxonomy.confusables import visible
from pipelines.inputs.input import Input
from pipelines.inputs.splits import input_paths, skipped_by_ending, splits_of
from pipelines.inputs.webdatasets import WebdatasetInput
from pipelines.inspecting.forecast import Part, Source, disk, free_space, memory, sources
from pipelines.inspecting.formatting import size, table
from pipelines.inspecting.staleness import why_candidates_again, why_signals_again
from pipelines.inspecting.unfinished import Attempt, attempts
from pipelines.passes import inputs, stored
from pipelines.passes.plan import plan as passes_of
from pipelines.run.config import Config
from pipelines.run.dependencies import taxonomy_files
from pipelines.shuffle.engine import Split, n_buckets_for
from pipelines.shuffle.runners import n_threads


@dataclass(frozen=True)
class Work:
    """One shuffle: its splits (at most so many, for a later pass), its buckets and its rows."""

    name: str
    n_splits: int
    n_buckets: int
    n_rows: int


@dataclass(frozen=True)
class StagePlan:
    """A stage: `state` is ``new``, ``again`` (made again, for these reasons) or ``reused``."""

    name: str
    state: str
    reasons: tuple[str, ...] = ()


_INPUT_HEADER = ("input", "kind", "files", "rows", "size")


@dataclass(frozen=True, repr=False)
class Plan:
    """The work of `winnow label` and its cost, before anything is read or made.

    `print` gives the text of ``winnow plan``.

    Attributes
    ----------
    run
        The run folder; None if none is given.
    inputs
        ``kind``, ``path``, ``n_files``, ``n_bytes`` and ``n_rows`` of each input; the rows are
        guessed from the size unless ``is_exact``. The taxonomy is the last one, with 0 rows.
    skipped
        Number of files in the folders of inputs that no reader takes, by their ending.
    n_rows
        Rows that the passes read.
    passes
        ``name``, ``n_splits`` (at most so many) and ``n_buckets`` of each shuffle, in their order.
    disk
        ``name``, ``bytes_per_row`` and ``n_bytes`` of each output and scratch folder.
    n_bytes_needed, n_bytes_free
        The most bytes on disk at a time, and those that are free in `folder`.
    folder
        The folder that holds or will hold the run; without one, the working folder.
    n_bytes_memory
        Memory that each worker process takes.
    stages
        With a run folder: ``name``, ``state`` (new, again or reused) and ``reasons`` of the signals
        and the candidates.
    attempts
        Outputs of an interrupted run, as in `Status`.
    """

    run: Path | None
    inputs: tuple[Source, ...]
    skipped: Mapping[str, int]
    n_rows: int
    passes: tuple[Work, ...]
    disk: tuple[Part, ...]
    n_bytes_needed: int
    n_bytes_free: int
    folder: Path
    n_bytes_memory: int
    stages: tuple[StagePlan, ...]
    attempts: tuple[Attempt, ...]

    def __str__(self) -> str:
        parts = [
            _input_lines(self.inputs),
            self._skipped_lines(),
            _pass_lines(self.passes),
            self._disk_lines(),
        ]
        parts += [[self._memory_line()], [*self._stage_lines()]]
        return "\n\n".join("\n".join(lines) for lines in parts if lines)

    def __repr__(self) -> str:
        return f"<Plan of {len(self.inputs)} inputs and {len(self.passes)} passes>"

    def _repr_html_(self) -> str:
        rows = map(_input_cells, self.inputs[:MAX_ROWS])
        disk = f"disk: ~{size(self.n_bytes_needed)} at most, {size(self.n_bytes_free)} free"
        notes = (*self._skipped_lines(), disk, self._memory_line(), *self._stage_lines())
        shown = html_table(repr(self)[1:-1], _INPUT_HEADER, rows)
        return shown + "".join(f"<p>{escape(visible(note))}</p>" for note in notes)

    def _skipped_lines(self) -> list[str]:
        return [skipped_sentence(self.skipped)] if self.skipped else []

    def _disk_lines(self) -> list[str]:
        lines = [("disk", "rows", "bytes a row", "size", "")]
        for part in self.disk:
            kept = "deleted at the end" if "scratch" in part.name else ""
            each, needed = f"× {part.bytes_per_row}", f"= {size(part.n_bytes)}"
            lines.append((part.name, f"{self.n_rows:,}", each, needed, kept))
        lines.append(("at most at a time", "", "", f"~{size(self.n_bytes_needed)}", ""))
        lines.append(("free", "", "", size(self.n_bytes_free), f"in {self.folder}"))
        return table(lines, (1, 2, 3))

    def _memory_line(self) -> str:
        memory = size(self.n_bytes_memory)
        return f"memory: about {memory} for each process of {n_threads()} threads"

    def _stage_lines(self) -> Iterator[str]:
        """Yield lines that name what exists and is used again, and what is made, and why."""
        n_bytes = size(sum(source.n_bytes for source in self.inputs))
        used = {
            "signals": f"the digests of {n_bytes} of inputs have not changed",
            "candidates": "the signals have not changed",
        }
        for stage in self.stages:
            if stage.state == "new":
                yield f"{stage.name}: will be made"
            elif stage.state == "again":
                # Only `winnow label` computes the digests of the inputs.
                seems = ", it seems" if stage.name == "signals" else ""
                yield f"{stage.name}: will be made again{seems}: {'; '.join(stage.reasons)}"
            else:
                yield f"{stage.name}: there, and used again if {used[stage.name]}"
        for attempt in self.attempts:
            yield from attempt.lines()
            yield "  continued if inputs, settings and winnow have not changed"


def plan(config: Config, run_dir: Path | None) -> Plan:
    """Return inputs, shuffles, disk, memory, and what is done already; nothing is read or made.

    Parameters
    ----------
    config
        The settings; `base` is absolute.
    run_dir
        The run folder, which may be missing; without one, the free space is that of the working
        folder.

    Raises
    ------
    InputError
        If an input is missing or the footer of one cannot be read.
    """
    splits = splits_of(config)
    listed = sources(config, splits)
    signals = None if run_dir is None else _current_signals(run_dir)
    reasons = None if run_dir is None else why_signals_again(config, run_dir)
    kept = signals if reasons == [] else None
    n_rows = sum(source.n_rows for source in listed)
    if kept is not None:
        n_rows = sum(int(kept.counts.get(schema.name, 0)) for schema in inputs.SCHEMAS)
    shuffles = _shuffles(config, splits, n_rows, kept)
    parts, needed = disk(n_rows, kept is None)
    folder, free = free_space(run_dir or Path())
    return Plan(
        run=run_dir,
        inputs=tuple(listed),
        skipped=skipped_by_ending(config, splits),
        n_rows=n_rows,
        passes=tuple(shuffles),
        disk=tuple(parts),
        n_bytes_needed=needed,
        n_bytes_free=free,
        folder=folder,
        n_bytes_memory=max(memory(work.n_rows, work.n_buckets) for work in shuffles),
        stages=() if run_dir is None else _stages(config, run_dir, reasons, signals),
        attempts=() if run_dir is None else attempts(run_dir),
    )


def _stages(
    config: Config, run_dir: Path, reasons: list[str] | None, signals: Stage | None
) -> tuple[StagePlan, StagePlan]:
    why = None if signals is None else why_candidates_again(config, signals.content, run_dir)
    return _stage_plan("signals", reasons), _stage_plan("candidates", why)


def _stage_plan(name: str, reasons: list[str] | None) -> StagePlan:
    if reasons is None:
        return StagePlan(name, "new")
    return StagePlan(name, "again" if reasons else "reused", tuple(reasons))


def _current_signals(run_dir: Path) -> Stage | None:
    try:
        return current(run_dir, "signals")
    except WinnowError:
        return None


def _shuffles(
    config: Config, splits: Sequence[Split], n_rows: int, signals: Stage | None
) -> list[Work]:
    n_first = inputs.GROWTH * sum(input_paths(config, splits).values())
    if signals is not None:
        n_signals, n_events = signals.counts["signals"], signals.counts["feedback"]
        n_links = signals.counts["links"]
        n_later = n_signals + n_links
        n_edges = n_links + signals.counts["placements"]
    else:
        n_signals, n_edges, n_later = n_rows, n_rows, n_rows
        n_events = n_rows if config.feedback else 0
    shuffles = [] if signals is not None else _first_shuffles(config, splits, n_first)
    n_files = dict.fromkeys((schema.name for schema in inputs.SCHEMAS), n_buckets_for(n_first))
    support_only = config.label.support_only
    taxonomy = taxonomy_files(config)
    for step in passes_of(taxonomy, support_only, n_signals, n_events, Path(), n_edges):
        n_buckets = step.buckets(n_later)
        # A pass has at most as many splits as its inputs have files: a file for each bucket.
        n_splits = sum(n_files.get(table, 1) for table in step.inputs)
        shuffles.append(Work(step.name, n_splits, n_buckets, step.growth * n_later))
        n_files |= dict.fromkeys(step.outputs, n_buckets)
    return shuffles


def _first_shuffles(config: Config, splits: Sequence[Split], n_rows: int) -> list[Work]:
    """Return the shuffle of the inputs, and that of the images of archives before it."""
    n_buckets = n_buckets_for(n_rows)
    with_images = stored.splits_with_images(config, splits)
    if not with_images:
        return [Work("inputs", len(splits), n_buckets, n_rows)]
    step = stored.make_pass(config, with_images)
    n_files = step.n_buckets or 1  # of rejects, which are read with the inputs
    first = Work(step.name, len(with_images), n_files, n_rows)
    return [first, Work("inputs", len(splits) + n_files, n_buckets, n_rows)]


def _input_lines(listed: Sequence[Source]) -> list[str]:
    n_files, n_bytes, n_rows = (
        sum(getattr(source, name) for source in listed) for name in ("n_files", "n_bytes", "n_rows")
    )
    is_exact = all(source.is_exact for source in listed)
    together = Source("", "together", n_files, n_bytes, n_rows, is_exact)
    lines = table([_INPUT_HEADER, *map(_input_cells, (*listed, together))], (2, 3, 4))
    if not is_exact:
        lines.append(
            f"~ guessed from the size: a row for each {Input.bytes_per_row:,} bytes,"
            f" {WebdatasetInput.bytes_per_row:,} of a tar; exact for Parquet files"
        )
    return lines


def _input_cells(source: Source) -> tuple[str, ...]:
    rows = f"{'' if source.is_exact else '~'}{source.n_rows:,}"
    shown = "" if source.kind == "taxonomy" else rows
    return (source.path, source.kind, f"{source.n_files:,}", shown, size(source.n_bytes))


def _pass_lines(passes: Sequence[Work]) -> list[str]:
    lines = [("pass", "splits", "buckets")]
    for number, work in enumerate(passes):
        most = "≤ " if number or work.name not in ("stored", "inputs") else ""
        lines.append((work.name, f"{most}{work.n_splits:,}", f"{work.n_buckets:,}"))
    return table(lines, (1, 2))
