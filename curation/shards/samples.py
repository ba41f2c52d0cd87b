"""Samples of shards: the image's bytes, and its labels with their evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.pairs.pair_keys import find_pairs
from curation.shards.images import BadImage, ImageLimits, read_image
from curation.shards.tars import Sample
from labeling.errors import InputError
from labeling.keys.arrays import Floats, Ints, Mask
from labeling.keys.ids import Halves, to_halves
from labeling.taxonomy.taxonomy import Codes, Taxonomy

RESTORABLE_REASONS = ("image_missing", "content_changed")
"""Reasons that can go away while the settings stay the same."""

REJECTED_IMAGE = "image "
"""Start of ``where`` in the rejects of an export; the id of the image follows."""


@dataclass(frozen=True)
class Reject:
    """An image that is in no shard; `reason` is one of `BAD_IMAGE_REASONS`."""

    image_id: str
    location: str
    reason: str


def is_heldout(images: Halves | pa.Array | pa.ChunkedArray, share: float) -> Mask:
    """Return whether each image is held out: its id, as a fraction of all ids, is below `share`.

    Only the first 32 bits of an id count, so an image is on the same side in every run.

    Parameters
    ----------
    images
        Ids, as text or as ``uint64[n, 2]`` (see `labeling.keys.ids`).
    share
        Expected share of held-out images, in [0, 1].

    Examples
    --------
    >>> is_heldout(pa.array(["3" * 32, "f" * 32]), 0.25)
    array([ True, False])
    """
    halves = images if isinstance(images, np.ndarray) else to_halves(images)
    return (halves[:, 0] >> np.uint64(32)).astype(np.float64) / 2**32 < share


def assemble_samples(
    selected: pa.Table,
    candidates: pa.Table,
    images: pa.Table,
    taxonomy: Taxonomy,
    data_dir: Path,
    limits: ImageLimits,
) -> Iterator[Sample | Reject]:
    """Yield each image with a kept label, in the order of the ids, as a sample or as a reject.

    The parameters are those of `curation.shards.shards.export_shards`. The JSON of a sample holds
    ``image_id``, ``width``, ``height``, ``location`` and

    - ``labels``: the kept ones with ``p_correct``, ``"implied": false`` and their ``evidence``;
      then their ancestors in the taxonomy that are not kept themselves, with the highest
      ``p_correct`` of the labels below and ``"implied": true``;
    - ``unknown``: the candidate labels that are neither kept nor implied. They are not known to
      be wrong.
    """
    kept = selected.filter(selected["kept"])
    image_ids = pc.unique(kept["image_id"]).sort()
    labels = _LabelsOfImages.join(image_ids, kept, candidates, taxonomy)
    row = pc.index_in(image_ids, value_set=images["image_id"])
    locations = images["location"].take(row)
    return _read_all(image_ids, locations, data_dir, limits, labels.describe)


def heldout_samples(
    images: pa.Table, share: float, data_dir: Path, limits: ImageLimits
) -> Iterator[Sample | Reject]:
    """Yield each held-out image, in the order of the ids: a sample without labels, or a reject."""
    held = images.filter(pa.array(is_heldout(images["image_id"], share))).sort_by("image_id")
    return _read_all(held["image_id"], held["location"], data_dir, limits, _describe_heldout)


def is_any_restored(
    rejects: pa.Table, images: pa.Table, data_dir: Path, limits: ImageLimits
) -> bool:
    """Return whether an image that was missing or changed at an export can be read now.

    Parameters
    ----------
    rejects
        Table of `labeling.schemas.REJECTS`, as the export wrote it.
    images
        Table of `labeling.schemas.IMAGES`.
    data_dir, limits
        As for `curation.shards.images.read_image`.
    """
    absent = rejects.filter(pc.is_in(rejects["reason"], pa.array(RESTORABLE_REASONS)))
    image_ids = pc.utf8_slice_codeunits(absent["where"], len(REJECTED_IMAGE))
    again = images.filter(pc.is_in(images["image_id"], value_set=image_ids))
    outcomes = _read_all(again["image_id"], again["location"], data_dir, limits, _describe_heldout)
    return any(isinstance(outcome, Sample) for outcome in outcomes)


def _read_all(
    image_ids: pa.Array | pa.ChunkedArray,
    locations: pa.Array | pa.ChunkedArray,
    data_dir: Path,
    limits: ImageLimits,
    describe: Callable[[int], dict[str, Any]],
) -> Iterator[Sample | Reject]:
    pairs = zip(image_ids.to_pylist(), locations.to_pylist(), strict=True)
    for number, (image_id, location) in enumerate(pairs):
        try:
            if location is None:
                raise BadImage("image_missing")
            image = read_image(image_id, location, data_dir, limits)
        except BadImage as error:
            yield Reject(image_id, location or "", error.reason)
            continue
        facts = {
            "image_id": image_id,
            "width": image.width,
            "height": image.height,
            "location": location,
            **describe(number),
        }
        yield Sample(image_id, image.jpeg, facts)


def _describe_heldout(image: int) -> dict[str, Any]:
    return {"labels": [], "unknown": []}


@dataclass(frozen=True, eq=False)
class _LabelsOfImages:
    """Kept and candidate labels of n images; image i has the rows from offset i to offset i + 1.

    ``kept_codes``, ``p_correct`` and ``evidence`` are aligned, and sorted by image and code, as
    ``candidate_codes`` are.
    """

    taxonomy: Taxonomy
    kept_offsets: Ints
    kept_codes: Codes
    p_correct: Floats
    evidence: pa.ListArray
    candidate_offsets: Ints
    candidate_codes: Codes

    @classmethod
    def join(
        cls, image_ids: pa.Array, kept: pa.Table, candidates: pa.Table, taxonomy: Taxonomy
    ) -> _LabelsOfImages:
        candidates = candidates.filter(pc.is_in(candidates["image_id"], value_set=image_ids))
        kept_order, kept_codes, kept_offsets = _group(kept, image_ids, taxonomy)
        _, codes, offsets = _group(candidates, image_ids, taxonomy)
        kept = kept.take(kept_order)
        row = find_pairs(kept, candidates)
        if (row < 0).any():
            _refuse_no_candidate(kept.slice(int(np.argmax(row < 0)), 1))
        return cls(
            taxonomy=taxonomy,
            kept_offsets=kept_offsets,
            kept_codes=kept_codes,
            p_correct=np.asarray(kept["p_correct"], np.float64),
            evidence=candidates["evidence"].take(pa.array(row)).combine_chunks(),
            candidate_offsets=offsets,
            candidate_codes=codes,
        )

    def describe(self, image: int) -> dict[str, Any]:
        """Return ``labels`` and ``unknown`` of one image, for its JSON."""
        rows = slice(*self.kept_offsets[image : image + 2].tolist())
        p_of = dict(zip(self.kept_codes[rows].tolist(), self.p_correct[rows].tolist(), strict=True))
        evidence = self.evidence[rows].to_pylist()
        implied = self._implied(p_of)
        rows = slice(*self.candidate_offsets[image : image + 2].tolist())
        known = p_of.keys() | implied.keys()
        unknown = [code for code in self.candidate_codes[rows].tolist() if code not in known]
        name = self.taxonomy.label_ids
        kept = [
            _label(name[code], p, implied=False) | {"evidence": [_rounded(item) for item in items]}
            for (code, p), items in zip(p_of.items(), evidence, strict=True)
        ]
        above = [_label(name[code], implied[code], implied=True) for code in sorted(implied)]
        return {"labels": kept + above, "unknown": [name[code] for code in unknown]}

    def _implied(self, p_of: Mapping[int, float]) -> dict[int, float]:
        implied: dict[int, float] = {}
        for code, p in p_of.items():
            for above in self.taxonomy.ancestors[code]:
                if above not in p_of:
                    implied[above] = max(p, implied.get(above, 0.0))
        return implied


def _group(table: pa.Table, image_ids: pa.Array, taxonomy: Taxonomy) -> tuple[Ints, Codes, Ints]:
    """Return the rows sorted by image and label, their labels, and the first row of each image."""
    image = np.asarray(pc.index_in(table["image_id"], value_set=image_ids), np.int64)
    codes = taxonomy.codes(table["label_id"])
    order = np.lexsort((codes, image))
    offsets = np.searchsorted(image[order], np.arange(len(image_ids) + 1))
    return order, codes[order], offsets


def _label(label_id: str, p_correct: float, *, implied: bool) -> dict[str, Any]:
    return {"label_id": label_id, "p_correct": round(p_correct, 6), "implied": implied}


def _rounded(item: dict[str, Any]) -> dict[str, Any]:
    return item | {"strength": round(item["strength"], 6)}


def _refuse_no_candidate(pair: pa.Table) -> None:
    raise InputError(
        "a selected pair is not among the candidates",
        facts={name: pair[name][0].as_py() for name in ("image_id", "label_id")},
        help="make the selection again with `winnow select`",
    )
