from __future__ import annotations

import pytest

from labeling.keys.missing import is_missing


@pytest.mark.parametrize(
    "key",
    ["", " ", "\t\n", "null", "NULL", "None", "NaN", "NaT", "<NA>", r"\N", "undefined", "NA", "N/A"]
    + ["n/a", "#N/A", "#REF!", "-", "(null)", "(none)", "[NULL]", "<null>"]
    + ["?", "''", '""', "\0", "\u200b", "\ufeff \xa0", "00000000-0000-0000-0000-000000000000"],
)
def test_a_key_that_tools_write_for_none_is_missing(key: str) -> None:
    assert is_missing([key, f" {key} "]).tolist() == [True, True]


def test_other_keys_are_there() -> None:
    assert not is_missing(
        [
            "0",
            "nano",
            "é",
            "-1",
            "n",
            "a/b",
            "_",
            "a\u200bb",
            "?x",
            "00000000-0000-0000-0000-000000000001",
        ]
    ).any()
    assert is_missing([]).tolist() == []
