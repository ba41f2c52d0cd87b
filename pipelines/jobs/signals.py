"""The stage ``signals``: rows of all inputs, sorted and counted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.runs.stage import Stage, current, open_stage
from curation.runs.staging import StageWriter, reuse, write_stage
from curation.runs.table_files import read_table
from labeling.errors import InputError, QualityError
from labeling.objects.paths import ObjectPath, path_of
from labeling.schemas import REJECTS, SKIPS
from labeling.taxonomy.published import TaxonomyFiles
from pipelines.inputs.splits import (
    input_digests,
    input_of,
    input_paths,
    skipped_by_ending,
    splits_of,
)
from pipelines.jobs.images import changed_images
from pipelines.passes import inputs, stored
from pipelines.passes.labeling_pass import run_passes
from pipelines.run.config import Config, LabelSettings
from pipelines.run.dependencies import settings_of
from pipelines.run.losses import by_reason, reasons
from pipelines.run.progress import notify, stage_line
from pipelines.shuffle.engine import Split
from pipelines.shuffle.workspace import Workspace, workspace_for

MAX_PRINTED = 10
"""Files of which it is printed how they are read."""


def make_signals(
    config: Config, labels: TaxonomyFiles, run_dir: Path, beam_options: Sequence[str]
) -> Stage:
    """Make the signals of a run, or reuse them.

    Parameters
    ----------
    config
        The settings; `base` is absolute.
    labels
        The taxonomy: feedback about other labels is rejected.
    run_dir
        The run folder.
    beam_options
        Options for Beam.

    Raises
    ------
    InputError
        If an input is missing, or none has a row.
    QualityError
        If more rows are rejected, or more archives cut, than the settings allow.
    """
    _refuse_sample(config, run_dir)
    splits = splits_of(config)
    made_from: dict[str, Any] = {
        "inputs": input_digests(config, splits),
        "config": settings_of("signals", config),
    }
    with stage_line("signals") as facts:
        earlier = reuse(run_dir, "signals", **made_from)
        if earlier is None or changed_images(config, earlier):
            with write_stage(run_dir, "signals", **made_from, resume=True) as work:
                workspace = workspace_for(config, run_dir, work)
                if workspace.is_remote and not _reads_objects(config, splits):
                    workspace, beam_options = Workspace(work.dir, work.scratch), ()
                _read_inputs(config, labels, splits, workspace, beam_options)
                _describe(work, config, splits)
                _refuse_losses(work, config.label)
            workspace.close()
        else:
            _refuse_losses(earlier, config.label)
            facts.append("unchanged")
        stage = open_stage(run_dir, "signals")
        facts += _line(stage)
    return stage


def _reads_objects(config: Config, splits: Sequence[Split]) -> bool:
    """Return whether all inputs are objects, which workers without our disk can read."""
    paths = (path_of(config.base), *input_paths(config, splits))
    return all(isinstance(path, ObjectPath) for path in paths)


def _read_inputs(
    config: Config,
    labels: TaxonomyFiles,
    splits: Sequence[Split],
    workspace: Workspace,
    beam_options: Sequence[str],
) -> None:
    """Run the passes, the last of which writes the tables of the stage."""
    n_rows = sum(input_paths(config, splits).values())
    labels = workspace.taxonomy(labels)
    with_images = stored.splits_with_images(config, splits)
    if not with_images:
        passes = [inputs.make_pass(inputs.ReadInputs(config, labels, None))]
    else:
        index = stored.make_pass(config, with_images)
        read = inputs.ReadInputs(config, labels, workspace.scratch / index.name)
        # Of the tables of the index, the rejects are read.
        passes = [index, inputs.make_pass(read)._replace(inputs=(REJECTS.name,))]
    of_passes = {passes[-1].name: splits, "stored": with_images}
    run_passes(passes, n_rows, workspace, beam_options, given={}, splits=of_passes)


def _describe(work: StageWriter, config: Config, splits: Sequence[Split]) -> None:
    """Write counts and facts of the tables, and of the files that they are made from."""
    rejects = read_table(work.dir, "rejects")
    _count_rows(work, rejects)
    work.counts["skipped"] = skipped_by_ending(config, splits) | _skipped_records(work)
    work.facts["guessed"] = _notify_guesses(config, splits)
    _count_files(work, splits, rejects)
    work.facts["limit"] = config.label.limit


def _line(stage: Stage) -> Iterator[str]:
    """Yield the facts of the stage's line."""
    if stage.facts["limit"] is not None:
        yield f"a sample of {stage.facts['limit']:,} rows of each input"
    for table in ("images", "signals", "links", "feedback", "rejects"):
        yield f"{stage.counts[table]:,} {table}"
    yield from reasons(stage.counts)


