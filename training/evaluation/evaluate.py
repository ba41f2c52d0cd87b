"""Measures of a model on images that it has not been trained on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labeling.errors import InputError
from training.evaluation.precision import average_precisions, precision_at
from training.evaluation.predict import predict
from training.model.model_file import read_card


def evaluate(
    model_dir: Path,
    shard_paths: Sequence[Path],
    truth: Mapping[str, Collection[str]],
    groups: Mapping[str, Collection[str]] | None = None,
) -> Iterator[tuple[str, float]]:
    """Yield the name and value of each measure of a model on images whose labels are known.

    ``map``: mean average precision over the labels of some but not all of the images;
    ``precision_at_1`` and ``precision_at_5``: share of the most probable labels of each image that
    it shows (the latter with five labels or more); ``n_images`` and ``n_labels``: numbers averaged
    over; ``n_labels_unknown``: labels of these images that the model does not have, and that no
    measure counts; ``map_GROUP`` and ``n_labels_GROUP``: the same over a group.

    Parameters
    ----------
    model_dir
        Folder that `training.fit.train.train` wrote.
    shard_paths
        WebDataset tars with the images; their own labels are not used.
    truth
        All labels of each image, ancestors included. Images without an entry are left out.
    groups
        Groups of labels by name, over which to average too; a group without a measurable label is
        left out.

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
            "the model cannot be measured: no label belongs to some of the images but not to all",
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
        of_group = precisions[np.isin(label_ids, list(members)) & ~np.isnan(precisions)]
        if len(of_group):
            yield f"map_{name}", float(of_group.mean())
            yield f"n_labels_{name}", len(of_group)


def by_frequency(n_train: Mapping[str, int]) -> dict[str, list[str]]:
    """Return the labels in thirds, by the number of their training images.

    Parameters
    ----------
    n_train
        Number of training images of each label.

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
    """Return ``bool[n, n_labels]``, true if image i shows label j; other labels are left out.

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
