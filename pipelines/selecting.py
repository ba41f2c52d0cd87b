"""`winnow select`: the candidates are scored, and the best of them are kept."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.audits import effective
from curation.manifest import Stage, current, open_stage, reuse, staged, write_parquet
from curation.pairs import find_pairs
from curation.precision import precision_interval
from curation.promise import prove
from curation.selection import Beyond, Selection, beyond_limits, select_above, select_share
from curation.thresholds import Thresholds, thresholds
from labeling.errors import InputError
from labeling.schemas import AUDITS, CANDIDATES, INTERVALS, SCORED
from pipelines.auditing.drawing import answer_audits
from pipelines.auditing.strata import strata_of
from pipelines.config import Config, SelectSettings
from pipelines.scores import score_candidates
from pipelines.talk import say, step


def select(config: Config, run_dir: Path) -> Stage:
    """Score the candidates with what the audits say, and keep the best.

    Either the share that is asked for, or as many as can be proved to be as precise as asked.

    Raises
    ------
    QualityError
        If the precision asked for cannot be proved; nothing is written then.
    InputError
        If there are no audits: then no precision can be shown.
    """
    candidates = open_stage(run_dir, "candidates")
    if config.audit.truth is not None and _audits_are_missing(run_dir, candidates):
        say(f"audits: drawing {config.audit.n:,} pairs, answered by {config.audit.truth}")
        answer_audits(config, run_dir, None)
    if current(run_dir, "audits") is None:
        raise InputError(
            "precision cannot be shown: the run has no audits",
            facts={"run": run_dir},
            help=f"judge a few hundred pairs: winnow audit sample {run_dir}",
        )
    audits = open_stage(run_dir, "audits")
    make_scores(run_dir, candidates, audits, config.select.venn_abers)
    scored = open_stage(run_dir, "scored")
    inputs = {stage.name: stage.content for stage in (candidates, audits, scored)}
    settings = config.select.model_dump(mode="json")
    with step("selected") as facts:
        if reuse(run_dir, "selected", inputs=inputs, config=settings) is None:
            rows, limits = scored.table(SCORED), config.select
            beyond = beyond_limits(rows, limits.per_image, limits.per_label)
            judged = judge(run_dir, candidates, audits.table(AUDITS), rows, beyond == 0)
            chosen = _choose(config.select, rows, judged.cuts, beyond)
            with staged(run_dir, "selected", inputs=inputs, config=settings) as work:
                write_parquet(chosen.table, work.dir / "selected-00000-of-00001.parquet")
                cuts = judged.cuts.table(len(rows), limits.confidence).to_pylist()
                (work.dir / "thresholds.json").write_text(json.dumps(cuts) + "\n", "utf-8")
                dropped = {
                    item["values"]: item["counts"]
                    for item in pc.value_counts(chosen.table["reason"]).to_pylist()
                    if item["values"] != "kept"
                }
                n = len(chosen.table)
                work.counts |= {"in": n, "out": chosen.n_kept, "dropped": dropped}
                proof = measure(judged, chosen, config.select.confidence)
                work.facts |= {"threshold": chosen.threshold, **proof}
                if config.select.precision is not None:
                    work.facts |= {"precision_held": config.select.precision}
        stage = open_stage(run_dir, "selected")
        told = stage.manifest["facts"]
        facts.append(f"{stage.counts['out']:,} of {stage.counts['in']:,} kept")
        facts.append(
            f"precision {told['precision']:.3f} "
            f"({told['confidence']:.0%} interval {told['precision_low']:.3f} to "
            f"{told['precision_high']:.3f}, from {told['n_audits_kept']} audits)"
        )
    return stage


def _audits_are_missing(run_dir: Path, candidates: Stage) -> bool:
    audits = current(run_dir, "audits")
    return audits is None or audits.manifest["inputs"]["candidates"] != candidates.content


def make_scores(run_dir: Path, candidates: Stage, audits: Stage, intervals: bool) -> None:
    """Commit the scores of all candidates, on demand with their bounds, or reuse them."""
    settings = {"venn_abers": True} if intervals else {}
    inputs = {stage.name: stage.content for stage in (candidates, audits)}
    with step("scored") as facts:
        if reuse(run_dir, "scored", inputs=inputs, config=settings) is None:
            verdicts = audits.table(AUDITS)
            p_correct, scores, n_fitted = score_candidates(candidates, verdicts, intervals)
            pairs = candidates.table(CANDIDATES, ["image_id", "label_id"])
            names = ("p_correct", "p_low", "p_high")
            for name, values in zip(names, np.atleast_2d(p_correct), strict=False):
                pairs = pairs.append_column(name, pa.array(values))
            with staged(run_dir, "scored", inputs=inputs, config=settings) as work:
                for table in (SCORED, INTERVALS) if intervals else (SCORED,):
                    rows = pairs.select(table.arrow.names).cast(table.arrow)
                    write_parquet(rows, work.dir / f"{table.name}-00000-of-00001.parquet")
                work.counts |= {"scored": len(pairs)}
                work.facts |= {
                    "n_audits": scores.n_audits,
                    "n_unsure": scores.n_unsure,
                    "n_contradictory": scores.n_contradictory,
                    "n_unknown": scores.n_unknown,
                    "n_features": scores.n_features,
                    "n_fitted": n_fitted,
                    "folds_boosted": scores.n_boosted,
                    "log_loss": scores.losses,
                }
        told = open_stage(run_dir, "scored").manifest["facts"]
        facts.append(f"learnt from {told['n_audits']:,} audits, {told['n_features']} features")
        facts.append("boosted" if told["folds_boosted"] else "logistic")


@dataclass(frozen=True, eq=False)
class Judged:
    """Audited candidates: their rows, verdicts, inclusion; the stratum of every candidate."""

    row: npt.NDArray[np.int64]
    correct: npt.NDArray[np.bool_]
    p_inclusion: npt.NDArray[np.float64]
    stratum: npt.NDArray[np.int8] | None
    cuts: Thresholds


def judge(
    run_dir: Path,
    candidates: Stage,
    audits: pa.Table,
    scored: pa.Table,
    allowed: npt.NDArray[np.bool_],
) -> Judged:
    """Return what was judged, and what that says of the sets of candidates that may be kept."""
    judged = effective(audits).table
    row = find_pairs(judged, scored)
    judged = judged.filter(pa.array(row >= 0))
    row = row[row >= 0]
    correct = np.asarray(pc.equal(judged["verdict"], "yes"), bool)
    p_inclusion = judged["p_inclusion"].to_numpy()
    stratum = strata_of(run_dir, candidates, judged, row)
    p_correct = scored["p_correct"].to_numpy()
    inside = allowed[row]
    cuts = thresholds(
        p_correct[allowed],
        (np.cumsum(allowed) - 1)[row[inside]],
        correct[inside],
        p_inclusion[inside],
        stratum=None if stratum is None else stratum[allowed],
    )
    return Judged(row, correct, p_inclusion, stratum, cuts)


def _choose(
    settings: SelectSettings, scored: pa.Table, cuts: Thresholds, beyond: Beyond
) -> Selection:
    if settings.precision is None:
        return select_share(scored, settings.keep, beyond)
    row = prove(cuts, settings.precision, settings.confidence)
    return select_above(scored, float(cuts.threshold[row]), beyond)


def measure(judged: Judged, chosen: Selection, confidence: float) -> dict[str, Any]:
    """Return the precision of the selection and its interval."""
    kept = np.asarray(chosen.table["kept"], bool)
    inside, stratum = kept[judged.row], judged.stratum
    n_kept = None
    if stratum is not None:
        n_kept = np.bincount(stratum[kept], minlength=int(stratum.max(initial=0)) + 1)
    interval = precision_interval(
        judged.correct[inside],
        judged.p_inclusion[inside],
        stratum=None if stratum is None else stratum[judged.row][inside].astype(np.int64),
        n_kept=n_kept,
        confidence=confidence,
    )
    return {
        "precision": interval.estimate,
        "precision_low": interval.low,
        "precision_high": interval.high,
        "confidence": confidence,
        "n_audits": len(judged.row),
        "n_audits_kept": interval.n_audits,
    }
