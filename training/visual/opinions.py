"""Judgements of all images, each by a network that was trained on those of the other folds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import csr_array

from labeling.errors import InputError
from labeling.keys.arrays import Floats32, Ints
from training.data.shard_index import Shards
from training.fit.checkpoints import Checkpoints
from training.fit.config import TrainConfig
from training.fit.devices import chosen_device, seeded
from training.model.model_file import CARD_NAME
from training.visual.heads import Head, fit_head, standardise
from training.visual.neighbours import agreement
from training.visual.own_network import judge, train_on
from training.visual.pretrained import Embedder, embed

MAX_BEYOND = 5
"""Pairs of an image that are not candidates, at most."""

Report = Callable[[str, int, int], object]
"""Called with a unit of work, and how many of them are done and there are."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """The candidates of the images that networks judge.

    Attributes
    ----------
    row
        ``int64[m]``: row of each among all candidates.
    image, label
        ``int64[m]``: number of the image, ascending, and of the label.
    fold
        ``int8[n_images]``.
    n_labels
        Number of labels.
    """

    row: Ints
    image: Ints
    label: Ints
    fold: npt.NDArray[np.int8]
    n_labels: int

    def targets(self, p_correct: Floats32) -> csr_array:
        """Return the probabilities as ``float32[n_images, n_labels]``, 0 for no candidate."""
        values = (p_correct[self.row], (self.image, self.label))
        return csr_array(values, (len(self.fold), self.n_labels))

    def of_fold(self, number: int) -> tuple[Ints, Ints, Ints]:
        """Return the images of a fold, and the pairs of these with the position of their image."""
        images = np.flatnonzero(self.fold == number)
        pairs = np.flatnonzero(self.fold[self.image] == number)
        return images, pairs, np.searchsorted(images, self.image[pairs])


class Beyond(NamedTuple):
    """Pairs that are not candidates: ``int64[k]`` image and label, ``float32[k]`` logit or lift."""

    image: Ints
    label: Ints
    strength: Floats32


class Sure:
    """Collects pairs that are not candidates and of which a network is sure.

    Parameters
    ----------
    pairs
        The candidates.
    least
        As of `by_heads`.
    number
        Fold whose images count.
    """

    def __init__(self, pairs: Pairs, least: float | None, number: int) -> None:
        self._pairs, self._number = pairs, number
        self._least = None if least is None else np.log(least / (1 - least))
        nothing = np.zeros(0, np.int64)
        self._parts = [Beyond(nothing, nothing, np.zeros(0, np.float32))]

    def see(self, images: Ints, logits: Floats32) -> None:
        """Take the logits ``float32[k, n_labels]`` of some images, ascending, of any folds."""
        if self._least is None:
            return
        pairs, inside = self._pairs, self._pairs.fold[images] == self._number
        images, others = images[inside], logits[inside]
        named = np.isin(pairs.image, images)
        others[np.searchsorted(images, pairs.image[named]), pairs.label[named]] = -np.inf
        best = torch.from_numpy(others).topk(min(MAX_BEYOND, pairs.n_labels), dim=1)
        strength, label = best.values.numpy(), best.indices.numpy()
        row, rank = np.nonzero(strength >= self._least)
        self._parts.append(Beyond(images[row], label[row, rank], strength[row, rank]))

    def pairs_seen(self) -> Beyond:
        """Return all pairs so far, with their logits."""
        return Beyond(*(np.concatenate(columns) for columns in zip(*self._parts, strict=True)))


class Opinion(NamedTuple):
    """Strengths ``float32[m]`` of the network and of the neighbours, for the pairs of a fold.

    ``beyond`` are other pairs of its images of which the network is sure, with their strengths.
    """

    pairs: Ints
    visual: Floats32
    neighbours: Floats32
    beyond: Beyond


def by_heads(
    features: Floats32, pairs: Pairs, scores: Floats32, least: float | None = None
) -> Iterator[Opinion]:
    """Yield the opinions of linear heads on frozen features, fold by fold.

    Parameters
    ----------
    features
        ``float32[n_images, d]``: no label has a part in them.
    scores
        ``float32[n_folds, n]``: probabilities of all candidates, for each fold.
    least
        In (0, 1): probability from which a pair that is not a candidate is in the opinion, for
        `MAX_BEYOND` of an image at most; None for no such pairs.
    """
    x = torch.from_numpy(standardise(features)).to(chosen_device())
    for number in range(len(scores)):
        targets = pairs.targets(scores[number])
        images, asked, position = pairs.of_fold(number)
        others = [np.flatnonzero(pairs.fold == k) for k in range(len(scores)) if k != number]
        with seeded(0, x.device):
            head, _ = fit_head(x, targets, [rows for rows in others if len(rows)])
            logits, beyond = _logits(head, x, pairs, number, least)
        among = np.concatenate(others)
        near = agreement(x, targets, images, among, position, pairs.label[asked])
        yield _opinion(pairs, asked, logits, near, beyond, targets[among])


def _opinion(
    pairs: Pairs, asked: Ints, logits: Floats32, near: Floats32, beyond: Beyond, learnt: csr_array
) -> Opinion:
    """Return an opinion with lifts over the rates in the targets that the network learnt."""
    lifts = beyond._replace(strength=_lift(beyond.strength, learnt, beyond.label))
    return Opinion(asked, _lift(logits, learnt, pairs.label[asked]), near, lifts)


def stored_features(shards: Shards, embedder: Embedder, folder: Path, report: Report) -> Floats32:
    """Return the features of all images; a file in the folder keeps them for the next attempt.

    Raises
    ------
    InputError
        If they are not finite, or too large for 16 bits.
    """
    path = folder / "features.npy"
    if not path.is_file():
        features = embed(shards, embedder, lambda n: report("images embedded", n, len(shards)))
        with np.errstate(over="ignore"):
            stored = features.astype(np.float16)
        _refuse_not_finite(stored, embedder)
        half = path.with_suffix(".tmp.npy")
        np.save(half, stored)
        half.rename(path)
    loaded: Floats32 = np.load(path).astype(np.float32)
    return loaded


def _refuse_not_finite(features: npt.NDArray[np.float16], embedder: Embedder) -> None:
    n_bad = int(np.sum(~np.isfinite(features).all(axis=1)))
    if n_bad:
        raise InputError(
            "the features of a network are not finite numbers, or too large",
            facts={"network": embedder.name, "images": f"{n_bad:,} of {len(features):,}"},
            help="give other weights: those of this network may be damaged",
        )


def by_own_networks(
    shards: Shards,
    config: TrainConfig,
    label_ids: list[str],
    pairs: Pairs,
    scores: Floats32,
    folder: Path,
    report: Report,
    states: Callable[[Path], Checkpoints],
    least: float | None = None,
) -> Iterator[Opinion]:
    """Yield the opinions of a network for each fold, trained on the images of the others.

    Parameters
    ----------
    label_ids
        Labels by number.
    states
        Makes the checkpoints of a training in a folder.
    pairs, scores, least
        As of `by_heads`.
    folder
        Existing folder that keeps the networks for the next attempt.
    """
    for number in range(len(scores)):
        targets = pairs.targets(scores[number])
        images, asked, position = pairs.of_fold(number)
        among = np.flatnonzero(pairs.fold != number)
        network = folder / f"network-{number}"
        if not (network / CARD_NAME).is_file():
            network.mkdir(parents=True, exist_ok=True)
            follow = _follower(number, len(scores), config, report)
            kept = states(network / "states")
            train_on(shards, targets, among, label_ids, config, network, follow, kept)
        sure = Sure(pairs, least, number)
        judged = judge(network, shards, pairs.image, pairs.label, sure.see)
        features = torch.from_numpy(standardise(judged.features)).to(chosen_device())
        near = agreement(features, targets, images, among, position, pairs.label[asked])
        yield _opinion(pairs, asked, judged.logits[asked], near, sure.pairs_seen(), targets[among])


def _follower(
    number: int, n_folds: int, config: TrainConfig, report: Report
) -> Callable[[int, int, float], None]:
    """Return a function that reports the images of all networks so far."""

    def follow(done: int, total: int, loss: float) -> None:
        n_images = (number * total + done) * config.batch_size
        report("images trained on", n_images, n_folds * total * config.batch_size)

    return follow


def _logits(
    head: Head, features: torch.Tensor, pairs: Pairs, number: int, least: float | None
) -> tuple[Floats32, Beyond]:
    """Return the logit of each pair of a fold, and its pairs beyond, for some images at a time."""
    images, asked, position = pairs.of_fold(number)
    label, sure = pairs.label[asked], Sure(pairs, least, number)
    logits, step = np.empty(len(label), np.float32), 4096
    for start in range(0, len(images), step):
        some = images[start : start + step]
        of_images = head.logits(features[torch.from_numpy(some)]).cpu().numpy()
        first, last = np.searchsorted(position, (start, start + len(some)))
        logits[first:last] = of_images[position[first:last] - start, label[first:last]]
        sure.see(some, of_images)
    return logits, sure.pairs_seen()


def _lift(logits: Floats32, targets: csr_array, label: Ints) -> Floats32:
    """Return logits less that of the label's rate among the images that were trained on."""
    n = targets.shape[0]
    rate = (np.asarray(targets.sum(axis=0), np.float64).ravel() + 0.5) / (n + 1)
    lift: Floats32 = (logits - np.log(rate / (1 - rate))[label]).astype(np.float32)
    return lift
