"""Samples of shards: the image's bytes, and its labels with their evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.pairs.pair_keys import find_pairs
from curation.shards.images import BadImage, ImageLimits, image_bytes, read_jpeg
from curation.shards.tars import Sample
from labeling.errors import InputError
from labeling.keys.arrays import Ints, Mask
from labeling.keys.ids import Halves, to_halves
from labeling.objects.ahead import in_order
from labeling.objects.paths import is_remote
from labeling.taxonomy.taxonomy import Taxonomy

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
    describe = _labels_of(image_ids, kept, candidates, taxonomy)
    return _read_all(_files(images, image_ids), data_dir, limits, describe)


def heldout_samples(
    images: pa.Table, share: float, data_dir: Path, limits: ImageLimits
) -> Iterator[Sample | Reject]:
    """Yield each held-out image, in the order of the ids: a sample without labels, or a reject."""
    held = images["image_id"].filter(pa.array(is_heldout(images["image_id"], share))).sort()
    return _read_all(_files(images, held), data_dir, limits, _describe_heldout)


def is_any_restored(
    rejects: pa.Table, images: pa.Table, data_dir: Path, limits: ImageLimits
) -> bool:
    """Return whether an image that was missing or changed at an export can be read now.

    Parameters
    ----------
    rejects
        Table of `labeling.schemas.REJECTS`, as the export wrote it.
    images
        Table of `labeling.schemas.IMAGES`, or of ``IMPORTED_IMAGES``.
    data_dir, limits
        As for `curation.shards.images.read_image`.
    """
    absent = rejects.filter(pc.is_in(rejects["reason"], pa.array(RESTORABLE_REASONS)))
    image_ids = pc.utf8_slice_codeunits(absent["where"], len(REJECTED_IMAGE))
    known = image_ids.filter(pc.is_in(image_ids, value_set=images["image_id"]))
    outcomes = _read_all(_files(images, known), data_dir, limits, _describe_heldout)
    return any(isinstance(outcome, Sample) for outcome in outcomes)


class _File(NamedTuple):
    """The file of an image; without a location it is missing, without a content a copy."""

    image_id: str
    location: str | None
    content_id: str | None


def _files(images: pa.Table, image_ids: pa.Array | pa.ChunkedArray) -> list[_File]:
    """Return the files of some images; the digests are their ids, or ``content_id``."""
    row = pc.index_in(image_ids, value_set=images["image_id"])
    of_content = "content_id" if "content_id" in images.column_names else "image_id"
    columns = (images[name].take(row).to_pylist() for name in ("location", of_content))
    return [*map(_File, image_ids.to_pylist(), *columns)]


def _read_all(
    files: Sequence[_File],
    data_dir: Path,
    limits: ImageLimits,
    describe: Callable[[int], dict[str, Any]],
) -> Iterator[Sample | Reject]:
    def content(file: _File) -> bytes | BadImage:
        try:
            if file.location is None:
                raise BadImage("image_missing")
            if file.content_id is None:
                raise BadImage("same_bytes")
            return image_bytes(file.content_id, file.location, data_dir, limits)
        except BadImage as error:
            return error

    named = (file.location for file in files if file.location)
    contents = in_order(content, files, is_remote(data_dir, named))
    for number, ((image_id, location, _), data) in enumerate(zip(files, contents, strict=True)):
        try:
            if isinstance(data, BadImage):
                raise data
            image = read_jpeg(data, limits)
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


def _labels_of(
    image_ids: pa.Array, kept: pa.Table, candidates: pa.Table, taxonomy: Taxonomy
) -> Callable[[int], dict[str, Any]]:
    """Return a function from the number of an image to its ``labels`` and ``unknown``."""
    candidates = candidates.filter(pc.is_in(candidates["image_id"], value_set=image_ids))
    image = np.asarray(pc.index_in(candidates["image_id"], value_set=image_ids), np.int64)
    codes = taxonomy.codes(candidates["label_id"])
    order = np.lexsort((codes, image))
    codes, starts = codes[order], np.searchsorted(image[order], np.arange(len(image_ids) + 1))
    kept_row = find_pairs(candidates, kept)[order]
    _refuse_no_candidate(kept, kept_row)
    p_correct = np.asarray(kept["p_correct"], np.float64)[kept_row]
    evidence = candidates["evidence"].take(pa.array(order)).combine_chunks()

    def describe(number: int) -> dict[str, Any]:
        rows = np.arange(starts[number], starts[number + 1])
        is_kept = kept_row[rows] >= 0
        kept_rows = rows[is_kept]
        p_of = dict(zip(codes[kept_rows].tolist(), p_correct[kept_rows].tolist(), strict=True))
        implied = _implied(p_of, taxonomy)
        items_of = evidence.take(pa.array(kept_rows)).to_pylist()
        labels = [
            _label(taxonomy, code, p, implied=False) | {"evidence": list(map(_rounded, items))}
            for (code, p), items in zip(p_of.items(), items_of, strict=True)
        ]
        labels += [_label(taxonomy, code, implied[code], implied=True) for code in sorted(implied)]
        unknown = [code for code in codes[rows[~is_kept]].tolist() if code not in implied]
        return {"labels": labels, "unknown": [taxonomy.label_ids[code] for code in unknown]}

    return describe


def _implied(p_of: Mapping[int, float], taxonomy: Taxonomy) -> dict[int, float]:
    """Return the ancestors that are not kept, with the highest probability below each."""
    implied: dict[int, float] = {}
    for code, p in p_of.items():
        for ancestor in taxonomy.ancestors[code]:
            if ancestor not in p_of:
                implied[ancestor] = max(p, implied.get(ancestor, 0.0))
    return implied


def _label(taxonomy: Taxonomy, code: int, p_correct: float, *, implied: bool) -> dict[str, Any]:
    label_id = taxonomy.label_ids[code]
    return {"label_id": label_id, "p_correct": round(p_correct, 6), "implied": implied}


def _rounded(item: dict[str, Any]) -> dict[str, Any]:
    return item | {"strength": round(item["strength"], 6)}


def _refuse_no_candidate(kept: pa.Table, kept_row: Ints) -> None:
    missing = np.setdiff1d(np.arange(len(kept)), kept_row)
    if len(missing):
        pair = kept.slice(int(missing[0]), 1)
        raise InputError(
            "a selected pair is not among the candidates",
            facts={name: pair[name][0].as_py() for name in ("image_id", "label_id")},
            help="make the selection again with `winnow select`",
        )
