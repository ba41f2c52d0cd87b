"""`winnow select`: the candidates are scored, and the best of them are kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.intervals.error_rates import ErrorRates
from curation.intervals.judgements import Judgements, judgements, precision_of
from curation.report.facts import auditor_errors, composition, rounded
from curation.runs.stage import Stage, current, open_stage
from curation.runs.staging import StageWriter, refuse_nothing
from curation.runs.table_files import write_packed
from curation.selection.choose import choose
from curation.selection.closure import flag_implied
from curation.selection.groups import MIN_OF_GROUP
from curation.selection.selection import Request, Selection
from labeling.errors import InputError
from labeling.keys.arrays import Ints
from labeling.memory import release_memory
from labeling.schemas import AUDITS, SCORED, SELECTED
from pipelines.auditing.auditor_errors import facts_of_errors, rates_of
from pipelines.auditing.looks import confidence_now, count_look
from pipelines.auditing.sample import answer_by_truth, current_audits
from pipelines.auditing.strata import strata_of
from pipelines.evidence.added import with_added
from pipelines.evidence.proposals import proposal_line
from pipelines.run.config import Config, SelectSettings
from pipelines.run.dependencies import digests_of, settings_of
from pipelines.run.losses import by_reason
from pipelines.run.paths import typed
from pipelines.run.progress import notify, stage_line
from pipelines.run.stages import contents, make_stage, taxonomy_of
from pipelines.selecting.composition import measure_composition
from pipelines.selecting.labels import count_labels, label_lines
from pipelines.selecting.next_audits import measure_next, next_lines
from pipelines.selecting.recall import measure_recall
from pipelines.selecting.scores import parts_of, score
from pipelines.selecting.trade import measure_shares, measure_trade, trade_lines

MAX_GROUPS = 12
"""Groups that are printed; the report lists all."""


def select(config: Config, run_dir: Path) -> Stage:
    """Score the candidates by the audits, and keep the best.

    Kept are the share that the settings ask for, or as many as can be proved to have the precision
    that they ask for.

    Raises
    ------
    QualityError
        If the precision cannot be proved; nothing is written then.
    InputError
        If there are no audits, so that the precision is unknown; or if nothing would be kept.
    """
    candidates = open_stage(run_dir, "candidates")
    audits = audits_of(config, run_dir, candidates)
    scored = score(config, run_dir, candidates, audits)
    release_memory()
    count_look(run_dir, audits)
    confidence = confidence_now(run_dir, audits, config.select.confidence)

    def write(work: StageWriter) -> None:
        settings = config.select.model_copy(update={"confidence": confidence})
        verdicts = audits.table(AUDITS)
        errors = rates_of(config, audits, confidence)
        request, selection = judge_and_choose(
            run_dir, settings, candidates, verdicts, scored, errors
        )
        _write(work, request, selection)
        release_memory()
        _write_json(measure_shares(request, config.select.confidence), work, "tuning")
        kept = np.asarray(selection.table["kept"], bool)
        work.facts |= measure(request.judged, selection, confidence)
        work.facts |= facts_of_errors(errors, verdicts)
        work.facts |= measure_composition(request, selection)
        work.facts |= measure_recall(
            candidates, request.judged.known, kept, config.select.confidence
        )
        work.facts |= {"confidence": config.select.confidence}
        work.facts |= count_labels(selection.table)
        work.facts |= rounded(measure_trade(request, selection))
        work.facts |= rounded(measure_next(request, selection, work.facts))
        if config.select.precision is not None:
            work.facts |= {"precision_held": config.select.precision}

    with stage_line("selected") as facts:
        stage = make_stage(
            run_dir,
            "selected",
            write,
            inputs=contents(candidates, audits, scored, with_added(candidates))
            | digests_of("selected", config),
            config=settings_of("selected", config) | {"confidence_by_itself": confidence},
        )
        facts += _summary(stage, confidence)
    floor, taxonomy = config.select.floor, taxonomy_of(candidates)
    lines = (
        _unknown_lines(stage),
        (f"  {text}" for text in (*auditor_errors(stage.facts), *composition(stage.facts))),
        _group_lines(stage),
        _floor_lines(stage, floor),
        trade_lines(stage),
        next_lines(stage, taxonomy),
        label_lines(stage.facts, taxonomy, "is kept", floor),
    )
    for line in chain.from_iterable(lines):
        notify(line)
    proposals = proposal_line(run_dir)
    if proposals is not None:
        notify(f"  {proposals}")
    return stage


def audits_of(config: Config, run_dir: Path, candidates: Stage) -> Stage:
    """Return the audits of a run, made first where the settings name a truth."""
    if config.audit.truth is not None and not len(current_audits(run_dir, candidates)):
        notify(f"audits: drawing {config.audit.n:,} pairs, answered by {config.audit.truth}")
        return answer_by_truth(config, run_dir)
    if current(run_dir, "audits") is None:
        raise InputError(
            "precision cannot be shown: the run has no audits",
            facts={"run": run_dir},
            help=f"judge a few hundred pairs: winnow audit sample {typed(run_dir)}",
        )
    return open_stage(run_dir, "audits")


def judge_and_choose(
    run_dir: Path,
    settings: SelectSettings,
    candidates: Stage,
    audits: pa.Table,
    scored: Stage,
    errors: ErrorRates,
) -> tuple[Request, Selection]:
    """Return the request that the settings make, and the selection; write nothing.

    Parameters
    ----------
    audits
        Table of `labeling.schemas.AUDITS`.
    errors
        How often the auditors err.

    Raises
    ------
    QualityError
        If the precision asked for cannot be proved.
    """
    rows = scored.packed(SCORED)
    judged = replace(judge(run_dir, candidates, audits, rows), errors=errors)
    request, selection = select_from(settings, candidates, rows, judged)
    return request, flag_implied(selection, taxonomy_of(candidates))


def judge(run_dir: Path, candidates: Stage, audits: pa.Table, scored: pa.Table) -> Judgements:
    """Return the scored candidates that have verdicts."""

    def strata(judged: pa.Table, row: Ints) -> npt.NDArray[np.int8] | None:
        return strata_of(run_dir, candidates, judged, row)

    return judgements(audits, scored, strata)


def select_from(
    settings: SelectSettings, candidates: Stage, scored: pa.Table, judged: Judgements
) -> tuple[Request, Selection]:
    """Keep the candidates that the settings ask for: see `curation.selection.choose.choose`."""
    request = request_of(settings, candidates, scored, judged)
    return request, choose(request)


def request_of(
    settings: SelectSettings, candidates: Stage, scored: pa.Table, judged: Judgements
) -> Request:
    """Return the request that the settings make."""
    supported = with_added(candidates)
    return Request(
        scored,
        judged,
        keep=settings.keep,
        precision=settings.precision,
        confidence=settings.confidence,
        by=settings.by,
        floor=settings.floor,
        per_image=settings.per_image,
        per_label=settings.per_label,
        taxonomy=lambda: taxonomy_of(candidates),
        evidence=lambda: (part["evidence"] for part in parts_of(supported)(["evidence"])),
    )


def measure(judged: Judgements, selection: Selection, confidence: float) -> dict[str, Any]:
    """Return the precision of a selection and its interval."""
    kept = np.asarray(selection.table["kept"], bool)
    interval, known = precision_of(judged, kept, confidence), judged.known
    facts = {
        "precision": interval.estimate,
        "precision_low": interval.low,
        "precision_high": interval.high,
        "n_audits": len(known.row),
        "n_audits_kept": interval.n_audits,
    }
    if judged.unknown is None:
        return facts
    answered = precision_of(known, kept, confidence)
    return facts | {
        "n_unknown_kept": int(np.sum(judged.unknown & kept[judged.row])),
        "precision_low_of_answered": answered.low,
        "precision_high_of_answered": answered.high,
    }


def _write(work: StageWriter, request: Request, selection: Selection) -> None:
    table = selection.table
    n_of_reason = by_reason(table)
    n_kept = n_of_reason.pop("kept", 0)
    work.counts |= {"in": len(table), "out": n_kept, "dropped": n_of_reason}
    refuse_nothing(
        "selected",
        work.counts,
        help="raise select.keep, or lower select.precision, or leave out limits and groups",
    )
    write_packed(table, work.dir, SELECTED)
    cuts = request.cuts.table(len(table), request.confidence)
    _write_json(cuts.to_pylist(), work, "thresholds")
    if selection.groups:
        _write_json(rounded(selection.groups), work, "groups")
    work.facts |= {"threshold": selection.threshold, **selection.facts}


def _write_json(value: object, work: StageWriter, name: str) -> None:
    (work.dir / f"{name}.json").write_text(json.dumps(value) + "\n", "utf-8")


def read_groups(selected: Stage) -> list[dict[str, Any]]:
    """Return the counts of each group; an empty list if the selection was not by groups."""
    path = selected.dir / "groups.json"
    groups: list[dict[str, Any]] = json.loads(path.read_text("utf-8")) if path.exists() else []
    return groups


def _summary(selected: Stage, confidence: float) -> list[str]:
    measured, counts = selected.facts, selected.counts
    at_all_looks = " at all looks" if confidence != measured["confidence"] else ""
    interval = f"{100 * measured['confidence']:.4g}% interval{at_all_looks}"
    return [
        f"{counts['out']:,} of {counts['in']:,} kept",
        f"precision {measured['precision']:.3f} ({interval} {measured['precision_low']:.3f} to "
        f"{measured['precision_high']:.3f}, from {measured['n_audits_kept']:,} audits)",
    ]


def _unknown_lines(selected: Stage) -> Iterator[str]:
    facts = selected.facts
    if facts.get("n_unknown_kept"):
        low, high = (facts[f"precision_{end}_of_answered"] for end in ("low", "high"))
        yield (
            f"  {facts['n_unknown_kept']:,} audits of the kept are unsure or skipped: they count as"
            " wrong for the lower bound and as right for the upper one;"
            f" without them {low:.3f} to {high:.3f}"
        )


def _group_lines(selected: Stage) -> Iterator[str]:
    groups, is_held = read_groups(selected), "precision_held" in selected.facts
    if [row["group"] for row in groups] == ["all"]:
        yield f"  no group by {selected.facts['by']} has {MIN_OF_GROUP} audits: all are one group"
    for row in groups[:MAX_GROUPS]:
        text = f"{row['n_kept']:,} of {row['n_candidates']:,} kept, {row['n_audits']:,} audits"
        if row["precision"] is not None:
            text += f", precision {row['precision']:.3f} ({row['low']:.3f} to {row['high']:.3f})"
        elif is_held and not row["n_kept"]:
            text += ": nothing can be proved"
        yield f"  {row['group']}: {text}"
    if len(groups) > MAX_GROUPS:
        yield f"  and {len(groups) - MAX_GROUPS:,} more groups: winnow report lists them"


def _floor_lines(selected: Stage, asked: int) -> Iterator[str]:
    if not asked:
        return
    facts = selected.facts
    held = facts["floor_held"]
    text = "none" if not held else f"the best {held:,} of each label"
    if held < asked:
        is_proved = "precision_held" in facts
        obstacle = "cannot be proved" if is_proved else "are more than a tenth of the kept"
        text += f", for the best {asked:,} {obstacle}"
    yield f"  floor: {text}; kept by it alone: {facts['n_by_floor']:,}"
