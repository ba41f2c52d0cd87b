"""`winnow audit` and `select`: people judge some candidates, and the best of all are kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from curation.audits import N_BANDS, answer, bands, effective, sample, stratum_names
from curation.features import FeatureTable, features
from curation.manifest import (
    Stage,
    current,
    file_digest,
    open_stage,
    reuse,
    staged,
    write_parquet,
    write_text,
)
from curation.pairs import find_pairs
from curation.precision import precision_interval, threshold_table
from curation.scoring import cold_scores
from curation.selection import Selection, select_share
from labeling.errors import InputError
from labeling.schemas import AUDITS, CANDIDATES, IMAGES, SCORED, VERDICTS
from pipelines.config import Config
from pipelines.scoring import score_candidates
from pipelines.stages import taxonomy_of
from pipelines.talk import say, step
from pipelines.truth import read_truth

SHEET = "audit-sheet.csv"


def draw_audits(config: Config, run_dir: Path) -> tuple[Path, int]:
    """Draw pairs and write them as a sheet for a person to fill in.

    Returns
    -------
    path, n_pairs
        The CSV file, with an empty column ``verdict``.
    """
    candidates = open_stage(run_dir, "candidates")
    taxonomy = taxonomy_of(candidates)
    table = _features(candidates)
    drawn = sample(table.pairs, cold_scores(table), config.audit.n, config.audit.seed)
    images = open_stage(run_dir, "signals").table(IMAGES)
    row = pc.index_in(drawn["image_id"], value_set=images["image_id"])
    sheet = pd.DataFrame(
        {
            "image_id": drawn["image_id"].to_pylist(),
            "label_id": drawn["label_id"].to_pylist(),
            "image": images["location"].take(row).to_pylist(),
            "label": [taxonomy.display_name(c) for c in taxonomy.codes(drawn["label_id"])],
            "verdict": "",
        }
    )
    path = run_dir / SHEET
    if path.exists():
        raise InputError(
            "there is an audit sheet already, which may hold answers",
            facts={"file": path},
            help=f"take its answers in with --answers {path}, or move it away",
        )
    write_text(path, sheet.to_csv(index=False, lineterminator="\n"))
    return path, len(sheet)


def answer_audits(config: Config, run_dir: Path, answers: Path | None) -> Stage:
    """Commit the audits: from a filled-in sheet, or from the truth that the settings name."""
    candidates = open_stage(run_dir, "candidates")
    if answers is not None:
        source, settings = answers, {}
    else:
        source = Path(config.base) / str(config.audit.truth)
        settings = config.audit.model_dump(mode="json")
    digest = file_digest(source) if source.is_file() else ""
    inputs = {"candidates": candidates.content, source.name: digest}
    with step("audits") as facts:
        if reuse(run_dir, "audits", inputs=inputs, config=settings) is None:
            table = _features(candidates)
            if answers is not None:
                audits = _read_answers(answers, table)
            else:
                truth = read_truth(source, taxonomy_of(candidates))
                drawn = sample(table.pairs, cold_scores(table), config.audit.n, config.audit.seed)
                audits = answer(drawn, truth)
            with staged(
                run_dir, "audits", inputs=inputs, config=settings, seed=config.audit.seed
            ) as work:
                write_parquet(audits, work.dir / "audits-00000-of-00001.parquet")
                verdicts = audits["verdict"].to_pylist()
                work.counts |= {verdict: verdicts.count(verdict) for verdict in VERDICTS}
        stage = open_stage(run_dir, "audits")
        facts += [f"{stage.counts[verdict]:,} {verdict}" for verdict in VERDICTS]
    return stage


def select(config: Config, run_dir: Path) -> Stage:
    """Score the candidates with what the audits say, and keep the share that is asked for.

    Raises
    ------
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
            help=f"judge a few hundred pairs: winnow audit {run_dir}",
        )
    audits = open_stage(run_dir, "audits")
    _make_scores(run_dir, candidates, audits)
    scored = open_stage(run_dir, "scored")
    inputs = {stage.name: stage.content for stage in (candidates, audits, scored)}
    settings = config.select.model_dump(mode="json")
    with step("selected") as facts:
        if reuse(run_dir, "selected", inputs=inputs, config=settings) is None:
            chosen = select_share(scored.table(SCORED), config.select.keep)
            proof = _prove(candidates, audits.table(AUDITS), chosen, config.select.confidence)
            with staged(run_dir, "selected", inputs=inputs, config=settings) as work:
                write_parquet(chosen.table, work.dir / "selected-00000-of-00001.parquet")
                thresholds = json.dumps(proof.pop("threshold_table"), indent=1)
                (work.dir / "thresholds.json").write_text(thresholds + "\n", encoding="utf-8")
                n = len(chosen.table)
                dropped = {"below_threshold": n - chosen.n_kept}
                work.counts |= {"in": n, "out": chosen.n_kept, "dropped": dropped}
                work.facts |= {"threshold": chosen.threshold, **proof}
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


