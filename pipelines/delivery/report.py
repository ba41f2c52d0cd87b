"""`winnow report`: the facts of all stages of a run, on one page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from curation.intervals.judgements import judgements
from curation.pairs.pair_keys import find_pairs
from curation.report.facts import rounded
from curation.report.figures import write_figures
from curation.report.labels import describe_labels, senses
from curation.report.report import write_report
from curation.runs.durable import reporting_write_errors
from curation.runs.stage import MADE_BY, Stage, current, open_stage, outdated_by
from curation.selection.selection import random_share
from labeling.keys.arrays import Mask
from labeling.schemas import AUDITS, SCORED, SELECTED
from labeling.taxonomy.taxonomy import Taxonomy
from pipelines.delivery.findings import (
    confusions,
    describe_audits,
    describe_sources_of,
    funnel,
    with_pictures,
)
from pipelines.delivery.label_sets import LABEL_SETS
from pipelines.delivery.truth import read_truth
from pipelines.evidence.added import with_added
from pipelines.evidence.proposals import proposal_facts
from pipelines.run.config import Config
from pipelines.run.progress import notify, stage_line
from pipelines.run.saved_config import find_input
from pipelines.run.stages import stage_name, taxonomy_of
from pipelines.selecting.ablation import read_ablation
from pipelines.selecting.select import read_groups
from pipelines.selecting.tuning import as_selected, read_tuning, select_command
from pipelines.studies.page import studies_in

Facts = dict[str, Any]


def report(
    config: Config, run_dir: Path, out_dir: Path | None = None, figures_dir: Path | None = None
) -> Path:
    """Write ``report.json`` and ``report.html`` from the stages that a run has.

    Parameters
    ----------
    out_dir
        Folder of the files, made if it is missing; by default the run folder.
    figures_dir
        Folder for the figures as PNG and SVG, made if it is missing; by default they are only on
        the page.

    Returns
    -------
    Path
        The page.
    """
    candidates = open_stage(run_dir, "candidates")
    taxonomy = taxonomy_of(candidates)
    stages, sense = _stages(run_dir), senses(taxonomy)
    for folder in filter(None, (out_dir, figures_dir)):
        with reporting_write_errors("report", folder):
            folder.mkdir(parents=True, exist_ok=True)
    facts: Facts = {
        "candidates": candidates.counts["candidates"],
        "stages": {  # the digest of the content changes with any file of the stage
            name: {"content": stage.content, "counts": dict(stage.counts)}
            for name, stage in stages.items()
        },
        "limit": candidates.facts.get("limit"),
        "bursts": [
            {**row, "name": taxonomy.display_name(code), "sense": sense[code]}
            for row in candidates.facts.get("bursts", [])
            for code in [taxonomy.code(row["label_id"])]
        ],
    }
    with stage_line("report"):
        if current(run_dir, "selected") is not None:
            facts |= _selection(config, run_dir, candidates, taxonomy)
        facts |= proposal_facts(run_dir)
        facts |= _measures(run_dir)
        facts["studies"] = list(studies_in(run_dir))
        facts["run"] = {name: dict(stage.manifest["run"]) for name, stage in stages.items()}
        if "selected" in stages:
            used = as_selected(config, stages["selected"])
            facts["run"]["select"] = select_command(run_dir, used, config)
        if figures_dir is not None:
            write_figures(rounded(facts), figures_dir)
        return write_report(facts, out_dir or run_dir)


def _stages(run_dir: Path) -> dict[str, Stage]:
    names = [stage_name(stage, label_set) for stage in MADE_BY for label_set in LABEL_SETS]
    stages = {name: current(run_dir, name) for name in names}
    return {name: stage for name, stage in stages.items() if stage is not None}


def _selection(config: Config, run_dir: Path, candidates: Stage, taxonomy: Taxonomy) -> Facts:
    stage, audits = open_stage(run_dir, "selected"), open_stage(run_dir, "audits")
    selected, confidence = stage.table(SELECTED), stage.facts["confidence"]
    judged = judgements(audits.table(AUDITS), selected)
    truth = None
    if config.audit.truth is not None:
        truth = read_truth(find_input(config, config.audit.truth), taxonomy)
    right = None if truth is None else find_pairs(selected, truth) >= 0
    facts: Facts = {
        **stage.facts,
        "kept": stage.counts["out"],
        "kept_share": stage.counts["out"] / max(stage.counts["in"], 1),
        "funnel": funnel(stage, _up_to_date(run_dir, "shards")),
        "threshold_table": json.loads((stage.dir / "thresholds.json").read_text("utf-8")),
        "tuning": _tuning(config, run_dir, stage),
        "groups": read_groups(stage),
        "labels": describe_labels(selected, judged, taxonomy, confidence, right),
        "sources": describe_sources_of(with_added(candidates), judged, confidence),
        "confusions": confusions(selected, judged, taxonomy, truth),
        "audits": describe_audits(audits),
        "rejects": _rejects(run_dir, stage),
        **read_ablation(run_dir),
    }
    if right is not None:
        facts |= _against_truth(selected, right)
    return with_pictures(config, run_dir, selected, judged, taxonomy, facts)


def _tuning(config: Config, run_dir: Path, selected: Stage) -> Facts | None:
    """Return the table of the slider, or None with a message."""
    table = read_tuning(selected)
    if table is None:
        notify(
            "the selection is of an earlier version: the report has no slider until it is made"
            f" again, with `{select_command(run_dir, as_selected(config, selected), config)}`"
        )
    return table


def _against_truth(selected: pa.Table, right: Mask) -> Facts:
    kept = np.asarray(selected["kept"], bool)
    share = kept.mean() if len(kept) else 0.0
    by_chance = kept
    if share > 0:
        drawn = random_share(selected.select(SCORED.arrow.names), float(share), seed=0)
        by_chance = np.asarray(drawn.table["kept"], bool)
    return {
        "true_precision": _mean(right[kept]),
        "true_precision_all": _mean(right),
        "true_precision_random": _mean(right[by_chance]),
        "true_recall_of_pool": float(right[kept].sum() / max(right.sum(), 1)),
    }


def _rejects(run_dir: Path, selected: Stage) -> dict[str, int]:
    """Return how many inputs, candidates and images were dropped, by reason."""
    signals = current(run_dir, "signals")
    reasons: dict[str, int] = dict(signals.counts["rejects_by_reason"]) if signals else {}
    others = (_up_to_date(run_dir, "images"), _up_to_date(run_dir, "shards"))
    stages = [selected, *filter(None, others)]
    for stage in stages:
        for reason, n in stage.counts["dropped"].items():
            reasons[reason] = reasons.get(reason, 0) + n
    return reasons


def _measures(run_dir: Path) -> Facts:
    """Return the measures of each label set's model; also ``map`` if only the selected has one."""
    facts: Facts = {"models": []}
    for label_set in LABEL_SETS:
        name = stage_name("evaluation", label_set)
        if _up_to_date(run_dir, name) is not None:
            measures = open_stage(run_dir, name).facts
            trained = open_stage(run_dir, stage_name("model", label_set))
            facts[f"map_{label_set}"] = measures["map"]
            training = {**trained.counts, "final_loss": trained.facts["final_loss"]}
            facts["models"].append({"label_set": label_set, **measures, **training})
        elif current(run_dir, name) is not None:
            notify(f"{name} is of an earlier selection: the report leaves it out")
    if [row["label_set"] for row in facts["models"]] == ["selected"]:
        facts["map"] = facts["map_selected"]
    return facts


def _up_to_date(run_dir: Path, name: str) -> Stage | None:
    """Return the current output of a stage, unless a stage that it was made from has changed."""
    stage = current(run_dir, name)
    return None if stage is None or outdated_by(run_dir, stage) is not None else stage


def _mean(flags: Mask) -> float:
    return float(flags.mean()) if len(flags) else float("nan")
