"""Probabilities that networks learn, without the verdicts on the images that they judge."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.scoring.parts import Parts, score_parts_without
from labeling.evidence.added import without_sources
from labeling.keys.arrays import Floats32
from labeling.taxonomy.taxonomy import Taxonomy
from pipelines.looking.folds import N_FOLDS


def without(parts: Parts, sources: tuple[str, ...]) -> Parts:
    """Return candidates without the evidence of some sources."""

    def read(columns: list[str]) -> Iterator[pa.Table]:
        return (without_sources(part, sources) for part in parts(columns))

    return read


def nested_scores(
    parts: Parts,
    taxonomy: Taxonomy,
    audits: pa.Table,
    image_ids: pa.Array,
    fold: npt.NDArray[np.int8],
    folder: Path,
) -> Floats32:
    """Return for each fold the probabilities of all candidates, ``float32[n_folds, n]``.

    A network that judges the images of a fold is trained on those without its audits: neither it
    nor its targets have met a verdict on them. The file ``scores.npy`` in a folder keeps them for
    the next attempt. The parameters are those of `curation.scoring.parts.score_parts_without`.

    Raises
    ------
    InputError
        If the audits of the other folds are too few to learn from.
    """
    path = folder / "scores.npy"
    if not path.is_file():
        scores = score_parts_without(parts, taxonomy, audits, image_ids, fold, N_FOLDS)
        half = path.with_suffix(".tmp.npy")
        np.save(half, scores)
        half.rename(path)
    loaded: Floats32 = np.load(path)
    return loaded
