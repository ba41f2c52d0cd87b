"""Runs of equal keys, against a loop over the rows."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.keys import runs

KEYS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1)), max_size=30)


def columns(keys: list[tuple[int, int]], form: str) -> tuple[np.ndarray, ...]:
    rows = np.array(keys, np.uint64).reshape(-1, 2)
    return (rows,) if form == "one matrix" else (rows[:, 0], rows[:, 1].astype(np.float32))


@pytest.mark.parametrize("form", ["one matrix", "two columns"])
@given(keys=KEYS)
def test_runs_are_those_of_a_loop(form: str, keys: list[tuple[int, int]]) -> None:
    of_loop = [len(list(group)) for _, group in groupby(keys)]
    rows = columns(keys, form)
    starts = runs.run_starts(*rows)
    assert starts.tolist() == [sum(of_loop[:i]) for i in range(len(of_loop))]
    assert runs.run_sizes(starts, len(keys)).tolist() == of_loop
    assert runs.run_numbers(*rows).tolist() == [i for i, n in enumerate(of_loop) for _ in range(n)]
    assert runs.rank_in_run(*rows).tolist() == [i for n in of_loop for i in range(n)]


def test_the_first_of_equal_rows_is_kept_in_order() -> None:
    table = pa.table({"key": ["b", "a", "b", None, "a", None], "n": range(6)})
    assert runs.distinct_rows(table, ["key"])["n"].to_pylist() == [0, 1, 3]
