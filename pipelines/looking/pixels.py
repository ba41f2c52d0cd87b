"""The images of a run, decoded once and reduced, in tars that networks read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from curation.runs.durable import write_text
from curation.shards.images import ImageLimits
from curation.shards.samples import REJECTED_IMAGE, Reject, heldout_samples, is_any_restored
from curation.shards.tars import Sample, write_shards
from labeling.schemas import REJECTS, table_of
from pipelines.run.progress import Progress

TAR_BYTES = 256 << 20
MARGIN = 1.15
"""Shorter side of a stored image, in sides of the square that a network sees: for crops."""

DONE = "done.json"
"""Written last: the rejected images."""


def store_pixels(
    images: pa.Table, data_dir: Path, image_size: int, scratch: Path
) -> tuple[list[Path], pa.Table]:
    """Write the images that can be decoded into tars, unless an earlier attempt has done so.

    If an image that was missing then can be read now, all that the attempt has left is removed: it
    is about other images.

    Parameters
    ----------
    images
        `labeling.schemas.IMAGES`.
    scratch
        Folder that is kept for the next attempt; made if missing.

    Returns
    -------
    tars, rejects
        Paths, and the images that cannot be used (`labeling.schemas.REJECTS`).
    """
    folder, limits = scratch / "pixels", limits_of(image_size)
    done = folder / DONE
    if done.is_file() and is_any_restored(_rejects(done), images, data_dir, limits):
        shutil.rmtree(scratch)
    if not done.is_file():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        rejected: list[Reject] = []
        outcomes = heldout_samples(images, 1.0, data_dir, limits)
        write_shards(_usable(outcomes, rejected, len(images)), folder, "images", TAR_BYTES)
        rows = [(f"{REJECTED_IMAGE}{r.image_id}", r.reason, r.location[:200]) for r in rejected]
        write_text(done, json.dumps(rows))
    return sorted(folder.glob("images-*.tar")), _rejects(done)


def limits_of(image_size: int) -> ImageLimits:
    """Return how images are stored for networks that see squares of a side."""
    return ImageLimits(short_side=round(MARGIN * image_size))


def _rejects(done: Path) -> pa.Table:
    rows = json.loads(done.read_text("utf-8"))
    return table_of([tuple(row) for row in rows], REJECTS.arrow)


def _usable(
    outcomes: Iterable[Sample | Reject], rejected: list[Reject], n_images: int
) -> Iterator[Sample]:
    progress = Progress("look", "images")
    for number, outcome in enumerate(outcomes, 1):
        progress(number, n_images)
        if isinstance(outcome, Reject):
            rejected.append(outcome)
        else:
            yield outcome
