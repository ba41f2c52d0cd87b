"""Gain of networks that look at the images, on real photos.

    python tests/benchmarks/visual.py --data FOLDER [--weights W --work FOLDER --sets SET …]

FOLDER holds ``cifar10n_dev.tar.gz``, ``fashion_dev.tar.gz`` and ``flickr8k_dev.tar``. Each set is
labelled and audited as by `cifar10n.py` (the labels of three people, 500 audits), by the recipe of
`fashion.toml` (2,000 audits), and by `halves.py` (2,000 audits of the photos of one half, results
stated of the other). Then `winnow look --weights W` (efficientnet-lite2) adds its votes, and the
same audits score the candidates again. Stated are, before and after and for the ranking of the
network alone: the share of right ones among the best tenth and third, what an oracle would keep
for a precision of .95 in this order, the mean log-loss; and of CIFAR-10N the share of images whose
best label is right. Of CIFAR-10N also what cleanlab makes of the three people's labels and the same
predictions (CROWDLAB, Goh et al. 2022, where cleanlab of the extra ``bench`` is installed): it uses
no audits. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cifar10n
import halves
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from scipy.special import softmax

from curation.audits.audits import answer, sample
from curation.pairs.pair_keys import find_pairs, pair_hash
from curation.runs.stage import Stage, open_stage
from curation.scoring.parts import parts_of_table, pool_of_parts
from labeling.keys import ids
from labeling.keys.arrays import Floats32
from labeling.schemas import CANDIDATES, SCORED, VOTES
from pipelines.auditing.sample import import_answers
from pipelines.delivery.truth import read_truth
from pipelines.jobs.label import label
from pipelines.looking.look import look
from pipelines.run.config import Config, read_config, with_overrides
from pipelines.run.saved_config import save_config
from pipelines.run.stages import taxonomy_of
from pipelines.selecting.scores import score
from pipelines.selecting.select import audits_of
from training.visual import opinions
from training.visual.opinions import Opinion, Pairs

TARGET = 0.95
PARTS = {"tenth": 0.1, "third": 1 / 3}

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Result = dict[str, float]


@dataclass(frozen=True, eq=False)
class Case:
    """A run with audits; which candidates are right, and which ones results are stated of."""

    config: Config
    run_dir: Path
    right: Flags
    stated: Flags


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what networks add on real photos.")
    parser.add_argument("--data", type=Path, default=os.environ.get("WINNOW_DATA"))
    parser.add_argument("--work", type=Path, help="folder to keep the runs in")
    parser.add_argument("--weights", default="efficientnet-lite2")
    parser.add_argument("--sets", nargs="+", choices=[*SETS], default=[*SETS])
    arguments = parser.parse_args()
    result: Result = {}
    with tempfile.TemporaryDirectory() as folder:
        work = (arguments.work or Path(folder)).resolve()
        for name in arguments.sets:
            case = SETS[name](arguments.data, work / name)
            measures = compare(case, arguments.weights)
            if name == "cifar10n":
                measures |= peer(arguments.data, work / name, case)
            for key, value in measures.items():
                print(f"{name:8} {key:24} {value:.4f}", flush=True)
            result |= {f"{name}_{key}": round(value, 4) for key, value in measures.items()}
    print(json.dumps(result))


def compare(case: Case, weights: str) -> Result:
    """Return the measures before and after `look`, and of the network alone."""
    candidates = open_stage(case.run_dir, "candidates")
    audits = audits_of(case.config, case.run_dir, candidates)
    before = score(case.config, case.run_dir, candidates, audits)
    measures = measure("before", case, p_of(before))
    with kept_predictions(case.run_dir / "predictions.npy"):
        look(with_overrides(case.config, {"look.weights": weights}), case.run_dir)
    votes = open_stage(case.run_dir, "look").table(VOTES)
    visual = votes.filter(pc.equal(votes["source"], "visual"))
    pairs = candidates.table(CANDIDATES)
    alone = np.full(len(pairs), -np.inf)
    alone[find_pairs(visual, pairs)] = visual["strength"].to_numpy()
    after = score(case.config, case.run_dir, candidates, audits)
    return measures | measure("alone", case, alone) | measure("after", case, p_of(after))


@contextmanager
def kept_predictions(path: Path) -> Iterator[None]:
    """Write what the networks of `look` make of every image and label, ``float32[n, n_labels]``."""

    def by_heads(
        features: Floats32, pairs: Pairs, scores: Floats32, least: float | None = None
    ) -> Iterator[Opinion]:
        n, n_labels = len(pairs.fold), pairs.n_labels
        row = np.full((n, n_labels), scores.shape[1])
        row[pairs.image, pairs.label] = pairs.row
        image, label = (each.ravel() for each in np.indices((n, n_labels)))
        nothing = np.zeros((len(scores), 1), np.float32)
        every = Pairs(row.ravel(), image, label, pairs.fold, n_labels)
        strength = np.zeros(n * n_labels, np.float32)
        for opinion in plain(features, every, np.hstack([scores, nothing])):
            strength[opinion.pairs] = opinion.visual
        np.save(path, strength.reshape(n, n_labels))
        return plain(features, pairs, scores, least)

    plain = opinions.by_heads
    opinions.by_heads = by_heads
    try:
        yield
    finally:
        opinions.by_heads = plain


def peer(data: Path, work: Path, case: Case) -> Result:
    """Return how many images CROWDLAB labels rightly by people's labels and the predictions."""
    try:
        from cleanlab.multiannotator import get_label_quality_multiannotator
    except ImportError:
        print("cleanlab is not installed")
        return {}
    (folder,) = (path.parent for path in work.glob("*/labels.jsonl"))
    crowd = cifar10n.read_crowd(folder)
    p = softmax(np.load(case.run_dir / "predictions.npy"), axis=1)
    # Predictions are in the order of the ids of images and labels.
    images, labels = np.argsort(crowd.image_ids), np.argsort(crowd.classes)
    given = np.argsort(labels)[crowd.given[images]]
    judged = get_label_quality_multiannotator(given, p, verbose=False)
    consensus = judged["label_quality"]["consensus_label"].to_numpy()
    true = np.argsort(labels)[crowd.true[images]]
    return {
        "best_of_image_cleanlab": float((consensus == true).mean()),
        "best_of_image_predicted": float((p.argmax(axis=1) == true).mean()),
    }


