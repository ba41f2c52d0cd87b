"""The stage ``candidates``: the passes of `pipelines.passes.plan` over the signals."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.runs.stage import Stage, open_stage
from curation.runs.staging import StageWriter, refuse_nothing, reuse, write_stage
from curation.runs.table_files import by_table, write_table
from labeling.links import links
from labeling.matching import boilerplate
from labeling.schemas import PHRASE_REASONS
from labeling.taxonomy.published import TaxonomyFiles
from labeling.taxonomy.taxonomy import Taxonomy
from pipelines.passes.labeling_pass import run_passes
from pipelines.passes.plan import plan
from pipelines.passes.tables import sum_by_reason
from pipelines.passes.votes import count_events, list_bursts
from pipelines.run.config import Config
from pipelines.run.dependencies import digests_of, settings_of
from pipelines.run.losses import ignored_feedback
from pipelines.run.progress import stage_line
from pipelines.shuffle.workspace import Workspace, workspace_for
from pipelines.workers.taxonomies import taxonomy_at

_COUNTED = {"phrases", "discounts", "caps", "ignored"}
"""Tables of the passes that the manifest of the stage sums up."""


def make_candidates(
    config: Config,
    labels: TaxonomyFiles,
    signals: Stage,
    name_facts: Mapping[str, Sequence[str]],
    run_dir: Path,
    beam_options: Sequence[str],
) -> Stage:
    """Make the candidates of a run, or reuse them.

    Parameters
    ----------
    config
        The settings; `base` is absolute.
    labels
        The taxonomy, with digests.
    signals
        The stage ``signals``.
    name_facts
        Sentences about names and keys of the taxonomy, for the manifest.
    run_dir
        The run folder.
    beam_options
        Options for Beam.

    Raises
    ------
    InputError
        If there are texts or feedback, and no label fits any.
    """
    taxonomy = taxonomy_at(labels)
    inputs = {"signals": signals.content, **digests_of("candidates", config)}
    settings = settings_of("candidates", config)
    with stage_line("candidates") as facts:
        if reuse(run_dir, "candidates", inputs=inputs, config=settings) is None:
            with write_stage(
                run_dir, "candidates", inputs=inputs, config=settings, resume=True
            ) as work:
                workspace = workspace_for(config, run_dir, work)
                counted = _run_passes(config, labels, signals, workspace, beam_options)
                _count_candidates(work)
                _count_reasons(work, counted, workspace.scratch / "votes", taxonomy)
                _refuse_no_candidates(signals.counts, work.counts["candidates"], len(taxonomy))
                shutil.copy(counted["phrases"][0], work.dir)
                write_table(taxonomy.to_table(), work.dir, "taxonomy")
                work.facts |= {name: list(sentences) for name, sentences in name_facts.items()}
                work.facts["limit"] = config.label.limit
            workspace.close()
        else:
            facts.append("unchanged")
        stage = open_stage(run_dir, "candidates")
        facts += _facts(stage.counts, len(taxonomy))
    return stage


def _run_passes(
    config: Config,
    labels: TaxonomyFiles,
    signals: Stage,
    workspace: Workspace,
    beam_options: Sequence[str],
) -> dict[str, list[Path]]:
    """Run the passes; return copies on this machine of the tables in `_COUNTED`, of all passes."""
    n_signals, n_links = signals.counts["signals"], signals.counts["links"]
    passes = plan(
        workspace.taxonomy(labels),
        config.label.support_only,
        n_signals,
        signals.counts["feedback"],
        workspace.scratch,
        n_edges=n_links + signals.counts["placements"],
    )
    given = workspace.share(by_table(signals.paths()))
    run_passes(passes, n_signals + n_links, workspace, beam_options, given, splits={})
    counted: dict[str, list[Path]] = defaultdict(list)
    for labeling_pass in passes[:-1]:
        files = workspace.files(labeling_pass.name)
        for table in _COUNTED & files.keys():
            counted[table] += workspace.local(files[table])
    return counted


def _refuse_no_candidates(given: Mapping[str, Any], n_candidates: int, n_labels: int) -> None:
    """Raise `InputError` if there are texts or feedback, and no label fits any."""
    rows = {name: given[name] for name in ("signals", "feedback")}
    refuse_nothing(
        "candidates",
        {"in": sum(rows.values()), "out": n_candidates},
        {**{name: f"{n:,}" for name, n in rows.items()}, "labels": f"{n_labels:,}"},
        "no text holds the name of a label: give the taxonomy names as the texts use them, in their"
        " language, and check `columns` of the inputs and label.support_only, whose sources do not"
        " open a candidate",
    )


def _count_candidates(work: StageWriter) -> None:
    """Count candidates, images and labels, a file at a time: no image is in two of them."""
    n_rows, n_images = 0, 0
    labels: set[str] = set()
    for path in sorted(work.dir.glob("candidates-*.parquet")):
        pairs = pq.read_table(path, columns=["image_id", "label_id"])
        n_rows += len(pairs)
        n_images += pc.count_distinct(pairs["image_id"]).as_py()
        labels.update(pairs["label_id"].unique().to_pylist())
    work.counts |= {"candidates": n_rows, "images": n_images, "labels": len(labels)}


def _count_reasons(
    work: StageWriter, counted: Mapping[str, Sequence[Path]], votes_dir: Path, taxonomy: Taxonomy
) -> None:
    """Count discounted signals, capped pages, ignored events and phrases by reason."""
    work.counts |= sum_by_reason(counted["discounts"], "n_signals", boilerplate.REASONS)
    work.counts |= sum_by_reason(counted["caps"], "n_pages", links.REASONS)
    (phrases,) = counted["phrases"]
    reasons = pq.read_table(phrases)["reason"].to_pylist()
    work.counts |= {reason: reasons.count(reason) for reason in PHRASE_REASONS}
    work.facts["bursts"] = []
    if counted["ignored"]:
        work.counts |= count_events(votes_dir, counted["ignored"])
        work.facts["bursts"] = list_bursts(votes_dir, taxonomy)


def _facts(counts: Mapping[str, Any], n_labels: int) -> list[str]:
    return [
        f"{counts['candidates']:,} candidates: {counts['labels']:,} of {n_labels:,} labels on"
        f" {counts['images']:,} images",
        f"{counts['fixed_phrase']:,} fixed phrases and {counts['stop_name']:,} stop names",
        *ignored_feedback(counts),
    ]
