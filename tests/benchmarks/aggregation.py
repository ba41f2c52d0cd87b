"""Accuracy of votes that are aggregated without audits, on public sets with gold labels.

    python tests/benchmarks/aggregation.py [--data FOLDER] [--peer-path SITE_PACKAGES]

Accuracy in per cent on the tasks that have gold, ties counted by chance. Peers are crowd-kit's
Dawid-Skene, GLAD and MACE and, on labelling functions (``ws_…``), Snorkel's label model; those that
are not installed are left out. A peer's mean counts majority vote where it does not apply.
The last line is JSON.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import sys
import tarfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from crowds import aggregate

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]


class Votes(NamedTuple):
    name: str
    task: Longs
    voter: Longs
    answer: Longs
    n_classes: int
    gold: Longs
    """Class of each task, -1 where it is not known."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare ways to aggregate votes.")
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("WINNOW_DATA"),
        help="folder of crowd_dev.tar.gz; by default $WINNOW_DATA",
    )
    parser.add_argument("--peer-path", help="site-packages folder that holds the peers")
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("give --data or set WINNOW_DATA")
    if arguments.peer_path:
        sys.path.append(arguments.peer_path)
        warnings.simplefilter("ignore")
    rows: dict[str, dict[str, float]] = {}
    for votes in read_sets(arguments.data / "crowd_dev.tar.gz"):
        rows[votes.name] = {
            "majority": accuracy(majority(votes), votes.gold),
            "winnow": accuracy(
                aggregate(votes.task, votes.voter, votes.answer, votes.n_classes), votes.gold
            ),
        }
        for name, peer in PEERS.items() if arguments.peer_path else ():
            rows[votes.name][name] = run_peer(name, peer, votes, rows[votes.name]["majority"])
        print(votes.name.ljust(16), *(f"{k} {v:.2f}" for k, v in rows[votes.name].items()))
    table = pd.DataFrame(rows).T
    means = table.mean()
    print("mean".ljust(16), *(f"{name} {value:.2f}" for name, value in means.items()))
    print(
        json.dumps(
            {
                "worst_vs_majority": round(float((table["winnow"] - table["majority"]).min()), 2),
                "mean": round(float(means["winnow"]), 2),
                "best_peer_mean": round(float(means.drop("winnow").max()), 2),
                "means": {name: round(float(value), 2) for name, value in means.items()},
            }
        )
    )


def read_sets(path: Path) -> Iterator[Votes]:
    with tarfile.open(path) as tar:
        names = sorted(n for n in tar.getnames() if n.endswith("answers.csv"))
        for name in names:
            answers, gold = (
                list(csv.DictReader(io.StringIO(tar.extractfile(member).read().decode())))
                for member in (name, name.replace("answers.csv", "gold.csv"))
            )
            yield _votes(Path(name).parent.name, pd.DataFrame(answers), pd.DataFrame(gold))


def _votes(name: str, answers: pd.DataFrame, gold: pd.DataFrame) -> Votes:
    classes = sorted({*answers["label"], *gold["gold"]})
    task, tasks = pd.factorize(answers["task"])
    voter, _ = pd.factorize(answers["worker"])
    code_of = {label: code for code, label in enumerate(classes)}
    known = dict(zip(gold["task"], gold["gold"].map(code_of), strict=True))
    return Votes(
        name,
        task,
        voter,
        answers["label"].map(code_of).to_numpy(np.int64),
        len(classes),
        np.array([known.get(t, -1) for t in tasks], np.int64),
    )


def accuracy(belief: Floats, gold: Longs) -> float:
    known = gold >= 0
    leads = belief[known] >= belief[known].max(axis=1, keepdims=True) - 1e-9
    right = leads[np.arange(known.sum()), gold[known]] / leads.sum(axis=1)
    return 100 * float(right.mean())


def majority(votes: Votes) -> Floats:
    count = np.zeros((len(votes.gold), votes.n_classes))
    np.add.at(count, (votes.task, votes.answer), 1)
    return count / count.sum(axis=1, keepdims=True)


def run_peer(
    name: str, peer: Callable[[Votes], Floats | None], votes: Votes, other: float
) -> float:
    try:
        belief = peer(votes)
    except ImportError as error:
        print(f"{name} not run: {error}")
        return float("nan")
    return other if belief is None else accuracy(belief, votes.gold)


def _crowdkit(votes: Votes, name: str) -> Floats:
    import crowdkit.aggregation

    frame = pd.DataFrame({"task": votes.task, "worker": votes.voter, "label": votes.answer})
    model = getattr(crowdkit.aggregation, name)()
    p = model.fit_predict_proba(frame)
    every = p.reindex(index=range(len(votes.gold)), columns=range(votes.n_classes))
    return every.fillna(0.0).to_numpy()


def snorkel(votes: Votes) -> Floats | None:
    """Return what Snorkel makes of labelling functions; crowds of many voters are not its case."""
    if not votes.name.startswith("ws_"):
        return None
    from snorkel.labeling.model import LabelModel

    matrix = np.full((len(votes.gold), int(votes.voter.max()) + 1), -1)
    matrix[votes.task, votes.voter] = votes.answer
    model = LabelModel(cardinality=votes.n_classes, verbose=False)
    model.fit(matrix, n_epochs=500, seed=0, progress_bar=False)
    return np.asarray(model.predict_proba(matrix))


PEERS: dict[str, Callable[[Votes], Floats | None]] = {
    "dawid_skene": lambda votes: _crowdkit(votes, "DawidSkene"),
    "glad": lambda votes: _crowdkit(votes, "GLAD"),
    "mace": lambda votes: _crowdkit(votes, "MACE"),
    "snorkel": snorkel,
}

if __name__ == "__main__":
    main()
