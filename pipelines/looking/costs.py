"""Work of `winnow look` and its time, estimated before it begins."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pyarrow as pa

from curation.shards.samples import heldout_samples
from pipelines.inspecting.formatting import duration
from pipelines.looking.folds import N_FOLDS
from pipelines.looking.pixels import limits_of
from pipelines.run.config import Config
from pipelines.run.saved_config import find_input

if TYPE_CHECKING:
    from training.fit.config import TrainConfig
    from training.visual.pretrained import Embedder

N_TIMED = 16
"""Images that are decoded to see how long all take."""


def cost_line(
    config: Config, embedder: Embedder | None, images: pa.Table, image_size: int, n_labels: int
) -> str:
    """Return the work in words, with an estimate of its time from a few timed images.

    Parameters
    ----------
    images
        `labeling.schemas.IMAGES`.
    image_size
        Side of the images that the network sees, in pixels.
    n_labels
        Labels of the candidates.
    """
    from training.visual.costs import seconds_to_embed, seconds_to_fit, seconds_to_train

    n = len(images)
    seconds = {"to decode them": _seconds_to_decode(config, images, image_size)}
    if embedder is None:
        train = own_settings(config)
        work = (
            f"{N_FOLDS} networks (ResNet-{train.depth}, width {train.width}, {train.image_size} px)"
            f" of {train.steps:,} steps with {train.batch_size} images"
        )
        seconds["for the networks"] = seconds_to_train(train, n, n_labels, N_FOLDS)
    else:
        work = f"{embedder.image_size} pixels through {embedder.name} once"
        seconds["for the network"] = seconds_to_embed(embedder, n)
        fit = seconds_to_fit(embedder, n, n_labels, N_FOLDS)
        seconds[f"at most for the heads of {N_FOLDS} folds"] = fit
    parts = ", ".join(f"{duration(value)} {of}" for of, value in seconds.items())
    total = duration(sum(seconds.values()))
    return f"look: {n:,} images, {work}: about {total} ({parts}), and scores for {N_FOLDS} folds"


def own_settings(config: Config) -> TrainConfig:
    """Return the settings of the networks that are trained here."""
    from training.fit.config import TrainConfig

    return TrainConfig(**{name: getattr(config.train, name) for name in TrainConfig.model_fields})


def _seconds_to_decode(config: Config, images: pa.Table, image_size: int) -> float:
    some, started = images.slice(0, N_TIMED), time.perf_counter()
    list(heldout_samples(some, 1.0, find_input(config), limits_of(image_size)))
    return (time.perf_counter() - started) * len(images) / max(len(some), 1)
