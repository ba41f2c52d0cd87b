"""Votes that are on candidates, found file by file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.pairs.pair_keys import PAIR
from labeling.evidence.added import Votes, find_votes
from labeling.keys import ids
from labeling.keys.arrays import Ints, Mask
from labeling.taxonomy.taxonomy import Taxonomy


def find_in_files(
    votes: Votes, paths: Sequence[Path], taxonomy: Taxonomy
) -> list[tuple[Ints, Ints]]:
    """Return for each file of candidates the votes on its images, and the row of each, or -1."""
    spans = [_span(votes, path) for path in paths]
    return [
        (span, find_votes(votes.take(span), pq.read_table(path, columns=PAIR), taxonomy))
        for span, path in zip(spans, paths, strict=True)
    ]


def are_on_candidates(votes: Votes, rows: Sequence[tuple[Ints, Ints]]) -> Mask:
    """Return which votes have a row in some file, by the result of `find_in_files`."""
    used = np.zeros(len(votes.label), bool)
    for span, row in rows:
        used[span] |= row >= 0
    return used


def _span(votes: Votes, path: Path) -> Ints:
    """Return the votes on images between the first and the last of a file of candidates."""
    ends = pc.min_max(pq.read_table(path, columns=["image_id"])["image_id"])
    if not ends["min"].is_valid:
        return np.zeros(0, np.int64)
    halves = ids.to_halves(pa.array([ends["min"].as_py(), ends["max"].as_py()]))[:, 0]
    start = np.searchsorted(votes.image[:, 0], halves[0], "left")
    return np.arange(start, np.searchsorted(votes.image[:, 0], halves[1], "right"))
