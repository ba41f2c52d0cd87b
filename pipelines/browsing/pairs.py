"""The scored pairs of an index: arrays in the order of labels, on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from curation.intervals.error_rates import ErrorRates
from curation.intervals.judgements import Judgements, precision_of
from curation.report.tuning import Sets, tuning_of
from labeling.keys.arrays import Floats, Ints, Mask
from pipelines.browsing.edges import Edges, edges


@dataclass(frozen=True, eq=False)
class Pairs:
    """Scored pairs, numbered in the order of labels, the most probable of each first.

    Attributes
    ----------
    image
        ``uint64[n, 2]``: halves of the image ids.
    p, reason
        ``float32[n]`` and ``int8[n]``: probability, and position in
        `labeling.schemas.SELECT_REASONS`.
    position
        ``uint32[n]``: the number of each candidate.
    kept
        ``uint8[b, n]``: a bit for each share of `sets`, and one for pairs that may be kept.
    counts
        ``uint32[l, t, s]``: kept pairs of each label, share and stratum.
    labels, start
        ``int64[l]``: codes of the labels, and ``int64[l + 1]``: the first pair of each.
    precision
        ``precision``, ``low`` and ``high`` of what is kept of each label; NaN without an audit.
    judged
        The judgements.
    sets
        ``shares``, and for each its threshold and the pairs on both sides; ``keep`` and
        ``confidence``.
    """

    image: npt.NDArray[np.uint64]
    p: npt.NDArray[np.float32]
    reason: npt.NDArray[np.int8]
    position: npt.NDArray[np.uint32]
    kept: npt.NDArray[np.uint8]
    counts: npt.NDArray[np.uint32]
    labels: Ints
    start: Ints
    precision: Mapping[str, Floats]
    judged: Judgements
    sets: dict[str, Any]

    def count_labels(self) -> dict[str, Ints]:
        """Return for each label the number of candidates, of kept ones, and of sure audits."""
        is_kept = (self.reason[:] == 0).astype(np.int64)
        row = self.judged.known.row
        return {
            "n": np.diff(self.start),
            "n_kept": np.add.reduceat(is_kept, self.start[:-1]) if len(self.p) else self.labels,
            "n_audits": np.bincount(self.label_of(row), minlength=len(self.labels)),
        }

    def label_of(self, numbers: Ints) -> Ints:
        """Return the rows of `labels` of some pairs."""
        labels: Ints = np.searchsorted(self.start, numbers, "right") - 1
        return labels


def read_pairs(folder: Path) -> Pairs:
    """Return the pairs of a folder of an index; arrays stay on disk."""
    names = ("image", "p", "reason", "position", "kept", "counts")
    arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in names}
    errors = ErrorRates(**json.loads((folder / "errors.json").read_text("utf-8")))
    stratum = folder / "stratum.npy"
    with np.load(folder / "judged.npz") as stored:
        judged = Judgements(
            stored["row"],
            stored["correct"],
            stored["p_inclusion"],
            np.load(stratum, mmap_mode="r") if stratum.exists() else None,
            float(stored["mean_weight"]),
            stored["unknown"] if stored["unknown"].any() else None,
            errors,
        )
    with np.load(folder / "labels.npz") as labels:
        of_labels = dict(labels)
    rates = folder / "precision.npz"  # is made of the pairs
    precision: dict[str, Floats] = {}
    if rates.exists():
        with np.load(rates) as of_kept:
            precision = dict(of_kept)
    sets = json.loads((folder / "sets.json").read_text("utf-8"))
    return Pairs(**arrays, **of_labels, precision=precision, judged=judged, sets=sets)


class Scope:
    """The pairs of some labels, numbered from 0.

    Parameters
    ----------
    pairs
        The pairs.
    labels
        Rows of `Pairs.labels`, sorted.

    Attributes
    ----------
    size
        Number of the pairs.
    """

    def __init__(self, pairs: Pairs, labels: Sequence[int]) -> None:
        self.pairs = pairs
        self._rows = rows = np.array(labels, np.int64)
        self._start, self._stop = pairs.start[rows], pairs.start[rows + 1]
        self._size = self._stop - self._start
        self.size = int(self._size.sum())
        self._first = np.cumsum(self._size) - self._size

    def cut(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the values of these pairs."""
        ranges = zip(self._start.tolist(), self._stop.tolist(), strict=True)
        return np.concatenate([array[:0], *(array[start:stop] for start, stop in ranges)])

    def numbers(self, rows: Ints) -> Ints:
        """Return the numbers in `Pairs` of some pairs."""
        label = np.searchsorted(self._first, rows, "right") - 1
        numbers: Ints = self._start[label] + rows - self._first[label]
        return numbers

    @property
    def judged(self) -> Judgements:
        """The judgements of these pairs."""
        judged = self._judged_here
        label = np.searchsorted(self._start, judged.row, "right") - 1
        row = self._first[label] + judged.row - self._start[label]
        stratum = None if judged.stratum is None else self.cut(judged.stratum)
        return replace(judged, row=row, stratum=stratum)

    def precision(self) -> tuple[float, float, float]:
        """Return the precision of what is kept, and its interval."""
        kept = self.cut(self.pairs.reason) == 0
        interval = precision_of(self.judged, kept, self.pairs.sets["confidence"])
        return interval.estimate, interval.low, interval.high

    def tuning(self) -> dict[str, Any]:
        """Return what other shares of all candidates give of these pairs.

        It is the table of `curation.report.tuning.tuning`.
        """
        sets, judged = self.pairs.sets, self._judged_here
        n_kept = self.pairs.counts[self._rows].astype(np.int64)
        audited = np.stack([self._bit(i, judged.row) for i in range(len(sets["shares"]))])
        of_sets = Sets(
            self.size,
            sets["keep"],
            sets["shares"],
            sets["thresholds"],
            n_kept.sum(axis=2),
            n_kept.sum(axis=0),
            audited,
        )
        return tuning_of(of_sets, judged, sets["confidence"])

    def _bit(self, i: int, numbers: Ints) -> Mask:
        bits: npt.NDArray[np.uint8] = self.pairs.kept[i // 8, numbers] >> np.uint8(i % 8) & 1
        return bits.astype(bool)

    @property
    def _judged_here(self) -> Judgements:
        """The judgements of these pairs, with numbers in `Pairs`."""
        judged = self.pairs.judged
        return judged.take(np.isin(self.pairs.label_of(judged.row), self._rows))

    def kept(self, i: int) -> Mask:
        """Return which pairs the i-th share keeps; after the last, which may be kept."""
        return (self.cut(self.pairs.kept[i // 8]) >> np.uint8(i % 8) & 1).astype(bool)

    def edges(self, i: int) -> Edges:
        """Return the numbers of the pairs next to the threshold of the i-th share."""
        sets = self.pairs.sets
        allowed = self.kept(len(sets["shares"]))
        p, threshold = self.cut(self.pairs.p), sets["thresholds"][i]
        sides = edges(p, self.kept(i), allowed, threshold, self._first)
        return Edges(*map(self.numbers, sides))