def p_of(scored: Stage) -> Floats:
    return scored.table(SCORED)["p_correct"].to_numpy().astype(np.float64)


def measure(name: str, case: Case, p: Floats) -> Result:
    pairs = open_stage(case.run_dir, "candidates").table(CANDIDATES, ["image_id", "label_id"])
    rows = np.flatnonzero(case.stated)
    order = rows[np.lexsort((pair_hash(pairs)[rows], -p[rows]))]
    right = case.right[order]
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    measures = {
        f"{part}_{name}": float(right[: round(share * len(right))].mean())
        for part, share in PARTS.items()
    }
    kept = int(np.flatnonzero(precision >= TARGET).max(initial=-1)) + 1
    measures[f"kept_at_95_{name}"] = kept / len(right)
    if name != "alone":
        of_truth = np.where(case.right, p, 1 - p)[rows]
        measures[f"log_loss_{name}"] = float(-np.log(of_truth.clip(1e-6)).mean())
    # The best candidate of each image, images in the order of their ids.
    image = ids.rank(ids.to_halves(pairs["image_id"]))[0]
    by_image = np.lexsort((-p, image))
    first = by_image[np.unique(image[by_image], return_index=True)[1]]
    measures[f"best_of_image_{name}"] = float(case.right[first[case.stated[first]]].mean())
    return measures


def read_cifar10n(data: Path, work: Path) -> Case:
    if not work.is_dir():
        with tarfile.open(data / cifar10n.ARCHIVE) as tar:
            tar.extractall(work, filter="data")
    (folder,) = (path.parent for path in work.glob("*/labels.jsonl"))
    config = cifar10n.write_inputs(cifar10n.read_crowd(folder), folder)
    return labelled(config, work / "run", folder / "truth.csv")


def read_fashion(data: Path, work: Path) -> Case:
    if not work.is_dir():
        prepare = [sys.executable, halves.RECIPES / "fashion.py", data / "fashion_dev.tar.gz"]
        subprocess.run([*prepare, work / "data"], check=True, capture_output=True)
    config = read_config(halves.RECIPES / "fashion.toml")
    config = config.model_copy(update={"base": str(work / "data")})
    return labelled(config, work / "run", work / "data" / "truth.csv")


def labelled(config: Config, run_dir: Path, truth: Path) -> Case:
    candidates = label(config, run_dir)
    save_config(config, run_dir)
    true = read_truth(truth, taxonomy_of(candidates))
    right = find_pairs(candidates.table(CANDIDATES), true) >= 0
    return Case(config, run_dir, right, np.ones(len(right), bool))


def read_flickr(data: Path, work: Path) -> Case:
    """Return the photos of both halves, with audits of one."""
    work.mkdir(parents=True, exist_ok=True)
    with tarfile.open(data / "flickr8k_dev.tar") as tar:
        tar.extractall(work, filter="data")
    photos = list(halves.read_lines(work / "flickr8k" / "images.jsonl"))
    lines = halves.read_lines(work / "flickr8k" / "crowd_judgments.jsonl")
    votes = [vote for vote in lines if vote["query_source_image"] != vote["image"]]
    config = halves.write_flickr(work, photos, votes)
    candidates = label(config, work / "run")
    save_config(config, work / "run")
    image_of = {
        photo["image"]: ids.digest((work / "flickr8k/images" / photo["image"]).read_bytes())
        for photo in photos
    }
    taxonomy, pairs = taxonomy_of(candidates), candidates.table(CANDIDATES)
    truth = halves.nouns_of(photos, image_of, taxonomy)
    judged = pa.array(sorted({image_of[vote["image"]] for vote in votes}))
    is_judged = np.asarray(pc.is_in(pairs["image_id"], value_set=judged), bool)
    stated = halves.second_half(pairs)
    pool = pool_of_parts(parts_of_table(pairs), taxonomy)
    asked = np.flatnonzero(~stated & is_judged)
    some = pool.pairs.take(pa.array(asked))
    drawn = sample(some, pool.cold[asked], 2000, 0, kind=pool.kind[asked])
    pq.write_table(answer(drawn, truth), work / "audits.parquet")
    import_answers(work / "run", work / "audits.parquet")
    right = find_pairs(pairs, truth) >= 0
    return Case(config, work / "run", right, stated & is_judged)


SETS: dict[str, Callable[[Path, Path], Case]] = {
    "cifar10n": read_cifar10n,
    "fashion": read_fashion,
    "flickr8k": read_flickr,
}


if __name__ == "__main__":
    main()
