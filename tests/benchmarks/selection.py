"""Precision at the top third, by method, in a world whose sources err together.

    python tests/benchmarks/selection.py [--images N --seed S] [--peer-path SITE_PACKAGES]

All methods rank the same candidates (`correlated_world`). "bayes" is the best score of a pair taken
alone; winnow also sees the image's other candidates and may pass it. Progress is the part of the
way from random to "bayes". Peers are taken from another environment's site-packages, in which
snorkel, crowd-kit, flyingsquid with pgmpy, and cleanlab are installed; missing peers are named.
The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from calibration_error import expected_calibration_error
from correlated_world import CorrelatedWorld, make_correlated_world
from sklearn.linear_model import LogisticRegression

from curation.audits.audits import answer, sample
from curation.pairs.pair_keys import find_pairs
from curation.runs.stage import open_stage
from curation.runs.staging import write_stage
from curation.runs.table_files import write_table
from curation.scoring.features import features
from curation.scoring.model import Scorer
from curation.scoring.parts import N_AT_ONCE, apply_all, parts_of_table, pool_of_parts, score_parts
from curation.scoring.threads import one_thread
from pipelines.run.stages import taxonomy_of
from pipelines.selecting.scores import parts_of

Floats = npt.NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare ways to rank candidates.")
    parser.add_argument("--images", type=int, default=72_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--peer-path", help="site-packages folder that holds the peers")
    arguments = parser.parse_args()
    world = make_correlated_world(arguments.images, arguments.seed)
    print(f"{len(world.correct):,} candidates, {world.correct.mean():.4f} right", flush=True)
    precision = {"random": float(world.correct.mean())}
    precision["bayes"] = print_precision("bayes", world, world.bayes)
    precision["vote_count"] = print_precision("vote_count", world, world.voted.sum(axis=1))
    if arguments.peer_path:
        sys.path.append(arguments.peer_path)
        warnings.simplefilter("ignore")
        for name, peer in PEERS.items():
            try:
                precision[name] = print_precision(name, world, peer(world))
            except ImportError as error:
                print(f"{name:24} not run: {error}", flush=True)
    progress = {f"progress_{n}": 0.0 for n in (500, 2000)}
    precision |= rank_by_audits(world, progress)
    way = precision["bayes"] - precision["random"]
    for n in (500, 2000):
        progress[f"progress_{n}"] = (precision[f"winnow_{n}"] - precision["random"]) / way
    progress["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rounded = {name: round(p, 4) for name, p in precision.items()}
    print(
        json.dumps(
            {"precision_at_third": rounded, "bayes": rounded["bayes"]}
            | {name: round(value, 4) for name, value in progress.items()}
        )
    )


def print_precision(name: str, world: CorrelatedWorld, score: npt.NDArray[np.number]) -> float:
    """Print and return the precision of the top third; ties are broken at random."""
    chance = np.random.default_rng(0).random(len(score))
    top = np.lexsort((chance, -score))[: round(len(score) / 3)]
    precision = float(world.correct[top].mean())
    print(f"{name:24} {precision:.4f}", flush=True)
    return precision


def rank_by_audits(world: CorrelatedWorld, progress: dict[str, float]) -> dict[str, float]:
    """Return the precision of winnow without audits, with 500 and 2,000, and of simpler fits."""
    table = features(world.candidates, world.taxonomy)
    cold = pool_of_parts(parts_of_table(world.candidates), world.taxonomy).cold
    precision = {"winnow_cold": print_precision("winnow_cold", world, cold)}
    truth = world.candidates.select(["image_id", "label_id"]).filter(pa.array(world.correct))
    votes = (world.voted.astype(np.float32) - world.silent).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        run_dir = Path(folder)
        with write_stage(run_dir, "candidates", inputs={}, config={}) as work:
            write_table(world.candidates, work.dir, "candidates")
            write_table(world.taxonomy.to_table(), work.dir, "taxonomy")
        stage = open_stage(run_dir, "candidates")
        for n in (500, 2000):
            audits = answer(sample(table.pairs, cold, n, 0), truth)
            for name, values in (("votes", votes), ("features", table.values)):
                key = f"logistic_{name}_{n}"
                precision[key] = print_precision(key, world, logistic(values, audits, world))
            start = time.perf_counter()
            p_correct, scores, n_fitted = score_parts(parts_of(stage), taxonomy_of(stage), audits)
            progress[f"seconds_{n}"] = time.perf_counter() - start
            precision[f"winnow_{n}"] = print_precision(f"winnow_{n}", world, p_correct)
            error = expected_calibration_error(p_correct.astype(np.float64), world.correct)
            progress[f"calibration_error_{n}"] = error
            progress[f"folds_boosted_{n}"] = scores.n_boosted
            print(f"  {scores.n_boosted} folds boosted")
            print(
                f"  fitted on {n_fitted:,} in {progress[f'seconds_{n}']:.1f} s, error {error:.4f}"
            )
    plain = tuple(replace(model, boosted=None) for model in scores.scorer.models)
    for name, scorer in (
        ("logistic", replace(scores.scorer, models=plain)),
        ("boosting", scores.scorer),
    ):
        progress[f"rate_{name}"] = rate(scorer, world)
        print(f"{name:24} {progress[f'rate_{name}']:,.0f} candidates/s")
    return precision


def rate(scorer: Scorer, world: CorrelatedWorld) -> float:
    """Return how many candidates are scored a second, features included."""
    n = len(world.candidates)
    parts = (world.candidates.slice(i, N_AT_ONCE) for i in range(0, n, N_AT_ONCE))
    start = time.perf_counter()
    with one_thread("blas"):
        n_scored = sum(len(p) for p in apply_all(scorer, parts, world.taxonomy))
    return n_scored / (time.perf_counter() - start)


def logistic(values: npt.NDArray[np.float32], audits: pa.Table, world: CorrelatedWorld) -> Floats:
    row = find_pairs(audits, world.candidates)
    center, scale = values[row].mean(axis=0), values[row].std(axis=0) + 1e-6
    weight = 1 / audits["p_inclusion"].to_numpy()
    model = LogisticRegression(max_iter=1000)
    model.fit((values[row] - center) / scale, world.correct[row], weight / weight.mean())
    score: Floats = ((values - center) / scale) @ model.coef_[0]
    return score


def dawid_skene(world: CorrelatedWorld) -> Floats:
    from crowdkit.aggregation import DawidSkene

    row, source = np.nonzero(world.voted | world.silent)
    votes = pd.DataFrame(
        {"task": row, "worker": source, "label": world.voted[row, source].astype(np.int64)}
    )
    p = DawidSkene(n_iter=20).fit_predict_proba(votes)
    score: Floats = p.reindex(np.arange(len(world.correct)))[1].to_numpy()
    return score


def snorkel(world: CorrelatedWorld) -> Floats:
    from snorkel.labeling.model import LabelModel

    model = LabelModel(cardinality=2, verbose=False)
    model.fit(_votes(world), n_epochs=500, seed=0, progress_bar=False)
    score: Floats = model.predict_proba(_votes(world))[:, 1]
    return score


def flying_squid(world: CorrelatedWorld) -> Floats:
    vars(np).setdefault("product", np.prod)  # gone from numpy 2, which its pgmpy does not know
    from flyingsquid.label_model import LabelModel

    votes = world.voted.astype(np.int64) - world.silent
    model = LabelModel(votes.shape[1])
    model.fit(votes)
    score: Floats = np.asarray(model.predict_proba(votes))[:, 1]
    return score


def cleanlab(world: CorrelatedWorld) -> Floats:
    """Rank by how far cleanlab believes the majority of the sources of each pair.

    Its probabilities are fitted to the majority and predicted out of fold.
    """
    from cleanlab.multilabel_classification.rank import get_label_quality_scores_per_class
    from sklearn.model_selection import cross_val_predict

    majority = world.voted.sum(axis=1) > world.silent.sum(axis=1)
    p = cross_val_predict(
        LogisticRegression(max_iter=200), _votes(world), majority, cv=3, method="predict_proba"
    )[:, 1]
    _, image = np.unique(np.asarray(world.candidates["image_id"]), return_inverse=True)
    label = world.taxonomy.codes(world.candidates["label_id"])
    p_of_all = np.full((image.max() + 1, len(world.taxonomy)), 1e-6)
    p_of_all[image, label] = p
    given = pa.array(image[majority]), pa.array(label[majority])
    labels: list[list[int]] = [[] for _ in p_of_all]
    for i, code in zip(*(column.to_pylist() for column in given), strict=True):
        labels[i].append(code)
    trusted = get_label_quality_scores_per_class(labels, p_of_all)[image, label]
    score: Floats = np.where(majority, trusted, 1 - trusted)
    return score


def _votes(world: CorrelatedWorld) -> npt.NDArray[np.int64]:
    """Return 1 for a source that names the label, 0 for a silent one, -1 where it abstains."""
    return np.where(world.voted, 1, np.where(world.silent, 0, -1))


PEERS: dict[str, Callable[[CorrelatedWorld], Floats]] = {
    "dawid_skene": dawid_skene,
    "snorkel": snorkel,
    "flying_squid": flying_squid,
    "cleanlab": cleanlab,
}

if __name__ == "__main__":
    main()
