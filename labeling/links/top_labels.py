"""The strongest labels of many nodes, in rows of one width: label and share in one integer.

Shares are integers, so that sums do not depend on an order; ties are broken by the label's code.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labeling.keys.arrays import Floats32, Ints, Ints32

ONE = 1 << 30
"""The share 1."""

State = npt.NDArray[np.uint64]
"""``uint64[n, k]``: code of a label in the high half, share out of `ONE` in the low half; in each
row the strongest first, ties by code, and 0 after the last. The shares of a row add up to at most
`ONE`. See `pack` and `unpack`."""

Shares = npt.NDArray[np.uint64]
"""Integers out of `ONE`, or weights."""

LOW = np.uint64(0xFFFF_FFFF)
HALF = np.uint64(32)
BITS = np.uint64(30)


def pack(labels: npt.NDArray[np.integer], shares: npt.NDArray[np.floating]) -> State:
    """Return a state: rows of labels with shares in [0, 1] that add up to at most 1.

    Examples
    --------
    >>> labels, shares = unpack(pack(np.array([[7, 3, 5]]), np.array([[0.25, 0.25, 0.5]])))
    >>> labels.tolist(), shares.tolist()
    ([[5, 3, 7]], [[0.5, 0.25, 0.25]])
    """
    parts = np.floor(np.asarray(shares, np.float64) * ONE).astype(np.uint64)
    return unranked(np.sort(ranked(parts, labels.astype(np.uint64)), axis=1), labels.shape[1])


def unpack(state: State) -> tuple[Ints32, Floats32]:
    """Return ``int32[n, k]`` labels, -1 after the last, and their ``float32[n, k]`` shares."""
    share = state & LOW
    labels = np.where(share > 0, (state >> HALF).astype(np.int32), -1)
    return labels, (share / ONE).astype(np.float32)


def scaled(rows: State, share: npt.NDArray[np.uint64], out: State) -> State:
    """Write rows with their shares multiplied by `share` of `ONE` to `out`, and return it."""
    np.bitwise_and(rows, LOW, out=out)
    out *= share[..., None]
    out >>= BITS
    out |= rows & ~LOW
    return out


def strongest(keys: State, k: int) -> State:
    """Add up the shares of each label in each row, in place, and return the k largest."""
    keys.sort(axis=1)
    label = keys >> HALF
    last = run_ends(label)
    sums = np.cumsum((keys & LOW).ravel())[last]
    keys[:] = 0
    keys.ravel()[last] = ranked(np.diff(sums, prepend=np.uint64(0)), label.ravel()[last])
    keys.sort(axis=1)
    return unranked(keys, k)


def run_ends(label: npt.NDArray[np.uint64]) -> Ints:
    """Return the ends of runs of equal labels within rows, as indices into the flattened rows."""
    is_end = np.ones(label.shape, bool)
    np.not_equal(label[:, 1:], label[:, :-1], out=is_end[:, :-1])
    return np.flatnonzero(is_end)


def ranked(part: npt.NDArray[np.uint64], label: npt.NDArray[np.uint64]) -> State:
    """Return keys that order by share, then by label, the best highest."""
    return np.where(part > 0, (part << HALF) | (LOW - label), np.uint64(0))


def unranked(ordered: State, k: int) -> State:
    """Return the k best of rows of keys as a state."""
    best = np.zeros((len(ordered), k), np.uint64)
    width = min(k, ordered.shape[1])
    best[:, :width] = ordered[:, ::-1][:, :width]
    state = ((LOW - (best & LOW)) << HALF) | (best >> HALF)
    return np.where(best > 0, state, np.uint64(0))