def _notify_guesses(config: Config, splits: Sequence[Split]) -> dict[str, str]:
    """Print and return how the files are read of which that was guessed."""
    guesses: dict[str, str] = {}
    for split in splits:
        entry, files = input_of(config, split)
        guesses |= entry.notes(path_of(config.base), files)
    for file, guess in [*guesses.items()][:MAX_PRINTED]:
        notify(f"{file}: {guess}")
    if len(guesses) > MAX_PRINTED:
        notify(f"… {len(guesses):,} files in all, see the manifest of the signals, as guessed")
    return guesses


def _refuse_sample(config: Config, run_dir: Path) -> None:
    """Raise `InputError` if a sample would take the place of the signals of all rows."""
    made = current(run_dir, "signals")
    if config.label.limit is not None and made is not None and made.facts.get("limit") is None:
        raise InputError(
            "the run holds the rows of all inputs; a sample would replace them",
            facts={"folder": run_dir, "limit": config.label.limit},
            help="name another run folder for the sample",
        )


def _count_rows(work: StageWriter, rejects: pa.Table) -> None:
    for schema in inputs.SCHEMAS:
        paths = work.dir.glob(f"{schema.name}-*.parquet")
        work.counts[schema.name] = sum(pq.read_metadata(path).num_rows for path in paths)
    work.counts["images_without_bytes"] = sum(
        pc.sum(pc.equal(pq.read_table(path, columns=["n_bytes"])["n_bytes"], 0)).as_py() or 0
        for path in work.dir.glob("images-*.parquet")
    )
    work.counts["rejects_by_reason"] = by_reason(rejects)


def _skipped_records(work: StageWriter) -> dict[str, int]:
    """Return the number of records of archives that are not used, by kind."""
    numbers = read_table(work.dir, SKIPS.name).group_by("kind").aggregate([("n_records", "sum")])
    return {row["kind"]: row["n_records_sum"] for row in numbers.sort_by("kind").to_pylist()}


def _count_files(work: StageWriter, splits: Sequence[Split], rejects: pa.Table) -> None:
    """Count the files that are cut or damaged.

    The pages of a site are not among them: each is one item.
    """
    files = {file for split in splits if split.kind != "site" for file in split.arguments[1]}
    damages = list(_damages(rejects, files))
    causes = {file: cause for file, _, cause in damages}
    bad = {file for file, reason, _ in damages if reason == inputs.BAD_FILE}
    cut = sorted(causes)
    if bad and bad == files:
        raise InputError(
            "no input file can be read" if len(bad) > 1 else "the input file cannot be read",
            facts={file: causes[file] for file in cut[:10]},
            help="create them again from their source",
        )
    work.counts["files"] = {"whole": len(files) - len(cut), "cut": len(cut)}
    work.facts["cut_files"] = cut


def _damages(rejects: pa.Table, files: Set[str]) -> Iterator[tuple[str, str, str]]:
    """Yield the file, the reason and the cause of each reject of a file that is cut or damaged."""
    damaged = rejects.filter(pc.is_in(rejects["reason"], pa.array(["truncated", inputs.BAD_FILE])))
    for row in damaged.to_pylist():
        # The name of a file ends before a #, and can hold one itself.
        for mark in re.finditer("#", row["where"]):
            if (file := row["where"][: mark.start()]) in files:
                yield file, row["reason"], row["value"]


def _refuse_losses(output: StageWriter | Stage, settings: LabelSettings) -> None:
    """Raise `QualityError` if more of the inputs is lost than the settings allow.

    The settings are not in the fingerprint, so signals that are reused are compared again.
    """
    files, cut = output.counts["files"], output.facts["cut_files"]
    n_files = sum(files.values())
    if len(cut) > settings.max_cut_share * n_files:
        rejects = read_table(output.dir, "rejects")
        causes = [cause for _, _, cause in _damages(rejects, {cut[0]})]
        raise QualityError(
            f"{len(cut):,} of {n_files:,} input files are cut or damaged, more than"
            " label.max_cut_share",
            facts={
                "limit": settings.max_cut_share,
                "first": ", ".join(cut[:3]),
                "cause": causes[-1],
            },
            help="fetch them again, or raise label.max_cut_share to take what they hold",
        )
    _limit_rejects(output.dir, output.counts, settings.max_reject_share)


def _limit_rejects(folder: Path, counts: Mapping[str, Any], limit: float) -> None:
    n_rejects = counts["rejects"]
    n_rows = n_rejects + counts["signals"] + counts["links"] + counts["feedback"]
    if n_rows == 0:
        raise InputError("the inputs hold no row", help="check the paths in the configuration")
    if n_rejects <= limit * n_rows:
        return
    rows = read_table(folder, "rejects").slice(0, 3).to_pylist()
    first = "; ".join(f"{row['where']}: {row['reason']} ({row['value']})" for row in rows)
    raise QualityError(
        f"{n_rejects:,} of {n_rows:,} input rows were rejected, more than label.max_reject_share",
        facts={"limit": limit, **counts["rejects_by_reason"], "first": first},
        help="correct the inputs, or raise label.max_reject_share",
    )
