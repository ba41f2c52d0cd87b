"""Worth of each source: the share that can be proved without its votes, and its precision."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from curation.intervals.judgements import Judgements
from curation.intervals.learn_then_test import largest_proved
from curation.intervals.thresholds import thresholds
from curation.report.facts import rounded
from curation.runs.stage import Stage, current, open_stage, outdated_by
from curation.runs.staging import StageWriter
from curation.scoring.parts import Parts, score_parts
from labeling.keys.arrays import Floats32, Mask
from labeling.schemas import AUDITS, SCORED
from pipelines.auditing.auditor_errors import rates_of
from pipelines.evidence.added import with_added
from pipelines.looking.targets import without
from pipelines.run.config import Config
from pipelines.run.dependencies import digests_of, settings_of
from pipelines.run.progress import Progress, stage_line
from pipelines.run.stages import contents, make_stage, taxonomy_of
from pipelines.selecting.scores import parts_of
from pipelines.selecting.select import judge

STAGE, FILE = "ablation", "ablation.json"

PRECISION = 0.9
"""Precision to prove where the settings ask for a share."""

MAX_SOURCES = 20
"""Sources that are left out, one by one: those with most votes."""


def ablate(config: Config, run_dir: Path) -> Stage:
    """Measure what can be proved without each source, or reuse what was measured.

    The candidates are scored again without the votes and silences of the source, by the same
    audits. Those that no other source names cannot be kept then. Floors and limits of the selection
    have no part in it.

    Raises
    ------
    InputError
        If the run has no scores.
    """
    candidates, audits, scored = (
        open_stage(run_dir, name) for name in ("candidates", "audits", "scored")
    )

    def write(work: StageWriter) -> None:
        errors = rates_of(config, audits, config.select.confidence)
        rows = scored.packed(SCORED)
        judged = judge(run_dir, candidates, audits.table(AUDITS), rows)
        judged = replace(judged, errors=errors)
        measured = _measure(config, judged, np.asarray(rows["p_correct"]))
        measured["sources"] = list(_without_each(config, candidates, judged, audits))
        (work.dir / FILE).write_text(json.dumps(rounded(measured)) + "\n", "utf-8")
        work.counts["sources"] = len(measured["sources"])

    with stage_line(STAGE) as facts:
        stage = make_stage(
            run_dir,
            STAGE,
            write,
            inputs=contents(candidates, audits, scored, with_added(candidates))
            | digests_of(STAGE, config),
            config=settings_of(STAGE, config),
        )
        facts.append(f"candidates scored without each of {stage.counts['sources']:,} sources")
    return stage


def read_ablation(run_dir: Path) -> dict[str, Any]:
    """Return the fact ``ablation`` of a report; empty if it is not of the present scores."""
    stage = current(run_dir, STAGE)
    if stage is None or outdated_by(run_dir, stage) is not None:
        return {}
    return {"ablation": json.loads((stage.dir / FILE).read_text("utf-8"))}


def _without_each(
    config: Config, candidates: Stage, judged: Judgements, audits: Stage
) -> Iterator[dict[str, Any]]:
    """Yield what can be proved without each source, those with most votes first."""
    taxonomy, verdicts = taxonomy_of(candidates), audits.table(AUDITS)
    supported, progress = with_added(candidates), Progress(STAGE, "sources")
    named = _votes(parts_of(supported)).most_common(MAX_SOURCES)
    for number, (source, n_votes) in enumerate(named, 1):
        parts = without(parts_of(supported), (source,))
        p_correct, _, _ = score_parts(parts, taxonomy, verdicts)
        p_correct[~_is_named(parts)] = 0
        yield {"source": source, "n_votes": n_votes, **_measure(config, judged, p_correct)}
        progress(number, len(named))


def _measure(config: Config, judged: Judgements, p_correct: Floats32) -> dict[str, Any]:
    """Return the share that can be proved, and the precision of the share that is kept."""
    settings = config.select
    target, cuts = settings.precision or PRECISION, thresholds(judged, p_correct)
    row = largest_proved(cuts, target, 1 - settings.confidence)
    share = cuts.n_kept / max(len(p_correct), 1)
    kept = min(int(np.searchsorted(share, settings.keep)), len(share) - 1)
    return {
        "target": target,
        "confidence": settings.confidence,
        "proved": 0.0 if row is None else share[row],
        "keep": settings.keep,
        "precision": cuts.known.precision[kept],
    }


def _votes(parts: Parts) -> Counter[str]:
    """Return the number of votes of each source, the most first and equal ones by name."""
    counts: Counter[str] = Counter()
    for part in parts(["evidence"]):
        source = pc.struct_field(pc.list_flatten(part["evidence"]), "source")
        for row in pc.value_counts(source).to_pylist():
            counts[row["values"]] += row["counts"]
    return Counter(dict(sorted(counts.items())))


def _is_named(parts: Parts) -> Mask:
    """Return whether each candidate has a vote."""
    lengths = [pc.list_value_length(part["evidence"]) for part in parts(["evidence"])]
    return np.concatenate([np.asarray(of_part) > 0 for of_part in lengths])