def _make_scores(run_dir: Path, candidates: Stage, audits: Stage) -> None:
    inputs = {stage.name: stage.content for stage in (candidates, audits)}
    with step("scored") as facts:
        if reuse(run_dir, "scored", inputs=inputs, config={}) is None:
            p_correct, scores, n_fitted = score_candidates(candidates, audits.table(AUDITS))
            pairs = candidates.table(CANDIDATES, ["image_id", "label_id"])
            rows = pairs.append_column("p_correct", pa.array(p_correct))
            with staged(run_dir, "scored", inputs=inputs, config={}) as work:
                scored = rows.select(SCORED.arrow.names).cast(SCORED.arrow)
                write_parquet(scored, work.dir / "scored-00000-of-00001.parquet")
                work.counts |= {"scored": len(scored)}
                work.facts |= {
                    "n_audits": scores.n_audits,
                    "n_unsure": scores.n_unsure,
                    "n_contradictory": scores.n_contradictory,
                    "n_unknown": scores.n_unknown,
                    "n_features": scores.n_features,
                    "n_fitted": n_fitted,
                }
        told = open_stage(run_dir, "scored").manifest["facts"]
        facts.append(f"learnt from {told['n_audits']:,} audits, {told['n_features']} features")


def _prove(
    candidates: Stage, audits: pa.Table, chosen: Selection, confidence: float
) -> dict[str, Any]:
    """Return the precision of the selection, its interval, and the threshold table."""
    judged = effective(audits).table
    row = find_pairs(judged, chosen.table)
    judged = judged.filter(pa.array(row >= 0))
    row = row[row >= 0]
    correct = np.asarray(pc.equal(judged["verdict"], "yes"), bool)
    p_inclusion = judged["p_inclusion"].to_numpy()
    stratum = _strata(candidates, judged, row)
    kept = np.asarray(chosen.table["kept"], bool)
    inside = kept[row]
    interval = precision_interval(
        correct[inside],
        p_inclusion[inside],
        stratum=None if stratum is None else stratum[row][inside].astype(np.int64),
        n_kept=None if stratum is None else np.bincount(stratum[kept], minlength=N_BANDS),
        confidence=confidence,
    )
    thresholds = threshold_table(
        chosen.table["p_correct"].to_numpy(),
        row,
        correct,
        p_inclusion,
        stratum=stratum,
        confidence=confidence,
    )
    return {
        "precision": interval.estimate,
        "precision_low": interval.low,
        "precision_high": interval.high,
        "confidence": confidence,
        "n_audits": len(judged),
        "n_audits_kept": interval.n_audits,
        "threshold_table": thresholds.to_pylist(),
    }


def _strata(
    candidates: Stage, judged: pa.Table, row: npt.NDArray[np.int64]
) -> npt.NDArray[np.int8] | None:
    """Return the band of every candidate, if it is by these bands that the audits were drawn."""
    table = _features(candidates)
    band = bands(table.pairs, cold_scores(table))
    return band if stratum_names(band[row]).equals(judged["stratum"].combine_chunks()) else None


def _read_answers(path: Path, table: FeatureTable) -> pa.Table:
    """Return a filled-in sheet as `labeling.schemas.AUDITS`; rows without a verdict are left out.

    The inclusion probability of a pair is the share of its band that was answered: pairs are drawn
    in an order of which every beginning is spread over the bands.
    """
    try:
        sheet = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise InputError(
            "the answers cannot be read", facts={"file": path, "cause": error}
        ) from error
    missing = [c for c in ("image_id", "label_id", "verdict") if c not in sheet.columns]
    if missing:
        raise InputError(
            "the answers lack a column", facts={"file": path, "missing": ", ".join(missing)}
        )
    said = sheet["verdict"].str.strip().str.lower()
    for line, verdict in enumerate(said, 2):
        if verdict and verdict not in VERDICTS:
            raise InputError(
                "a verdict is not known",
                facts={"where": f"{path}:{line}", "found": verdict, "known": ", ".join(VERDICTS)},
            )
    given = sheet.assign(verdict=said)[said != ""]
    pairs = pa.table(
        {n: pa.array(given[n].tolist(), pa.string()) for n in ("image_id", "label_id")}
    )
    row = find_pairs(pairs, table.pairs)
    if (row < 0).any():
        line = int(given.index[int(np.argmax(row < 0))]) + 2
        raise InputError(
            "an answer is about a pair that is no candidate",
            facts={"where": f"{path}:{line}"},
            help="answer the sheet that `winnow audit` wrote for this run",
        )
    band = bands(table.pairs, cold_scores(table))
    size = np.bincount(band, minlength=N_BANDS)
    answered = np.bincount(band[np.unique(row)], minlength=N_BANDS)
    columns = {
        **{name: pairs[name] for name in pairs.column_names},
        "verdict": pa.array(given["verdict"].tolist(), pa.string()),
        "auditor": pa.array([path.stem] * len(given), pa.string()),
        "seq": pa.array(np.arange(len(given))),
        "stratum": stratum_names(band[row]),
        "p_inclusion": pa.array((answered / np.maximum(size, 1))[band[row]]),
    }
    return pa.table(columns, schema=AUDITS.arrow)


def _features(candidates: Stage) -> FeatureTable:
    return features(candidates.table(CANDIDATES), taxonomy_of(candidates))
