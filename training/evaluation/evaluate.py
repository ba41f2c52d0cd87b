"""How well a model finds the labels of images it has not seen."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from labeling.errors import InputError
from training.data.loader import normalise, pixels_in_order
from training.data.shard_index import open_shards
from training.fit.devices import chosen_device, memory_format
from training.model.model_file import load_model, read_card


def average_precision(scores: npt.NDArray[np.floating], positive: npt.NDArray[np.bool_]) -> float:
    """Return the area under the steps of the precision-recall curve.

    Equal scores are one threshold, as in scikit-learn: the order of ties has no influence.

    Parameters
    ----------
    scores
        ``float[n]``, finite; higher is more likely.
    positive
        ``bool[n]``, at least one true.

    Returns
    -------
    float
        In (0, 1].

    Examples
    --------
    >>> average_precision(np.array([0.9, 0.8, 0.1]), np.array([True, False, True]))
    0.8333333333333333
    """
    if not positive.any() or not np.isfinite(scores).all():
        raise InputError(
            "average precision needs finite scores and at least one positive",
            facts={"scores": len(scores), "positives": int(positive.sum())},
        )
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    hits = np.cumsum(positive[order])[ends]
    new_hits = np.diff(hits, prepend=0)
    return float((new_hits * (hits / (ends + 1))).sum() / hits[-1])


def average_precisions(
    probabilities: npt.NDArray[np.floating], positive: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Return the average precision of each label.

    Parameters
    ----------
    probabilities
        ``float[n, n_labels]``, finite.
    positive
        ``bool[n, n_labels]``.

    Returns
    -------
    ndarray
        ``float64[n_labels]``, in (0, 1]; NaN for a label that all images show, or none.
    """
    result = np.full(positive.shape[1], np.nan)
    for label in np.flatnonzero(positive.any(axis=0) & ~positive.all(axis=0)):
        result[label] = average_precision(probabilities[:, label], positive[:, label])
    return result


def predict(
    model_dir: Path, shard_paths: Sequence[Path], batch_size: int = 256
) -> tuple[list[str], npt.NDArray[np.float32]]:
    """Return the image ids of some shards, and how probable the model finds each label of each.

    A model that was trained to choose one label (softmax) shares one probability among them.

    Returns
    -------
    keys
        The n image ids, in the order of the shards.
    probabilities
        ``float32[n, n_labels]``, in [0, 1]; labels in the order of the model's card.

    Raises
    ------
    InputError
        If the model or the shards cannot be used.
    IntegrityError
        If the model's weights are cut or changed.
    """
    network, card = load_model(model_dir)
    device = chosen_device()
    layout = memory_format(device, card.architecture.width)
    network.to(device=device, memory_format=layout)  # type: ignore[call-overload]
    shards = open_shards(shard_paths)

    def logits_of(pixels: torch.Tensor) -> torch.Tensor:
        images = normalise(pixels.to(device), card.mean, card.std)
        logits: torch.Tensor = network(images.contiguous(memory_format=layout))
        return logits.cpu()

    with torch.inference_mode():
        batches = pixels_in_order(shards, card.image_size, batch_size)
        logits = torch.cat([logits_of(pixels) for pixels in batches])
    chooses_one = card.training.get("loss") == "softmax"
    probabilities = logits.softmax(1) if chooses_one else logits.sigmoid()
    return shards.keys, probabilities.numpy()


