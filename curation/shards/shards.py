"""From selected labels to training shards.

Every image of the run is counted once: in a ``train-*.tar``, in a ``heldout-*.tar``, or as dropped,
under a reason. `curation.shards.samples` makes the samples, `curation.shards.tars` writes them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.runs.durable import write_text
from curation.runs.table_files import write_parquet
from curation.shards.images import BAD_IMAGE_REASONS, DEFAULT_LIMITS, ImageLimits
from curation.shards.samples import (
    REJECTED_IMAGE,
    Reject,
    assemble_samples,
    heldout_samples,
    is_heldout,
)
from curation.shards.tars import Sample, write_index, write_shards
from labeling.checks import check
from labeling.errors import InputError
from labeling.schemas import CANDIDATES, IMAGES, REJECTS, SELECTED
from labeling.taxonomy.taxonomy import Taxonomy

EXPORT_REASONS = ("no_kept_label", *BAD_IMAGE_REASONS)
"""Reasons why an image is in no shard. Images without a kept label are only counted."""


def export_shards(
    selected: pa.Table,
    candidates: pa.Table,
    images: pa.Table,
    taxonomy: Taxonomy,
    data_dir: Path,
    out_dir: Path,
    *,
    shard_mb: int = 256,
    holdout_share: float = 0.2,
    limits: ImageLimits = DEFAULT_LIMITS,
    progress: Callable[[int, int], object] = lambda n_done, n_images: None,
) -> dict[str, Any]:
    """Write ``train-*.tar``, ``heldout-*.tar``, their indexes and the rejects into `out_dir`.

    Parameters
    ----------
    selected, candidates, images
        Tables of `labeling.schemas.SELECTED`, ``CANDIDATES`` and ``IMAGES``, in any order. Where
        an id differs from the digest of the bytes, a further column ``content_id`` has these; an
        image for which it is null has the bytes of another, and is not written.
    taxonomy
        Holds every label of the tables.
    data_dir
        Folder that the images' locations are relative to.
    out_dir
        An existing, empty folder. Besides the shards it gets ``sizes.json`` (samples of each
        shard), ``labels.json`` (``label_ids`` of the training set in the taxonomy's order, and
        ``n_images`` of each) and ``rejects-00000.parquet``.
    shard_mb
        Largest size of a shard, in units of 2**20 bytes.
    holdout_share
        Share of the images, in [0, 1], that are held out from training.
    limits
        Limits of decoding, and the size of the images.
    progress
        Called after each image with the number of images that are written or rejected, and of
        those to write.

    Returns
    -------
    dict
        Counts for the manifest: images ``in``, ``out`` (``train`` and ``heldout``) and ``dropped``
        by reason; labels of training images that were selected (``labels_kept``) and that follow
        from one below (``labels_implied``); distinct ``labels``; and ``shards``.

    Raises
    ------
    InputError
        If a table is not of its schema or names a label that the taxonomy lacks, an image occurs
        twice, or a selected pair is not a candidate.
    """
    described = images.select(IMAGES.arrow.names)
    for table, schema in ((selected, SELECTED), (candidates, CANDIDATES), (described, IMAGES)):
        check(table, schema, where=f"{schema.name} to export")
    _refuse_doubled(images)
    for_train = selected.filter(pa.array(~is_heldout(selected["image_id"], holdout_share)))
    n_used, n_unlabeled = _count_images(images, for_train, holdout_share)
    tally = _Tally(progress, n_used)
    train = write_shards(
        tally.samples(assemble_samples(for_train, candidates, images, taxonomy, data_dir, limits)),
        out_dir,
        "train",
        shard_mb * 2**20,
    )
    heldout = write_shards(
        tally.samples(heldout_samples(images, holdout_share, data_dir, limits)),
        out_dir,
        "heldout",
        shard_mb * 2**20,
    )
    write_index([*train, *heldout], out_dir)
    _write_labels(tally.n_images_of, out_dir)
    _write_rejects(tally.rejects, out_dir)
    n_train, n_heldout = (sum(shard.n_samples for shard in of) for of in (train, heldout))
    dropped = Counter(reject.reason for reject in tally.rejects)
    dropped["no_kept_label"] = n_unlabeled
    return {
        "in": n_train + n_heldout + dropped.total(),
        "out": n_train + n_heldout,
        "dropped": {reason: dropped[reason] for reason in EXPORT_REASONS if dropped[reason]},
        "train": n_train,
        "heldout": n_heldout,
        "labels_kept": tally.n_kept,
        "labels_implied": tally.n_implied,
        "labels": len(tally.n_images_of),
        "shards": len(train) + len(heldout),
    }


@dataclass
class _Tally:
    """Counts of the labels of samples, and the images that are rejected."""

    progress: Callable[[int, int], object]
    n_images: int
    n_done: int = 0
    rejects: list[Reject] = field(default_factory=list)
    n_images_of: Counter[str] = field(default_factory=Counter)
    n_kept: int = 0
    n_implied: int = 0

    def samples(self, outcomes: Iterable[Sample | Reject]) -> Iterator[Sample]:
        """Yield the samples among the outcomes."""
        for outcome in outcomes:
            self.n_done += 1
            self.progress(self.n_done, self.n_images)
            if isinstance(outcome, Reject):
                self.rejects.append(outcome)
                continue
            labels = outcome.json["labels"]
            n_implied = sum(label["implied"] for label in labels)
            self.n_implied += n_implied
            self.n_kept += len(labels) - n_implied
            self.n_images_of.update(label["label_id"] for label in labels)
            yield outcome


def _count_images(images: pa.Table, for_train: pa.Table, share: float) -> tuple[int, int]:
    """Return how many images are held out or have a label to train on, and how many neither."""
    labeled = pc.unique(for_train.filter(for_train["kept"])["image_id"])
    heldout = is_heldout(images["image_id"], share)
    has_label = np.asarray(pc.is_in(images["image_id"], value_set=labeled))
    return len(labeled) + int(heldout.sum()), int((~has_label & ~heldout).sum())


def _write_labels(n_images_of: Mapping[str, int], out_dir: Path) -> None:
    label_ids = sorted(n_images_of)
    labels = {"label_ids": label_ids, "n_images": [n_images_of[i] for i in label_ids]}
    write_text(out_dir / "labels.json", json.dumps(labels, indent=1) + "\n")


def _write_rejects(rejects: Iterable[Reject], out_dir: Path) -> None:
    rows = [
        {"where": REJECTED_IMAGE + r.image_id, "reason": r.reason, "value": r.location[:200]}
        for r in rejects
    ]
    table = pa.Table.from_pylist(rows, schema=REJECTS.arrow)
    write_parquet(table, out_dir / "rejects-00000.parquet")


def _refuse_doubled(images: pa.Table) -> None:
    ids = images["image_id"]
    if pc.count_distinct(ids).as_py() < len(ids):
        counts = pc.value_counts(ids)
        twice = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
        raise InputError(
            "an image occurs twice in the table of images",
            facts={"image": twice[0].as_py()},
            help="keep one location of each image",
        )
