"""Intervals and proofs where networks judge the candidates, and all is learnt in each draw.

    python tests/benchmarks/looked.py [--draws N --images N --audits N --noise X --ways WAY …]

A world whose sources err together (`correlated_world.py`); the features of an image are the sum of
a random direction for each label that it shows, plus noise. In each draw audits are drawn, and in
each way the candidates are scored by them, with the votes of linear heads on the features (as
`winnow look --weights` has them) or without:

- without: no features;
- nested: as winnow does it, no verdict having a part in the vote on its image;
- plain: the same, but all heads learn from probabilities that all audits have taught;
- shuffled: nested, with the features of other images.

Stated are, by the truth: the precision of the best third, the coverage of its 95 % interval and
the mean error of its estimate; what is kept for a precision of .9, as a share of what the oracle
would keep in the order of these scores, and how often that promise is broken. Heads alone: how
often they rank a right candidate above a wrong one. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from correlated_world import CorrelatedWorld, make_correlated_world
from sklearn.metrics import roc_auc_score

from curation.audits.audits import answer, bands, sample
from curation.intervals.judgements import Judgements, precision_of
from curation.intervals.learn_then_test import prove
from curation.intervals.thresholds import thresholds
from curation.pairs.pair_keys import find_pairs, image_hash
from curation.scoring.features import features
from curation.scoring.parts import parts_of_table, pool_of_parts, score_parts_without
from curation.scoring.scoring import score
from labeling.errors import QualityError
from labeling.evidence.added import Votes, add_votes, find_votes, graded, strongest
from labeling.keys import ids
from pipelines.looking.folds import N_FOLDS
from training.visual.opinions import Pairs, by_heads

WAYS = ("without", "nested", "plain", "shuffled")
WIDTH = 64
TARGET, CONFIDENCE = 0.9, 0.95

Floats32 = npt.NDArray[np.float32]
Result = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description="Hold intervals where networks look.")
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--audits", type=int, default=300)
    parser.add_argument("--noise", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0, help="of the first draw")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS[:3])
    arguments = parser.parse_args()
    measured: dict[str, list[float]] = {}
    world = make_correlated_world(arguments.images, 0)
    seen = draw_features(world, arguments.noise)
    for draw in range(arguments.seed, arguments.seed + arguments.draws):
        results = measure_draw(world, seen, draw, arguments.audits, arguments.ways)
        for name, value in results.items():
            measured.setdefault(name, []).append(value)
        print(json.dumps({"draw": draw} | {k: round(v, 4) for k, v in results.items()}), flush=True)
    means = {name: round(float(np.nanmean(values)), 4) for name, values in measured.items()}
    for name, value in means.items():
        print(f"{name:24} {value:.4f}")
    print(json.dumps({"draws": arguments.draws, "candidates": len(world.correct)} | means))


def draw_features(world: CorrelatedWorld, noise: float) -> Floats32:
    """Return the features of the images, in the order of their ids."""
    rng = np.random.default_rng(1)
    image = image_codes(world)
    label = world.taxonomy.codes(world.candidates["label_id"])
    direction = rng.normal(size=(len(world.taxonomy), WIDTH)) / np.sqrt(WIDTH)
    values = noise * rng.normal(size=(image.max() + 1, WIDTH)) / np.sqrt(WIDTH)
    np.add.at(values, image[world.correct], direction[label[world.correct]])
    return values.astype(np.float32)


def image_codes(world: CorrelatedWorld) -> npt.NDArray[np.int64]:
    return ids.rank(ids.to_halves(world.candidates["image_id"]))[0]


def measure_draw(
    world: CorrelatedWorld, seen: Floats32, seed: int, n: int, ways: list[str]
) -> Result:
    pairs = world.candidates.select(["image_id", "label_id"])
    pool = pool_of_parts(parts_of_table(world.candidates), world.taxonomy)
    truth = pairs.filter(pa.array(world.correct))
    audits = answer(sample(pairs, pool.cold, n, seed, kind=pool.kind), truth)
    row, stratum = find_pairs(audits, pairs), bands(pairs, pool.cold)
    judged = Judgements(row, world.correct[row], audits["p_inclusion"].to_numpy(), stratum)
    results: Result = {}
    for way in ways:
        candidates = world.candidates
        if way != "without":
            shown = np.random.default_rng(seed).permutation(seen) if way == "shuffled" else seen
            candidates, ranked = look(world, shown, audits, seed, is_nested=way != "plain")
            results[f"alone_{way}"] = ranked
        p_correct = score(features(candidates, world.taxonomy), audits).p_correct
        measures = measure(world.correct, judged, p_correct)
        results |= {f"{name}_{way}": value for name, value in measures.items()}
    return results


def look(
    world: CorrelatedWorld, seen: Floats32, audits: pa.Table, seed: int, is_nested: bool
) -> tuple[pa.Table, float]:
    """Return the candidates with the votes of heads, and how well `visual` ranks alone."""
    candidates, taxonomy = world.candidates, world.taxonomy
    image, label = image_codes(world), taxonomy.codes(candidates["label_id"]).astype(np.int64)
    image_ids = pa.array(sorted({*candidates["image_id"].to_pylist()}))
    fold = (image_hash(image_ids, seed) % np.uint64(N_FOLDS)).astype(np.int8)
    if is_nested:
        parts = parts_of_table(candidates)
        scores = score_parts_without(parts, taxonomy, audits, image_ids, fold, N_FOLDS)
    else:
        scores = np.tile(score(features(candidates, taxonomy), audits).p_correct, (N_FOLDS, 1))
    order = np.argsort(image, kind="stable")
    judged = Pairs(order, image[order], label[order], fold, len(taxonomy))
    strength = np.zeros((2, len(image)), np.float32)
    for opinion in by_heads(seen, judged, scores):
        strength[:, order[opinion.pairs]] = opinion.neighbours, opinion.visual
    votes = Votes(
        np.tile(ids.to_halves(candidates["image_id"]), (2, 1)),
        np.tile(label, 2).astype(np.int32),
        np.repeat(np.arange(2, dtype=np.int16), len(image)),
        strength.ravel(),
        ("neighbours", "visual"),
    )
    votes = graded(strongest(votes))
    merged = add_votes(candidates, votes, find_votes(votes, candidates, taxonomy))
    return merged, float(roc_auc_score(world.correct, strength[1]))


def measure(correct: npt.NDArray[np.bool_], judged: Judgements, p_correct: Floats32) -> Result:
    order = np.argsort(-p_correct, kind="stable")
    kept = np.zeros(len(order), bool)
    kept[order[: len(order) // 3]] = True
    interval, third = precision_of(judged, kept, CONFIDENCE), float(correct[kept].mean())
    precision = np.cumsum(correct[order]) / np.arange(1, len(order) + 1)
    cuts = thresholds(judged, p_correct)
    try:
        n_kept = int(cuts.n_kept[prove(cuts, TARGET)])
    except QualityError:
        n_kept = 0
    oracle = int(np.flatnonzero(precision >= TARGET).max(initial=0)) + 1
    return {
        "third": third,
        "coverage": float(interval.low <= third <= interval.high),
        "bias": interval.estimate - third,
        "certified": n_kept / len(order),
        "certified_vs_oracle": n_kept / oracle,
        "violations": float(n_kept > 0 and precision[n_kept - 1] < TARGET),
    }


if __name__ == "__main__":
    main()
