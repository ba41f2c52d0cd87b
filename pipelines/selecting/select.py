"""`winnow select`: the candidates are scored, and the best of them are kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.audits.audits import count_doubtful, usable_audits
from curation.intervals.judgements import Judgements, judgements, precision_of
from curation.report.facts import rounded
from curation.runs.stage import Stage, current, open_stage
from curation.runs.staging import StageWriter, refuse_nothing, reuse, write_stage
from curation.runs.table_files import write_table
from curation.selection.closure import flag_implied
from curation.selection.modes import refuse_two_modes
from curation.selection.selection import Request, Selection
from labeling.errors import InputError
from labeling.keys.arrays import Ints
from labeling.schemas import AUDITS, CANDIDATES, INTERVALS, SCORED
from pipelines.auditing.looks import confidence_now
from pipelines.auditing.sample import answer_audits
from pipelines.auditing.strata import cells_of, strata_of
from pipelines.run.config import Config, SelectSettings
from pipelines.run.dependencies import settings_of
from pipelines.run.paths import shown
from pipelines.run.progress import notify, stage_line
from pipelines.run.stages import taxonomy_of
from pipelines.selecting.modes import select_from
from pipelines.selecting.recall import measure_recall
from pipelines.selecting.scores import score_candidates

MAX_TOLD = 12
"""Groups of which something is said; the report lists all."""


def select(config: Config, run_dir: Path) -> Stage:
    """Score the candidates with what the audits say, and keep the best.

    Either the share that is asked for, or as many as can be proved to be as precise as asked.

    Raises
    ------
    ConfigError
        If the settings ask for groups and a floor.
    QualityError
        If the precision asked for cannot be proved; nothing is written then.
    InputError
        If there are no audits: then no precision can be shown; or if nothing would be kept.
    """
    refuse_two_modes(config.select.model_dump())
    candidates = open_stage(run_dir, "candidates")
    if config.audit.truth is not None and _audits_are_missing(run_dir, candidates):
        notify(f"audits: drawing {config.audit.n:,} pairs, answered by {config.audit.truth}")
        answer_audits(config, run_dir, None)
    if current(run_dir, "audits") is None:
        raise InputError(
            "precision cannot be shown: the run has no audits",
            facts={"run": run_dir},
            help=f"judge a few hundred pairs: winnow audit sample {shown(run_dir)}",
        )
    audits = open_stage(run_dir, "audits")
    make_scores(config, run_dir, candidates, audits)
    scored = open_stage(run_dir, "scored")
    drawn_by = cells_of(run_dir, candidates)
    inputs = {stage.name: stage.content for stage in (candidates, audits, scored, *drawn_by)}
    confidence = confidence_now(run_dir, audits, config.select.confidence)
    settings = settings_of("selected", config) | {"confidence_by_itself": confidence}
    with stage_line("selected") as facts:
        if reuse(run_dir, "selected", inputs=inputs, config=settings) is None:
            settled = config.select.model_copy(update={"confidence": confidence})
            request, selection = judge_and_choose(run_dir, settled, candidates, audits, scored)
            refuse_nothing(
                "selected",
                _counts(selection),
                help="raise select.keep, or lower select.precision, or leave out limits and groups",
            )
            with write_stage(run_dir, "selected", inputs=inputs, config=settings) as work:
                _write(work, request, selection)
                work.facts |= measure(request.judged, selection, confidence)
                kept = np.asarray(selection.table["kept"], bool)
                work.facts |= measure_recall(
                    candidates, request.judged, kept, config.select.confidence
                )
                work.facts |= {"confidence": config.select.confidence}
                if config.select.precision is not None:
                    work.facts |= {"precision_held": config.select.precision}
        stage = open_stage(run_dir, "selected")
        facts += _told(stage, confidence)
    for line in (*_told_of_groups(stage), *_told_of_floor(stage, config.select.floor)):
        notify(line)
    return stage


def judge_and_choose(
    run_dir: Path, settings: SelectSettings, candidates: Stage, audits: Stage, scored: Stage
) -> tuple[Request, Selection]:
    """Return the request that the settings make, and the selection; write nothing.

    Raises
    ------
    QualityError
        If the precision asked for cannot be proved.
    """
    rows = scored.table(SCORED)
    judged = judge(run_dir, candidates, audits.table(AUDITS), rows)
    request, selection = select_from(settings, candidates, rows, judged)
    return request, flag_implied(selection, taxonomy_of(candidates))


def _write(work: StageWriter, request: Request, selection: Selection) -> None:
    write_table(selection.table, work.dir, "selected")
    cuts = request.cuts.table(len(selection.table), request.confidence)
    _write_json(cuts.to_pylist(), work, "thresholds")
    if selection.groups:
        _write_json(rounded(selection.groups), work, "groups")
    work.counts |= _counts(selection)
    work.facts |= {"threshold": selection.threshold, **selection.facts}


def _told(selected: Stage, confidence: float) -> list[str]:
    told, counts = selected.manifest["facts"], selected.counts
    at_all_looks = " at all looks" if confidence != told["confidence"] else ""
    return [
        f"{counts['out']:,} of {counts['in']:,} kept",
        f"precision {told['precision']:.3f} "
        f"({told['confidence']:.0%} interval{at_all_looks} {told['precision_low']:.3f} to "
        f"{told['precision_high']:.3f}, from {told['n_audits_kept']} audits)",
    ]


def read_groups(selected: Stage) -> list[dict[str, Any]]:
    """Return the counts of each group, or none where the selection was not by groups."""
    path = selected.dir / "groups.json"
    groups: list[dict[str, Any]] = json.loads(path.read_text("utf-8")) if path.exists() else []
    return groups


def _told_of_groups(selected: Stage) -> Iterator[str]:
    groups, held = read_groups(selected), "precision_held" in selected.manifest["facts"]
    for row in groups[:MAX_TOLD]:
        told = f"{row['n_kept']:,} of {row['n_candidates']:,} kept, {row['n_audits']:,} audits"
        if row["precision"] is not None:
            told += f", precision {row['precision']:.3f} ({row['low']:.3f} to {row['high']:.3f})"
        elif held and not row["n_kept"]:
            told += ": nothing can be proved"
        yield f"  {row['group']}: {told}"
    if len(groups) > MAX_TOLD:
        yield f"  and {len(groups) - MAX_TOLD:,} more groups: winnow report lists them"


def _told_of_floor(selected: Stage, asked: int | None) -> Iterator[str]:
    if asked is None:
        return
    facts = selected.manifest["facts"]
    held = facts["floor_held"]
    told = "none" if not held else f"the best {held:,} of each label"
    if held < asked:
        what = "be proved" if "precision_held" in facts else "fit into the share"
        told += f", for the best {asked:,} cannot {what}"
    yield f"  floor: {told}; kept by it alone: {facts['n_by_floor']:,}"


def _write_json(value: object, work: StageWriter, name: str) -> None:
    (work.dir / f"{name}.json").write_text(json.dumps(value) + "\n", "utf-8")


def _counts(chosen: Selection) -> dict[str, Any]:
    """Return how many candidates there were, were kept, and were not kept, by reason."""
    counts = pc.value_counts(chosen.table["reason"]).to_pylist()
    dropped = {one["values"]: one["counts"] for one in counts if one["values"] != "kept"}
    return {"in": len(chosen.table), "out": chosen.n_kept, "dropped": dropped}


def _audits_are_missing(run_dir: Path, candidates: Stage) -> bool:
    audits = current(run_dir, "audits")
    return audits is None or audits.manifest["inputs"]["candidates"] != candidates.content


def make_scores(config: Config, run_dir: Path, candidates: Stage, audits: Stage) -> None:
    """Commit the scores of all candidates, on demand with their bounds, or reuse them."""
    settings = settings_of("scored", config)
    intervals = config.select.venn_abers
    inputs = {stage.name: stage.content for stage in (candidates, audits)}
    with stage_line("scored") as facts:
        if reuse(run_dir, "scored", inputs=inputs, config=settings) is None:
            verdicts = audits.table(AUDITS)
            p_correct, scores, n_fitted = score_candidates(candidates, verdicts, intervals)
            n_unsure, n_contradictory = count_doubtful(verdicts)
            pairs = candidates.table(CANDIDATES, ["image_id", "label_id"])
            names = ("p_correct", "p_low", "p_high")
            for name, values in zip(names, np.atleast_2d(p_correct), strict=False):
                pairs = pairs.append_column(name, pa.array(values))
            with write_stage(run_dir, "scored", inputs=inputs, config=settings) as work:
                for table in (SCORED, INTERVALS) if intervals else (SCORED,):
                    rows = pairs.select(table.arrow.names).cast(table.arrow)
                    write_table(rows, work.dir, table.name)
                work.counts |= {"scored": len(pairs)}
                work.facts |= {
                    "n_audits": scores.n_audits,
                    "n_unsure": n_unsure,
                    "n_contradictory": n_contradictory,
                    "n_unknown": len(usable_audits(verdicts)) - scores.n_audits,
                    "n_features": scores.n_features,
                    "n_fitted": n_fitted,
                    "folds_boosted": scores.n_boosted,
                    "log_loss": scores.losses,
                }
        told = open_stage(run_dir, "scored").manifest["facts"]
        facts.append(f"learnt from {told['n_audits']:,} audits, {told['n_features']} features")
        facts.append("boosted" if told["folds_boosted"] else "logistic")


def judge(run_dir: Path, candidates: Stage, audits: pa.Table, scored: pa.Table) -> Judgements:
    """Return the scored candidates that have verdicts."""

    def strata(judged: pa.Table, row: Ints) -> npt.NDArray[np.int8] | None:
        return strata_of(run_dir, candidates, judged, row)

    return judgements(audits, scored, strata)


def measure(judged: Judgements, chosen: Selection, confidence: float) -> dict[str, Any]:
    """Return the precision of the selection and its interval."""
    interval = precision_of(judged, np.asarray(chosen.table["kept"], bool), confidence)
    return {
        "precision": interval.estimate,
        "precision_low": interval.low,
        "precision_high": interval.high,
        "n_audits": len(judged.row),
        "n_audits_kept": interval.n_audits,
    }
