"""Ids as digits, as bytes and as integers are equivalent and sort the same."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given
from hypothesis import strategies as st

from labeling.keys import ids

IDS = st.lists(st.binary(min_size=16, max_size=16).map(bytes.hex), max_size=20)


@given(IDS)
def test_every_form_of_an_id_leads_back_to_its_digits(digits: list[str]) -> None:
    column = pa.array(digits, pa.string())
    binary = ids.to_binary(column)
    assert binary.type == ids.BINARY
    assert [b.hex() for b in binary.to_pylist()] == digits
    assert np.array_equal(ids.to_halves(binary), ids.to_halves(column))
    assert ids.from_halves(ids.to_halves(binary)).to_pylist() == digits


@given(IDS, st.integers(0, 20))
def test_a_slice_of_binary_ids_is_read_from_its_own_start(digits: list[str], start: int) -> None:
    binary = ids.to_binary(pa.array(digits, pa.string())).slice(start)
    assert ids.from_halves(ids.to_halves(binary)).to_pylist() == digits[start:]


@given(IDS)
def test_binary_ids_sort_as_their_digits_do(digits: list[str]) -> None:
    column = pa.array(digits, pa.string())
    assert pc.array_sort_indices(ids.to_binary(column)) == pc.array_sort_indices(column)
