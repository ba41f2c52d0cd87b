"""Writing the scored pairs of an index."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.intervals.judgements import Judgements
from curation.report.tuning import shares_of
from curation.selection.choose import choose_shares
from curation.selection.selection import Request
from labeling.keys.arrays import Ints
from labeling.keys.ids import to_halves
from labeling.schemas import SELECT_REASONS
from labeling.taxonomy.taxonomy import Taxonomy
from pipelines.browsing.edges import edges
from pipelines.browsing.pairs import Scope, read_pairs


def write_pairs(
    request: Request, reason: pa.ChunkedArray, taxonomy: Taxonomy, folder: Path
) -> None:
    """Write the arrays that `pipelines.browsing.pairs.read_pairs` reads.

    Parameters
    ----------
    request
        A selection of the scored candidates, whose shares are offered.
    reason
        Reason of each candidate, of the present selection.
    taxonomy
        The labels.
    folder
        An empty folder.
    """
    code = np.asarray(taxonomy.codes(request.scored["label_id"]), np.int64)
    order = np.lexsort((-request.p, code))
    position = np.empty(len(order), np.uint32)
    position[order] = np.arange(len(order), dtype=np.uint32)
    np.save(folder / "position.npy", position)
    np.save(folder / "image.npy", to_halves(request.scored["image_id"])[order])
    np.save(folder / "p.npy", request.p[order])
    reasons = reason.combine_chunks().dictionary_encode()
    number = np.array([SELECT_REASONS.index(name) for name in reasons.dictionary.to_pylist()])
    np.save(folder / "reason.npy", number.astype(np.int8)[np.asarray(reasons.indices)][order])
    labels, start = np.unique(code[order], return_index=True)
    np.savez(folder / "labels.npz", labels=labels, start=np.append(start, len(order)))
    _write_judged(request.judged, order, position, folder)
    _write_sets(request, order, position, start, folder)
    _write_precision(folder)


def _write_judged(
    judged: Judgements, order: Ints, position: npt.NDArray[np.uint32], folder: Path
) -> None:
    """Write the judgements with positions in the order of labels as rows."""
    if judged.stratum is not None:
        np.save(folder / "stratum.npy", judged.stratum[order])
    unknown = np.zeros(len(judged.row), bool) if judged.unknown is None else judged.unknown
    np.savez(
        folder / "judged.npz",
        row=position[judged.row].astype(np.int64),
        correct=judged.correct,
        p_inclusion=judged.p_inclusion,
        mean_weight=judged.mean_weight,
        unknown=unknown,
    )
    (folder / "errors.json").write_text(json.dumps(asdict(judged.errors)), "utf-8")


def _write_precision(folder: Path) -> None:
    """Write the precision of what is kept of each label."""
    pairs = read_pairs(folder)
    has_audits = pairs.count_labels()["n_audits"] > 0
    nothing = (np.nan, 0.0, 1.0)
    rows = [
        Scope(pairs, [label]).precision() if has_audits[label] else nothing
        for label in range(len(pairs.labels))
    ]
    precision, low, high = np.array(rows).reshape(-1, 3).T
    np.savez(folder / "precision.npz", precision=precision, low=low, high=high)


def _write_sets(
    request: Request,
    order: Ints,
    position: npt.NDArray[np.uint32],
    start: Ints,
    folder: Path,
) -> None:
    """Write which pairs each share keeps, a bit each, their numbers, and those at the threshold.

    The last bit is of the pairs that may be kept.
    """
    shares = shares_of(request.keep)
    allowed = (request.excluded == 0)[order]
    p, n_sets = request.p[order], len(shares) + 1
    bits = np.lib.format.open_memmap(
        folder / "kept.npy", "w+", np.uint8, (-(-n_sets // 8), len(order))
    )
    stratum = request.judged.stratum
    stratum = np.zeros(len(order), np.int64) if stratum is None else stratum[order]
    n_labels, n_strata = len(start), int(stratum.max(initial=0)) + 1
    counts = np.lib.format.open_memmap(
        folder / "counts.npy", "w+", np.uint32, (n_labels, len(shares), n_strata)
    )
    label = np.repeat(np.arange(n_labels), np.diff(np.append(start, len(order))))
    cell = label * n_strata + stratum
    at_threshold, thresholds = [], []
    kept, beside = np.zeros(len(order), bool), position[:0]
    of_cell = np.zeros(n_labels * n_strata, np.int64)
    for i, (best, threshold) in enumerate(choose_shares(request, shares)):
        kept[beside] = False
        entered, beside = position[best.entered], position[best.beside]
        kept[entered] = True
        kept[beside] = True
        bits[i // 8] |= kept.view(np.uint8) << np.uint8(i % 8)
        of_cell += np.bincount(cell[entered], minlength=len(of_cell))
        of_set = of_cell + np.bincount(cell[beside], minlength=len(of_cell))
        counts[:, i] = of_set.reshape(n_labels, n_strata)
        sides = edges(p, kept, allowed, threshold, start)._asdict()
        at_threshold.append({name: side.tolist() for name, side in sides.items()})
        thresholds.append(threshold)
    bits[len(shares) // 8] |= allowed.view(np.uint8) << np.uint8(len(shares) % 8)
    bits.flush()
    counts.flush()
    content = {
        "shares": shares,
        "thresholds": thresholds,
        "edges": at_threshold,
        "keep": request.keep,
        "confidence": request.confidence,
    }
    (folder / "sets.json").write_text(json.dumps(content), "utf-8")
