"""A limit of the images of each label: some of those that would be kept, drawn at random.

The most probable images of a label resemble each other: a network that was trained on as many drawn
at random was better, and the kept ones were as precise (`docs/results/worth.md`).
"""

from __future__ import annotations

import numpy as np

from curation.pairs.pair_keys import pair_hash
from curation.selection.floors import in_floor
from curation.selection.selection import Request
from labeling.keys.arrays import Mask

SEED = 2**63
"""Seed of the draw, above those that audits may have: both are by a hash of the pair, and a pair
that is drawn for the audit must not be kept more often than others."""


def thinned(request: Request, expected: Mask, per_label: int) -> Mask:
    """Return the candidates that a limit leaves out, ``bool[n]``.

    The best of each label, down to the floor, stay. Each other candidate of a label stays with the
    same probability, so that about `per_label` of those expected to be kept do. It depends on
    scores, labels and hashes, never on verdicts: sets of the others stay nested, and what is
    estimated or proved of them holds.

    Parameters
    ----------
    expected
        ``bool[n]``: candidates that would be kept without the limit, or about these.
    per_label
        Images of a label.
    """
    label, stays = request.label, in_floor(request)
    n_labels = int(label.max(initial=-1)) + 1
    n_of_floor = np.bincount(label[expected & stays], minlength=n_labels)
    n_others = np.bincount(label[expected & ~stays], minlength=n_labels)
    rate = (per_label - n_of_floor).clip(0) / n_others.clip(1)
    draw = pair_hash(request.scored, SEED).astype(np.float64) / 2.0**64
    left_out: Mask = ~stays & (draw >= rate[label])
    return left_out
