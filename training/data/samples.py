"""Batches of a folder of shards, for a training loop of one's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from labeling.arguments import Natural, Positive, checks_arguments
from labeling.errors import InputError
from training.data import loader
from training.data.loader import Batch
from training.data.shard_index import Shards, open_shards
from training.data.targets import read_targets, unusable_sample
from training.data.workers import N_WORKERS


@checks_arguments
def training_batches(
    shards_dir: Path | str,
    label_ids: Sequence[str],
    *,
    steps: Natural,
    image_size: Positive = 224,
    batch_size: Positive = 64,
    seed: Natural = 0,
    n_workers: Positive = N_WORKERS,
) -> Iterator[Batch]:
    """Yield batches of the training images of a folder, decoded and cropped at random.

    The images come in one random order after the other. The batches depend on the seed alone, and
    not on the number of workers. `winnow train` uses the same ones.

    Parameters
    ----------
    shards_dir
        Folder with files ``train-*.tar``, as `winnow export` writes it.
    label_ids
        Label of each column of the targets; labels of the shards that are not among them are left
        out. See `labels_in_shards`.
    steps
        Number of batches.
    image_size
        Side of the square images, in pixels.
    batch_size
        Images in a batch.
    seed
        Seed of the order and of the crops.
    n_workers
        Threads that decode.

    Yields
    ------
    Batch
        ``pixels`` uint8[batch_size, image_size, image_size, 3]; `Batch.dense` returns targets in
        [0, 1] and weights, float32[batch_size, n_labels] each. Of a label that may or may not be
        right the weight is 0.

    Raises
    ------
    InputError
        If the folder holds no training shard, or a sample cannot be used.
    """
    shards = _open(shards_dir)
    targets = read_targets(shards, label_ids)
    yield from loader.training_batches(
        shards, targets, image_size, batch_size, seed, range(steps), n_workers
    )


@checks_arguments
def labels_in_shards(shards_dir: Path | str) -> list[str]:
    """Return the labels that some training image of a folder shows.

    Parameters
    ----------
    shards_dir
        Folder with files ``train-*.tar``, as `winnow export` writes it.

    Returns
    -------
    list of str
        The label ids, sorted: a network's logits and the columns of `training_batches`.

    Raises
    ------
    InputError
        If the folder holds no training shard, or a sample cannot be read.
    """
    shards = _open(shards_dir)
    label_ids: set[str] = set()
    for row in range(len(shards)):
        try:
            label_ids.update(label["label_id"] for label in shards.facts(row)["labels"])
        except (KeyError, TypeError, ValueError) as error:
            raise unusable_sample(shards, row, error) from error
    return sorted(label_ids)


def _open(shards_dir: Path | str) -> Shards:
    paths = sorted(Path(shards_dir).glob("train-*.tar"))
    if not paths:
        raise InputError(
            "the folder holds no training shard",
            facts={"folder": shards_dir, "files": "train-*.tar"},
            help="name the folder that `winnow export` printed",
        )
    return open_shards(paths)
