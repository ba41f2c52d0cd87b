from __future__ import annotations

import pytest

from labeling.readers.table_files.cells import to_seconds

SECOND = 1704164645
"""2024-01-02 03:04:05 UTC."""

MIDNIGHT = 1704153600


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-02T03:04:05Z", SECOND),
        ("2024-01-02 03:04:05", SECOND),
        ("2024-01-02 03:04:05 UTC", SECOND),
        ("2024-01-02T05:04:05+02:00", SECOND),
        ("20240102T030405Z", SECOND),
        ("20240102T030405", SECOND),
        ("20240102030405", SECOND),
        ("202401020304", SECOND - 5),
        ("20240102", MIDNIGHT),
        ("2024-01-02", MIDNIGHT),
        (" 2024-01-02 ", MIDNIGHT),
        ("2024-W01-2", MIDNIGHT),
        ("2024W012", MIDNIGHT),
        ("9999-12-31", 253402214400),
        ("1704164645", SECOND),
        ("1704164645.0", SECOND),
        ("1.704164645e9", SECOND),
        ("1704164645000", SECOND),
        ("1704164645000000", SECOND),
        ("1704164645000000000", SECOND),
        ("0", 0),
        ("9999", 9999),
        ("45293", MIDNIGHT),
        ("45293.5", MIDNIGHT + 12 * 3600),
    ],
)
def test_times_of_all_kinds_of_tools(text: str, expected: int) -> None:
    assert to_seconds([text, "2024-01-02T00:00:00.123456789Z"]).tolist() == [
        expected,
        pytest.approx(MIDNIGHT, abs=1),
    ]


@pytest.mark.parametrize(
    "text",
    ["", "-5", "10001", "20241399", "19700101", "01/02/2024", "2024-02-30", "03:04"]
    + ["yesterday", "nan", "inf", "1e300", "null", "1_704_164_645", "70123456"]
    + ["now", "today", "NOW", " now "],
)
def test_a_text_that_is_not_a_time_never_becomes_1970(text: str) -> None:
    assert str(to_seconds([text, "2024-01-02"])[0]) == "nan"