def evaluate(
    model_dir: Path,
    shard_paths: Sequence[Path],
    truth: Mapping[str, Collection[str]],
    groups: Mapping[str, Collection[str]] | None = None,
) -> Iterator[tuple[str, float]]:
    """Yield the name and value of each measure of a model on images whose labels are known.

    ``map``: mean average precision over the labels that some of the images show and some do not;
    ``precision_at_1`` and ``precision_at_5``: share of the most probable labels of each image that
    it shows (the latter where there are five labels); ``n_images`` and ``n_labels``: how many were
    averaged over; ``n_labels_unknown``: labels of these images that the model does not know, and
    that no measure takes notice of; ``map_GROUP`` and ``n_labels_GROUP``: the same over a group.

    Parameters
    ----------
    model_dir
        The folder that `training.fit.train.train` wrote.
    shard_paths
        The WebDataset tars with the images; their own labels are not looked at.
    truth
        All labels of each image, ancestors included. Images without an entry are left out.
    groups
        Labels to average over besides, by name; a group without any that can be measured is left
        out.

    Raises
    ------
    InputError
        If no image has an entry in `truth`, or no label can be measured.
    """
    label_ids = read_card(model_dir).label_ids
    keys, probabilities = predict(model_dir, shard_paths)
    rows = [row for row, key in enumerate(keys) if key in truth]
    positive = truth_matrix([keys[row] for row in rows], label_ids, truth)
    precisions = average_precisions(probabilities[rows], positive)
    measured = precisions[~np.isnan(precisions)]
    if not len(measured):
        raise InputError(
            "the model cannot be measured: no label is shown by some images but not by all",
            facts={"images": len(keys), "images with known labels": len(rows)},
            help="evaluate on images whose labels are known, with more than one kind of them",
        )
    unknown = {label for row in rows for label in truth[keys[row]]} - set(label_ids)
    yield "map", float(measured.mean())
    for k in (1, 5):
        if k <= len(label_ids):
            yield f"precision_at_{k}", precision_at(k, probabilities[rows], positive)
    yield "n_images", len(rows)
    yield "n_labels", len(measured)
    yield "n_labels_unknown", len(unknown)
    for name, members in (groups or {}).items():
        own = precisions[np.isin(label_ids, list(members)) & ~np.isnan(precisions)]
        if len(own):
            yield f"map_{name}", float(own.mean())
            yield f"n_labels_{name}", len(own)


def precision_at(
    k: int, probabilities: npt.NDArray[np.floating], positive: npt.NDArray[np.bool_]
) -> float:
    """Return the share of the k most probable labels of each image that it shows.

    An image with fewer labels than k cannot have them all right. Of equal labels the first counts.

    Parameters
    ----------
    k
        At most ``n_labels``.
    probabilities, positive
        ``float[n, n_labels]`` and ``bool[n, n_labels]``.

    Examples
    --------
    >>> precision_at(2, np.array([[0.9, 0.5, 0.1]]), np.array([[True, False, True]]))
    0.5
    """
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return float(np.take_along_axis(positive, best, axis=1).mean())


def by_frequency(n_train: Mapping[str, int]) -> dict[str, list[str]]:
    """Return the labels in thirds by how many training images have them.

    Parameters
    ----------
    n_train
        Training images of each label.

    Examples
    --------
    >>> by_frequency({"a": 5, "b": 90, "c": 7})
    {'head': ['b'], 'middle': ['c'], 'tail': ['a']}
    """
    ranked = sorted(n_train, key=lambda label: (-n_train[label], label))
    ends = [round(len(ranked) * third / 3) for third in range(4)]
    names = ("head", "middle", "tail")
    return {name: ranked[ends[i] : ends[i + 1]] for i, name in enumerate(names)}


def truth_matrix(
    keys: Sequence[str], label_ids: Sequence[str], truth: Mapping[str, Collection[str]]
) -> npt.NDArray[np.bool_]:
    """Return ``bool[n, n_labels]``: does image i show label j? Other labels are left out.

    Examples
    --------
    >>> truth_matrix(["a", "b"], ["cat", "dog"], {"a": ["dog"], "b": ["cow"]}).tolist()
    [[False, True], [False, False]]
    """
    code_of = {label_id: code for code, label_id in enumerate(label_ids)}
    matrix = np.zeros((len(keys), len(label_ids)), bool)
    for row, key in enumerate(keys):
        matrix[row, [code_of[label] for label in truth[key] if label in code_of]] = True
    return matrix
