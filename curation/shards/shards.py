"""From selected labels to training shards: which images, with which labels, and why others not.

Every image of the run ends in one place: in a ``train-*.tar``, in a ``heldout-*.tar``, or among
those dropped, under the reason. What a sample holds is in `curation.shards.samples` and how it is
written in `curation.shards.tars`; their names are offered here too.
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
from curation.shards.images import BAD_IMAGE_REASONS, ImageLimits
from curation.shards.samples import (
    REJECTED_IMAGE,
    Reject,
    assemble_samples,
    heldout_samples,
    is_heldout,
)
from curation.shards.tars import Sample, ShardInfo, read_shard, write_index, write_shards
from labeling.checks import check
from labeling.errors import InputError
from labeling.schemas import CANDIDATES, IMAGES, REJECTS, SELECTED
from labeling.taxonomy.taxonomy import Taxonomy

__all__ = [
    "EXPORT_REASONS",
    "ExportCounts",
    "ExportSettings",
    "Reject",
    "Sample",
    "ShardInfo",
    "assemble_samples",
    "export_shards",
    "heldout_samples",
    "is_heldout",
    "read_shard",
    "write_index",
    "write_shards",
]

EXPORT_REASONS = ("no_kept_label", *BAD_IMAGE_REASONS)
"""Why an image is in no shard. The first is no fault of the image: those are only counted."""


@dataclass(frozen=True)
class ExportSettings:
    """How the shards are made.

    ``shard_mb`` is the size that no shard passes, in units of 2**20 bytes; ``holdout_share`` is
    the share of the images, in [0, 1], that are kept from training; ``limits`` bounds decoding
    and the size of the images.
    """

    shard_mb: int = 256
    holdout_share: float = 0.2
    limits: ImageLimits = ImageLimits()


@dataclass(frozen=True)
class ExportCounts:
    """What became of the images, ``n_images = n_train + n_heldout + sum(dropped)``, and the labels.

    ``n_kept`` and ``n_implied`` count the labels in training shards: those that were selected,
    and those that are above one in the taxonomy.
    """

    n_images: int
    n_train: int
    n_heldout: int
    dropped: Mapping[str, int]
    n_kept: int
    n_implied: int
    n_labels: int
    shards: tuple[ShardInfo, ...]

    def as_manifest(self) -> dict[str, Any]:
        """Return the counts as a manifest holds them: ``in``, ``out``, ``dropped`` and others."""
        return {
            "in": self.n_images,
            "out": self.n_train + self.n_heldout,
            "dropped": dict(self.dropped),
            "train": self.n_train,
            "heldout": self.n_heldout,
            "labels_kept": self.n_kept,
            "labels_implied": self.n_implied,
            "labels": self.n_labels,
            "shards": len(self.shards),
        }


def export_shards(
    selected: pa.Table,
    candidates: pa.Table,
    images: pa.Table,
    taxonomy: Taxonomy,
    data_dir: Path,
    out_dir: Path,
    settings: ExportSettings = ExportSettings(),
    progress: Callable[[int], object] = lambda n_images: None,
) -> ExportCounts:
    """Write ``train-*.tar``, ``heldout-*.tar``, their indexes and the rejects into `out_dir`.

    Parameters
    ----------
    selected, candidates, images
        Tables of `labeling.schemas.SELECTED`, ``CANDIDATES`` and ``IMAGES``, in any order.
    taxonomy
        Holds every label of the tables.
    data_dir
        Folder below which the images' locations are looked up.
    out_dir
        An existing, empty folder. Beside the shards it gets ``sizes.json`` (samples of each
        shard), ``labels.json`` (``label_ids`` of the training set in the taxonomy's order, and
        ``n_images`` of each) and ``rejects-00000.parquet``.
    settings
        Size of shards, share of held-out images, limits of decoding.
    progress
        Called with the number of images done since the last call.

    Raises
    ------
    InputError
        If a table is not of its schema or names a label that the taxonomy lacks, an image stands
        twice, or a selected pair is no candidate.
    """
    for table, schema in ((selected, SELECTED), (candidates, CANDIDATES), (images, IMAGES)):
        check(table, schema, where=f"{schema.name} to export")
    _refuse_doubled(images)
    share, shard_bytes = settings.holdout_share, settings.shard_mb * 2**20
    for_train = selected.filter(pa.array(~is_heldout(selected["image_id"], share)))
    train = assemble_samples(for_train, candidates, images, taxonomy, data_dir, settings.limits)
    heldout = heldout_samples(images, share, data_dir, settings.limits)
    tally = _Tally(progress)
    train_shards = write_shards(tally.pass_on(train), out_dir, "train", shard_bytes)
    heldout_shards = write_shards(tally.pass_on(heldout), out_dir, "heldout", shard_bytes)
    write_index([*train_shards, *heldout_shards], out_dir)
    _write_labels(tally.n_images_of, out_dir)
    _write_rejects(tally.rejects, out_dir)
    n_unlabeled = _count_unlabeled(images, for_train, share)
    progress(n_unlabeled)
    return _counts(tally, train_shards, heldout_shards, n_unlabeled)


@dataclass
class _Tally:
    """Passes samples on, and counts what passes and what does not."""

    progress: Callable[[int], object]
    rejects: list[Reject] = field(default_factory=list)
    n_images_of: Counter[str] = field(default_factory=Counter)
    n_kept: int = 0
    n_implied: int = 0

    def pass_on(self, outcomes: Iterable[Sample | Reject]) -> Iterator[Sample]:
        for outcome in outcomes:
            self.progress(1)
            if isinstance(outcome, Reject):
                self.rejects.append(outcome)
                continue
            labels = outcome.json["labels"]
            n_implied = sum(label["implied"] for label in labels)
            self.n_implied += n_implied
            self.n_kept += len(labels) - n_implied
            self.n_images_of.update(label["label_id"] for label in labels)
            yield outcome


def _counts(
    tally: _Tally, train: list[ShardInfo], heldout: list[ShardInfo], n_unlabeled: int
) -> ExportCounts:
    dropped = Counter(reject.reason for reject in tally.rejects)
    dropped["no_kept_label"] = n_unlabeled
    n_train, n_heldout = (sum(s.n_samples for s in shards) for shards in (train, heldout))
    return ExportCounts(
        n_images=n_train + n_heldout + dropped.total(),
        n_train=n_train,
        n_heldout=n_heldout,
        dropped={reason: dropped[reason] for reason in EXPORT_REASONS if dropped[reason]},
        n_kept=tally.n_kept,
        n_implied=tally.n_implied,
        n_labels=len(tally.n_images_of),
        shards=(*train, *heldout),
    )


def _count_unlabeled(images: pa.Table, for_train: pa.Table, share: float) -> int:
    """Return the number of images that are not held out and have no kept label."""
    labeled = pc.unique(for_train.filter(for_train["kept"])["image_id"])
    without = ~np.asarray(pc.is_in(images["image_id"], value_set=labeled))
    return int((without & ~is_heldout(images["image_id"], share)).sum())


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
            "an image stands twice in the table of images",
            facts={"image": twice[0].as_py()},
            help="keep one location of each image",
        )
