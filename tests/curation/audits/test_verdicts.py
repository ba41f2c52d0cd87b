from __future__ import annotations

import pyarrow as pa
import pytest

from curation.audits.verdicts import (
    count_doubtful,
    final_audits,
    find_skipped,
    is_answer,
    usable_audits,
)
from labeling.errors import InputError
from labeling.keys.ids import digest
from labeling.schemas import AUDITS


def audits_of(*rows):
    """Make audits of (image, verdict) in the order of their numbers."""
    columns = {
        "image_id": [digest(image) for image, _ in rows],
        "label_id": ["cat"] * len(rows),
        "verdict": [verdict for _, verdict in rows],
        "auditor": ["anna"] * len(rows),
        "seq": list(range(len(rows))),
        "stratum": ["band-0"] * len(rows),
        "p_inclusion": [0.5] * len(rows),
    }
    return pa.table(columns, schema=AUDITS.arrow)


def test_the_last_verdict_counts():
    audits = audits_of(("a", "yes"), ("b", "no"), ("a", "no"), ("c", "yes"))
    shuffled = audits.take([2, 0, 3, 1])
    usable = usable_audits(shuffled)
    assert usable["verdict"].to_pylist() == ["no", "no", "yes"]
    assert usable["seq"].to_pylist() == [1, 2, 3]
    assert count_doubtful(shuffled) == (0, 1)


def test_unsure_verdicts_are_dropped_and_counted():
    audits = audits_of(("a", "yes"), ("a", "unsure"), ("b", "unsure"), ("b", "no"))
    assert usable_audits(audits)["verdict"].to_pylist() == ["no"]
    assert count_doubtful(audits) == (1, 0)


def test_no_audits_are_usable_too():
    assert usable_audits(AUDITS.empty()).num_rows == 0
    assert count_doubtful(AUDITS.empty()) == (0, 0)


def test_an_inclusion_probability_of_zero_is_refused():
    audits = audits_of(("a", "yes"))
    impossible = audits.set_column(6, AUDITS.arrow.field("p_inclusion"), pa.array([0.0]))
    with pytest.raises(InputError, match="inclusion probability of 0"):
        usable_audits(impossible)


def test_a_skipped_pair_is_final_but_not_usable():
    rows = [("a", "yes"), ("b", "skipped"), ("c", "unsure"), ("d", "no")]
    audits = audits_of(*rows)
    assert is_answer(final_audits(audits)).tolist() == [True, False, False, True]
    assert usable_audits(audits)["verdict"].to_pylist() == ["yes", "no"]


@pytest.mark.parametrize(("answered", "skipped"), [("a", []), ("ac", [1]), ("c", [0, 1]), ("", [])])
def test_of_a_pair_that_was_asked_twice_the_first_row_counts(answered, skipped):
    asked = audits_of(*((image, "yes") for image in "abcabd"))
    assert (
        find_skipped(asked, audits_of(*((image, "no") for image in answered))).tolist() == skipped
    )
