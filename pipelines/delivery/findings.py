"""Findings about the labels, sources and audits of a run, for its report."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.audits.auditor_errors import repeated_calls
from curation.audits.verdicts import agreement
from curation.intervals.judgements import Judgements
from curation.pairs.pair_keys import PAIR, find_pairs
from curation.report.confusions import Pair, find_confusions
from curation.report.labels import noisiest, senses
from curation.report.sources import describe_sources
from curation.runs.stage import Stage
from curation.shards.samples import is_heldout
from labeling.keys.arrays import Ints
from labeling.schemas import AUDITS, SELECTED
from labeling.taxonomy.taxonomy import Taxonomy
from pipelines.auditing.known_answers import read_known_answers
from pipelines.delivery.pictures import show_grids
from pipelines.looking.disagreements import disagreements
from pipelines.run.config import Config
from pipelines.selecting.recall import read_votes

N_NEAR, N_LOOKED, N_NOISY, N_CONFUSED = 24, 8, 5, 3
"""Pictures of a grid near the threshold, of those that networks judge otherwise, of a noisy label,
and of two labels that are confused."""

Facts = dict[str, Any]


def funnel(selected: Stage, shards: Stage | None) -> list[Facts]:
    """Return the labels left after each step, and why the others are not in the next one.

    Returns
    -------
    list
        Of ``step``, ``n`` and ``dropped``, numbers by reason: ``n`` less these is the next ``n``.
    """
    kept = selected.counts["out"]
    counts = selected.counts
    first = {"step": "candidate labels", "n": counts["in"], "dropped": counts["dropped"]}
    steps = [first, {"step": "kept", "n": kept, "dropped": {}}]
    if shards is None:
        return steps
    images = selected.table(SELECTED, ["image_id", "kept"])
    of_kept = images["image_id"].filter(images["kept"])
    n_heldout = int(is_heldout(of_kept, shards.manifest["config"]["holdout_share"]).sum())
    n_exported = shards.counts["labels_kept"] - shards.counts.get("labels_proposed", 0)
    dropped = {"held_out": n_heldout, "unusable_image": kept - n_heldout - n_exported}
    steps[1]["dropped"] = {reason: n for reason, n in dropped.items() if n}
    return [*steps, {"step": "in training shards", "n": n_exported, "dropped": {}}]


def describe_audits(audits: Stage) -> Facts:
    """Return the verdicts, and how far auditors agree with each other and with themselves.

    Returns
    -------
    dict
        ``verdicts``, rows by verdict; ``auditors``, rows by auditor; ``n_twice`` pairs with two
        sure verdicts and ``n_same``, those with the same; ``n_by_several`` pairs of several
        auditors with ``share_agreeing`` and ``kappa``; and ``known``, the verdicts on known answers
        by auditor and mode.
    """
    table = audits.table(AUDITS)
    calls, both = repeated_calls(table), agreement(table)
    return {
        "verdicts": Counter(table["verdict"].to_pylist()),
        "auditors": Counter(table["auditor"].to_pylist()),
        "n_twice": len(calls),
        "n_same": int(np.sum(calls[:, 0] == calls[:, 1])) if len(calls) else 0,
        "n_by_several": both.n_pairs,
        "share_agreeing": both.share,
        "kappa": both.kappa,
        "known": [asdict(row) for row in read_known_answers(audits)],
    }


def describe_sources_of(candidates: Stage, judged: Judgements, confidence: float) -> list[Facts]:
    """Return `curation.report.sources.describe_sources` of the candidates of a run."""
    known = judged.known
    sources, patterns, voted, _ = read_votes(candidates, known.row)
    return describe_sources(sources, patterns, voted, known.correct, known.weight, confidence)


def confusions(
    selected: pa.Table, judged: Judgements, taxonomy: Taxonomy, truth: pa.Table | None
) -> list[Facts]:
    """Return the labels that are confused, by the truth or else by the audits.

    With the truth, wrong are kept labels that it lacks. By the audits, wrong are pairs that were
    judged so, and right those that were judged right, or kept and not judged.
    """
    kept = np.asarray(selected["kept"], bool)
    if truth is not None:
        wrong = selected.filter(pa.array(kept & (find_pairs(selected, truth) < 0)))
        right = truth
    else:
        known = judged.known
        kept[known.row] = known.correct
        wrong = selected.take(pa.array(known.row[~known.correct]))
        right = selected.filter(pa.array(kept))
    right = right.filter(pc.is_in(right["image_id"], value_set=pc.unique(wrong["image_id"])))
    rows = find_confusions(_pairs(wrong), _pairs(right), taxonomy)
    sense = senses(taxonomy)
    for row in rows:
        for side in ("wrong", "right"):
            code = taxonomy.code(row[side])
            row[f"{side}_name"], row[f"{side}_sense"] = taxonomy.display_name(code), sense[code]
    return rows


def _pairs(table: pa.Table) -> list[Pair]:
    return list(zip(*(table[name].to_pylist() for name in PAIR), strict=True))


def with_pictures(
    config: Config,
    run_dir: Path,
    selected: pa.Table,
    judged: Judgements,
    taxonomy: Taxonomy,
    facts: Facts,
) -> Facts:
    """Return facts with pictures near the threshold, of noisy labels and of confused ones.

    Where networks have looked, also of those that people judged otherwise.

    Parameters
    ----------
    facts
        ``threshold``, ``labels`` and ``confusions``.
    """
    noisy = noisiest(facts["labels"])
    grids = {name: (rows, N_NEAR) for name, rows in _near(selected, facts["threshold"]).items()}
    for name, rows in disagreements(run_dir, selected, judged).items():
        grids[name] = (rows, N_LOOKED)
    p, code = selected["p_correct"].to_numpy(), taxonomy.codes(selected["label_id"])
    kept = np.asarray(selected["kept"], bool)
    for row in noisy:
        of_label = np.flatnonzero(kept & (code == taxonomy.code(row["label_id"])))
        grids[f"noisy {row['label_id']}"] = (of_label[np.argsort(p[of_label])], N_NOISY)
    for number, row in enumerate(facts["confusions"]):
        images = row.pop("image_ids")[: 4 * N_CONFUSED]
        pairs = pa.table({"image_id": images, "label_id": [row["wrong"]] * len(images)})
        grids[f"confused {number}"] = (find_pairs(pairs, selected), N_CONFUSED)
    shown = show_grids(config, run_dir, selected, taxonomy, grids)
    return {
        **facts,
        "noisy_labels": [
            {**row, "pictures": shown.pop(f"noisy {row['label_id']}", [])} for row in noisy
        ],
        "confusions": [
            {**row, "pictures": shown.pop(f"confused {number}", [])}
            for number, row in enumerate(facts["confusions"])
        ],
        "thumbnails": shown,
    }


def _near(selected: pa.Table, threshold: float | None) -> dict[str, Ints]:
    """Return kept and dropped rows, the nearest to the threshold first, and those of the floor."""
    p, kept = selected["p_correct"].to_numpy(), np.asarray(selected["kept"], bool)
    by_floor = kept & (p < (0 if threshold is None else threshold))
    above, floor, below = (np.flatnonzero(rows) for rows in (kept & ~by_floor, by_floor, ~kept))
    return {
        "kept_lowest": above[np.argsort(p[above], kind="stable")],
        "kept_by_floor": floor[np.argsort(p[floor], kind="stable")],
        "dropped_highest": below[np.argsort(-p[below], kind="stable")],
    }
