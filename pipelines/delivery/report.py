"""`winnow report`: the facts of all stages of a run, on one page."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from curation.audits.verdicts import usable_audits
from curation.pairs.pair_keys import find_pairs
from curation.report.report import write_report
from curation.runs.stage import MADE_BY, Stage, current, open_stage, outdated_by
from curation.selection.selection import random_share
from curation.shards.images import BadImage, read_image
from labeling.objects.paths import path_of
from labeling.schemas import AUDITS, CANDIDATES, IMAGES, SCORED, SELECTED
from labeling.taxonomy.taxonomy import Taxonomy
from pipelines.delivery.label_sets import LABEL_SETS
from pipelines.delivery.truth import read_truth
from pipelines.evidence.added import with_added
from pipelines.run.config import Config
from pipelines.run.progress import notify, stage_line
from pipelines.run.saved_config import find_input
from pipelines.run.stages import stage_name, taxonomy_of
from pipelines.selecting.select import read_groups
from pipelines.selecting.tuning import as_selected, read_tuning, select_command
from pipelines.studies.page import studies_in

THUMBNAILS = 24
THUMBNAIL_SIZE = 96

Facts = dict[str, Any]
Mask = npt.NDArray[np.bool_]


def report(config: Config, run_dir: Path) -> Path:
    """Write ``report.json`` and ``report.html`` into the run folder, from the stages it has.

    Returns
    -------
    Path
        The page.
    """
    candidates = open_stage(run_dir, "candidates")
    taxonomy = taxonomy_of(candidates)
    stages = _stages(run_dir)
    facts: Facts = {
        "candidates": candidates.counts["candidates"],
        "stages": {  # the digest of the content changes with any file of the stage
            name: {"content": stage.content, "counts": dict(stage.counts)}
            for name, stage in stages.items()
        },
        "limit": candidates.facts.get("limit"),
        "bursts": candidates.facts.get("bursts", []),
    }
    with stage_line("report"):
        if current(run_dir, "selected") is not None:
            facts |= _selection(config, run_dir, candidates, taxonomy)
        facts |= _measures(run_dir)
        facts["studies"] = list(studies_in(run_dir))
        facts["run"] = {name: dict(stage.manifest["run"]) for name, stage in stages.items()}
        if "selected" in stages:
            used = as_selected(config, stages["selected"])
            facts["run"]["select"] = select_command(run_dir, used, config)
        return write_report(facts, run_dir)


def _stages(run_dir: Path) -> dict[str, Stage]:
    names = [stage_name(stage, label_set) for stage in MADE_BY for label_set in LABEL_SETS]
    stages = {name: current(run_dir, name) for name in names}
    return {name: stage for name, stage in stages.items() if stage is not None}


def _selection(config: Config, run_dir: Path, candidates: Stage, taxonomy: Taxonomy) -> Facts:
    stage = open_stage(run_dir, "selected")
    selected = stage.table(SELECTED)
    kept = np.asarray(selected["kept"], bool)
    tuning = read_tuning(stage)
    if tuning is None:
        notify(
            "the selection is of an earlier version: the report has no slider until it is made"
            f" again, with `{select_command(run_dir, as_selected(config, stage), config)}`"
        )
    audits = open_stage(run_dir, "audits").table(AUDITS)
    facts: Facts = {
        **stage.facts,
        "kept": stage.counts["out"],
        "kept_share": stage.counts["out"] / max(stage.counts["in"], 1),
        "threshold_table": json.loads((stage.dir / "thresholds.json").read_text("utf-8")),
        "tuning": tuning,
        "groups": read_groups(stage),
        "labels": _labels(selected, kept, taxonomy),
        "sources": _sources(with_added(candidates).table(CANDIDATES), audits),
        "rejects": _rejects(run_dir, stage),
        "thumbnails": _thumbnails(config, run_dir, selected, kept, taxonomy),
    }
    if config.audit.truth is not None:
        facts |= _against_truth(config, selected, kept, taxonomy)
    return facts


def _against_truth(config: Config, selected: pa.Table, kept: Mask, taxonomy: Taxonomy) -> Facts:
    truth = read_truth(find_input(config, str(config.audit.truth)), taxonomy)
    right = find_pairs(selected, truth) >= 0
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


def _labels(selected: pa.Table, kept: Mask, taxonomy: Taxonomy) -> list[Facts]:
    code = taxonomy.codes(selected["label_id"])
    n_candidates = np.bincount(code, minlength=len(taxonomy))
    n_kept = np.bincount(code[kept], minlength=len(taxonomy))
    over = np.asarray(pc.equal(selected["reason"], "over_per_label"), bool)
    n_over = np.bincount(code[over], minlength=len(taxonomy))
    return [
        {
            "label_id": taxonomy.label_ids[c],
            "name": taxonomy.display_name(int(c)),
            "n_candidates": n_candidates[c],
            "n_kept": n_kept[c],
            "n_before_limit": n_kept[c] + n_over[c],
        }
        for c in np.flatnonzero(n_candidates)
    ]


def _sources(candidates: pa.Table, audits: pa.Table) -> list[Facts]:
    """Return for each source the candidates that it votes for, and its precision by audits."""
    judged = usable_audits(audits)
    row = find_pairs(candidates, judged)
    correct = np.asarray(pc.equal(judged["verdict"], "yes"), bool)
    weight = 1 / judged["p_inclusion"].to_numpy()
    evidence = candidates["evidence"].combine_chunks()
    candidate = np.asarray(pc.list_parent_indices(evidence), np.int64)
    source = pc.list_flatten(evidence).field("source")
    facts: list[Facts] = []
    for name in sorted(pc.unique(source).to_pylist()):
        voted = candidate[np.asarray(pc.equal(source, name), bool)]
        asked = row[voted]
        asked = asked[asked >= 0]
        fact: Facts = {"source": name, "n_candidates": len(voted), "n_audits": len(asked)}
        if len(asked):
            fact["precision"] = float(np.average(correct[asked], weights=weight[asked]))
        facts.append(fact)
    return facts


def _rejects(run_dir: Path, selected: Stage) -> dict[str, int]:
    """Return how many inputs, candidates and images were dropped, by reason."""
    signals = current(run_dir, "signals")
    reasons: dict[str, int] = dict(signals.counts["rejects_by_reason"]) if signals else {}
    stages = [selected, *filter(None, [_up_to_date(run_dir, "shards")])]
    for stage in stages:
        for reason, n in stage.counts["dropped"].items():
            reasons[reason] = reasons.get(reason, 0) + n
    return reasons


def _thumbnails(
    config: Config, run_dir: Path, selected: pa.Table, kept: Mask, taxonomy: Taxonomy
) -> dict[str, list[Facts]]:
    signals = current(run_dir, "signals")
    if signals is None:
        return {}
    images = signals.table(IMAGES)
    p = selected["p_correct"].to_numpy()
    ranked = {
        "kept_lowest": np.flatnonzero(kept)[np.argsort(p[kept], kind="stable")],
        "dropped_highest": np.flatnonzero(~kept)[np.argsort(-p[~kept], kind="stable")],
    }
    return {
        name: _pictures(config, selected.take(pa.array(rows[: 4 * THUMBNAILS])), images, taxonomy)
        for name, rows in ranked.items()
    }


def _pictures(config: Config, rows: pa.Table, images: pa.Table, taxonomy: Taxonomy) -> list[Facts]:
    """Return the first `THUMBNAILS` rows whose image can be shown, each image once."""
    number = pc.index_in(rows["image_id"], value_set=images["image_id"])
    locations = images["location"].take(number).to_pylist()
    pictures: dict[str, Facts] = {}
    missing: list[str] = []
    for row, location in zip(rows.to_pylist(), locations, strict=True):
        if row["image_id"] in pictures or len(pictures) == THUMBNAILS:
            continue
        try:
            image = read_image(row["image_id"], location, path_of(config.base))
        except BadImage as error:
            missing += [location] if error.reason == "image_missing" else []
            continue
        pictures[row["image_id"]] = {
            "data_uri": _data_uri(image.jpeg),
            "label": taxonomy.display_name(taxonomy.code(row["label_id"])),
            "p_correct": row["p_correct"],
        }
    if missing:
        notify(
            f"{len(missing):,} images that the report would show are missing in {config.base},"
            f" the first is {missing[0]}: set `base` to their folder"
        )
    return list(pictures.values())


def _data_uri(jpeg: bytes) -> str:
    with Image.open(io.BytesIO(jpeg)) as image:
        image.thumbnail((THUMBNAIL_SIZE, THUMBNAIL_SIZE))
        small = io.BytesIO()
        image.save(small, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(small.getvalue()).decode()}"


def _measures(run_dir: Path) -> Facts:
    """Return the mAP of each label set's model; also as ``map`` if only the selected has one."""
    facts: Facts = {}
    for label_set in LABEL_SETS:
        name = stage_name("evaluation", label_set)
        if _up_to_date(run_dir, name) is not None:
            facts[f"map_{label_set}"] = open_stage(run_dir, name).facts["map"]
        elif current(run_dir, name) is not None:
            notify(f"{name} is of an earlier selection: the report leaves it out")
    if [*facts] == ["map_selected"]:
        facts["map"] = facts["map_selected"]
    return facts


def _up_to_date(run_dir: Path, name: str) -> Stage | None:
    """Return the current output of a stage, unless a stage that it was made from has changed."""
    stage = current(run_dir, name)
    return None if stage is None or outdated_by(run_dir, stage) is not None else stage


def _mean(flags: Mask) -> float:
    return float(flags.mean()) if len(flags) else float("nan")
