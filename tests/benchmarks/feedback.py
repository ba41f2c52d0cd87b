"""Quality of reading feedback: positions, users, attacks, on simulated logs and real votes.

    python tests/benchmarks/feedback.py [--data FOLDER]

FOLDER holds ``flickr8k_dev.tar`` and ``crowd_dev.tar.gz``; without it only the simulations run.

- positions: Spearman correlation of what results are worth with how far clicks put them, before
  (clicks by impressions; by the plain click rates of positions) and after the fitted examination;
- attacks: pairs moved over a strength of 0.7 by hostile users, and wrong ones among them, beside
  plain shares of votes;
- votes against experts: precision at the recall of a plain share of a half;
- crowds: accuracy of weighted votes less that of plain ones, by set (ties count by their share).

The last line is JSON.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from labeling.feedback import click_model, debias, feedback, voter_reliability
from tests.labeling import brigades

SELECTED = 0.7
RECALL = 0.528

Result = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what is made of feedback.")
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("WINNOW_DATA"),
        help="folder of flickr8k_dev.tar, crowd_dev.tar.gz; by default $WINNOW_DATA",
    )
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    result: Result = {}
    for measured in (measure_positions(arguments.seeds), measure_attacks(arguments.seeds)):
        result |= rounded(measured)
    if arguments.data is not None:
        result |= rounded(measure_experts(arguments.data / "flickr8k_dev.tar"))
        result |= rounded(measure_crowds(arguments.data / "crowd_dev.tar.gz"))
    print(json.dumps(result))


def rounded(measured: Result) -> Result:
    for name, value in measured.items():
        print(f"{name:46s} {value:10.4f}")
    return measured


def measure_positions(n_seeds: int) -> Result:
    """Rank pairs by their clicks in logs whose ranking knows nothing of what is wanted, or much."""
    result: Result = {}
    for ranking, skill in (("blind", 0.0), ("skilled", 1.0)):
        correlations = [_positions_once(np.random.default_rng(s), skill) for s in range(n_seeds)]
        for name in correlations[0]:
            mean = float(np.mean([run[name] for run in correlations]))
            result[f"{ranking} ranking, {name}"] = mean
    return result


def _positions_once(rng: np.random.Generator, skill: float) -> Result:
    n_queries, n_results, n_shown = 400, 20, 60
    looked = 1 / np.arange(1, n_results + 1)
    wanted = rng.beta(1, 4, (n_queries, n_results))
    noise = rng.normal(0, 0.15, (n_queries, n_shown, n_results))
    first = np.argsort(-(rng.normal(skill * wanted, 0.2)[:, None, :] + noise), axis=2)
    rank = np.argsort(first, axis=2)
    pair = np.arange(wanted.size).reshape(wanted.shape)[:, None, :] + 0 * rank
    clicked = rng.random(rank.shape) < wanted[:, None, :] * looked[rank]
    cell, n = np.unique(pair.ravel() * 64 + rank.ravel() + 1, return_counts=True)
    clicks = np.bincount(
        np.searchsorted(cell, pair.ravel() * 64 + rank.ravel() + 1), clicked.ravel(), len(cell)
    )
    of, position = cell // 64, cell % 64
    fitted = click_model.fit(of, position, n.astype(float), clicks)
    plain = np.bincount(position, clicks, 51) / np.maximum(np.bincount(position, n, 51), 1)
    prior = debias.CLICK_PRIOR
    total = np.bincount(of, clicks)
    ways = {
        "click rate": np.full(51, plain[position].mean()),
        "plain position rates": plain,
        "fitted examination": fitted.rates,
    }
    result = {}
    for name, rates in ways.items():
        expected = np.bincount(of, n * rates[position])
        strength = (total + prior) / (total + expected + 2 * prior)
        result[f"rank correlation, {name}"] = spearman(strength, wanted.ravel())
    error = np.abs(fitted.examination[1 : n_results + 1] / looked - 1)
    result["largest error of looked_at, first 10"] = float(error[:10].max())
    return result


def measure_attacks(n_seeds: int) -> Result:
    """Count the pairs that hostile users move over the threshold, over all seeds."""
    attacks = {
        "one label": (brigades.one_label, 10),
        "random": (brigades.at_random, 10),
        "copy-cat": (brigades.copy_cats, 10),
        "10,000 new users": (brigades.crowd_of_new, 10_000),
        "a million votes": (brigades.one_loud, 1_000_000),
    }
    result: Result = {}
    for per_pair, n_votes in ((10, 20_000), (4, 8_000)):
        for name, (attack, n) in attacks.items():
            counts = np.zeros(4)
            for seed in range(n_seeds):
                rng = np.random.default_rng(seed)
                site = brigades.build_site(rng, n_votes=n_votes)
                log = site.honest + attack(site, rng, n, 5000)
                before = brigades.strengths(site.honest, site) < SELECTED
                moved = before & (brigades.strengths(log, site) >= SELECTED)
                plain = plain_shares(site.honest, site) < SELECTED
                plain &= plain_shares(log, site) >= SELECTED
                counts += [moved.sum(), (moved & ~site.right).sum()] + [
                    plain.sum(),
                    (plain & ~site.right).sum(),
                ]
            stem = f"{per_pair} votes a pair, {name}"
            names = ("moved", "wrong ones", "plain moved", "plain wrong ones")
            result |= {f"{stem}: {n}": float(c) for n, c in zip(names, counts, strict=True)}
    return result


def plain_shares(log: brigades.Log, site: brigades.Site) -> np.ndarray:
    """Return the shrunken share of votes for each pair, every vote alike."""
    n = np.bincount(log.image, minlength=len(site.image))
    return (np.bincount(log.image, log.up, len(site.image)) + 1) / (n + 2)


def measure_experts(path: Path) -> Result:
    """Hold the votes on (photo, query) pairs against three experts each."""
    with tarfile.open(path) as tar:
        crowd = {(r["image"], r["query_id"]): r for r in _json_lines(tar, "crowd_judgments.jsonl")}
        experts = list(_json_lines(tar, "expert_judgments.jsonl"))
    judged = [(crowd[k], r) for r in experts if (k := (r["image"], r["query_id"])) in crowd]
    truth = np.array([np.median(r["scores"]) >= 3 for _, r in judged])
    yes, no = (np.array([votes[name] for votes, _ in judged]) for name in ("yes", "no"))
    strength = strength_of_counts(yes, no)
    plain = yes / (yes + no) >= 0.5
    return {
        "experts, pairs": float(len(truth)),
        "experts, plain share of a half: precision": float(truth[plain].mean()),
        "experts, plain share of a half: recall": float(truth[plain].sum() / truth.sum()),
        "experts, precision at recall .528": precision_at(strength, truth, RECALL),
        "experts, precision at the plain recall": precision_at(
            strength, truth, truth[plain].sum() / truth.sum()
        ),
    }


def strength_of_counts(yes: np.ndarray, no: np.ndarray) -> np.ndarray:
    """Return the strength of pairs with so many votes, of users who are not known."""
    pair = np.repeat(np.arange(len(yes)), yes + no)
    start = np.repeat(np.cumsum(yes + no) - (yes + no), yes + no)
    up = np.arange(len(pair)) - start < np.repeat(yes, yes + no)
    log = brigades.Log(np.arange(len(pair)), pair, 0 * pair, up, 0 * pair)
    answer = feedback.interactions(brigades.to_events(log))
    rows = debias.evidence(answer, brigades.fit(answer))
    strength = dict(zip(rows["image_id"].to_pylist(), rows["strength"].to_pylist(), strict=True))
    return np.array([strength[brigades.id_of("image", n)] for n in range(len(yes))])


def precision_at(score: np.ndarray, truth: np.ndarray, recall: float) -> float:
    """Return the precision where a recall is reached, ties taken by their share."""
    n_right = n = 0.0
    for value in np.unique(score)[::-1]:
        tied = score == value
        right = truth[tied].sum()
        share = min(1.0, (recall * truth.sum() - n_right) / max(right, 1e-9))
        n_right, n = n_right + share * right, n + share * tied.sum()
        if n_right >= recall * truth.sum() - 1e-9:
            break
    return float(n_right / n)


def measure_crowds(path: Path) -> Result:
    """Compare weighted with plain votes on public sets of answers."""
    result: Result = {}
    with tarfile.open(path) as tar:
        names = sorted({n for m in tar.getnames() if (n := Path(m).parent.name)})
        for name in names:
            plain, weighted = _crowd(tar, name)
            result[f"crowd {name}, plain"] = plain
            result[f"crowd {name}, gain"] = weighted - plain
    gains = [value for name, value in result.items() if name.endswith("gain")]
    return result | {
        "crowds, mean gain": float(np.mean(gains)),
        "crowds, worst gain": float(np.min(gains)),
    }


def _crowd(tar: tarfile.TarFile, name: str) -> tuple[float, float]:
    answers, gold = (list(_rows(tar, f"{name}/{n}.csv")) for n in ("answers", "gold"))
    gold_of = {row["task"]: _plain(row["gold"]) for row in gold}
    labels = [_plain(row["label"]) for row in answers]
    classes = sorted({*labels, *gold_of.values()})
    task, tasks = _numbers([row["task"] for row in answers])
    user, users = _numbers([row["worker"] for row in answers])
    answer = np.array([classes.index(label) for label in labels])
    fitted = voter_reliability.fit(_as_votes(task, user, answer, len(classes)), len(users))
    right = np.array([classes.index(gold_of[t]) if t in gold_of else -1 for t in tasks])
    weights = (np.ones(len(users)), fitted.weight)
    plain, weighted = (_accuracy(task, answer, w[user], right, len(classes)) for w in weights)
    return plain, weighted


def _as_votes(
    task: np.ndarray, user: np.ndarray, answer: np.ndarray, n_classes: int
) -> voter_reliability.Votes:
    """Return an answer as a vote for its class and against the others; of two classes, as one."""
    n, first = len(task), np.zeros(len(task), np.int64)
    if n_classes == 2:
        return voter_reliability.Votes(task, first, user, answer == 1, first, np.ones(n))
    pair = (task[:, None] * n_classes + np.arange(n_classes)).ravel()
    up = (answer[:, None] == np.arange(n_classes)).ravel()
    label, many = np.tile(np.arange(n_classes), n), np.zeros(n * n_classes, np.int64)
    return voter_reliability.Votes(
        pair, label, np.repeat(user, n_classes), up, many, np.ones(len(pair))
    )


def _accuracy(
    task: np.ndarray, answer: np.ndarray, weight: np.ndarray, right: np.ndarray, n_classes: int
) -> float:
    sums = np.bincount(task * n_classes + answer, weight, len(right) * n_classes)
    sums = sums.reshape(-1, n_classes)[right >= 0]
    best = sums >= sums.max(axis=1, keepdims=True) - 1e-9
    truth = right[right >= 0]
    return float((best[np.arange(len(truth)), truth] / best.sum(axis=1)).mean())


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Return the rank correlation, ties by their mean rank."""
    return float(np.corrcoef(_ranks(a), _ranks(b))[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    _, rank, n = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(n) - (n - 1) / 2)[rank]


def _numbers(values: list[str]) -> tuple[np.ndarray, list[str]]:
    coded = pa.array(values).dictionary_encode()
    return coded.indices.to_numpy().astype(np.int64), coded.dictionary.to_pylist()


def _plain(label: str) -> str:
    return label.removesuffix(".0")


def _rows(tar: tarfile.TarFile, ending: str) -> Iterator[dict[str, str]]:
    yield from csv.DictReader(io.StringIO(_text(tar, ending)))


def _json_lines(tar: tarfile.TarFile, ending: str) -> Iterator[dict[str, object]]:
    yield from (json.loads(line) for line in _text(tar, ending).splitlines())


def _text(tar: tarfile.TarFile, ending: str) -> str:
    (name,) = (n for n in tar.getnames() if n.endswith(ending))
    file = tar.extractfile(name)
    assert file is not None
    return file.read().decode()


if __name__ == "__main__":
    main()
