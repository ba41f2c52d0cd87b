"""Orders of rows by integers, faster than a sort by comparisons."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Longs = npt.NDArray[np.int64]


def order_of(keys: npt.NDArray[np.uint64], n_bits: int) -> Longs:
    """Return the stable order of integers below ``2**n_bits``, 16 bits at a time.

    numpy sorts 16-bit integers by counting them (a radix sort), in a tenth of the time that it
    needs to sort longer ones.

    Examples
    --------
    >>> order_of(np.array([70_000, 3, 70_000, 1], np.uint64), 17).tolist()
    [3, 1, 0, 2]
    """
    order: Longs | None = None
    for shift in range(0, max(n_bits, 1), 16):
        digits = (keys >> np.uint64(shift)).astype(np.uint16)
        if order is None:
            order = np.argsort(digits, kind="stable")
        else:
            order = order[np.argsort(digits[order], kind="stable")]
    assert order is not None
    return order


def starts_of(*columns: npt.NDArray[np.generic]) -> Longs:
    """Return the first row of each run of rows that are equal in all columns.

    Examples
    --------
    >>> starts_of(np.array([1, 1, 1, 2]), np.array([5, 5, 6, 6])).tolist()
    [0, 2, 3]
    """
    new = np.ones(len(columns[0]), bool)
    np.not_equal(columns[0][1:], columns[0][:-1], out=new[1:])
    for column in columns[1:]:
        new[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(new)


def sizes_of(starts: Longs, n_rows: int) -> Longs:
    """Return how many rows each run has."""
    return np.diff(starts, append=n_rows)
