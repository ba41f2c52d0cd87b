"""Runs of equal keys in sorted rows: their starts and sizes, and the ranks of rows in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labeling.keys.arrays import Ints, Mask


def run_begins(*columns: npt.NDArray[Any]) -> Mask:
    """Return ``bool[n]``: the rows that differ from the row before in any of the columns.

    Parameters
    ----------
    columns
        Arrays ``[n]`` or ``[n, k]`` of the same rows. Rows with equal keys must be adjacent.

    Examples
    --------
    >>> run_begins(np.array([1, 1, 1, 2]), np.array([5, 5, 6, 6])).tolist()
    [True, False, True, True]
    """
    begins = np.zeros(len(columns[0]), bool)
    begins[:1] = True
    for column in columns:
        # Column by column: `any(axis=1)` over two columns takes several times as long.
        for part in np.atleast_2d(column.T):
            begins[1:] |= part[1:] != part[:-1]
    return begins


def run_starts(*columns: npt.NDArray[Any]) -> Ints:
    """Return the first row of each run of rows that are equal in all columns.

    Examples
    --------
    >>> run_starts(np.array([1, 1, 1, 2]), np.array([5, 5, 6, 6])).tolist()
    [0, 2, 3]
    """
    return np.flatnonzero(run_begins(*columns))


def run_sizes(starts: Ints, n_rows: int) -> Ints:
    """Return the number of rows of each run, given the first row of each."""
    return np.diff(starts, append=n_rows)


def run_numbers(*columns: npt.NDArray[Any]) -> Ints:
    """Return ``int64[n]``: the number of each row's run, from 0.

    Examples
    --------
    >>> run_numbers(np.array([7, 7, 3, 3, 9])).tolist()
    [0, 0, 1, 1, 2]
    """
    return np.cumsum(run_begins(*columns)) - 1


def combination_numbers(*columns: npt.NDArray[Any]) -> Ints:
    """Return ``int64[n]``: the number, from 0, of each row's combination of values.

    Examples
    --------
    >>> combination_numbers(np.array([5, 3, 5, 5]), np.array([1, 1, 1, 0])).tolist()
    [2, 0, 2, 1]
    """
    order = np.lexsort(columns[::-1])
    numbers = np.empty(len(order), np.int64)
    numbers[order] = run_numbers(*(column[order] for column in columns))
    return numbers


def rank_in_run(*columns: npt.NDArray[Any]) -> Ints:
    """Return ``int64[n]``: the number of earlier rows of the same run.

    Examples
    --------
    >>> rank_in_run(np.array([7, 7, 3, 3, 3])).tolist()
    [0, 1, 0, 1, 2]
    """
    starts, n_rows = run_starts(*columns), len(columns[0])
    return np.arange(n_rows) - np.repeat(starts, run_sizes(starts, n_rows))


def ranges(starts: Ints, ends: Ints) -> tuple[Ints, Ints]:
    """Return all numbers of some ranges: the index of the range and the number.

    Examples
    --------
    >>> which, number = ranges(np.array([5, 0, 7]), np.array([7, 0, 8]))
    >>> which.tolist(), number.tolist()
    ([0, 0, 2], [5, 6, 7])
    """
    n = ends - starts
    which = np.repeat(np.arange(len(n)), n)
    number = np.arange(len(which))
    number += (starts - np.cumsum(n) + n).take(which)  # half the time of a second `repeat`
    return which, number


def distinct_rows(table: pa.Table, keys: list[str]) -> pa.Table:
    """Return the first row of each combination of keys; rows keep their order."""
    numbered = table.append_column("row", pa.array(np.arange(len(table))))
    first = numbered.group_by(keys, use_threads=False).aggregate([("row", "min")])["row_min"]
    return table.take(pa.array(np.sort(first.to_numpy())))
