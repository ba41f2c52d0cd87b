"""Labels that a selection leaves without images are named."""

from __future__ import annotations

import pyarrow as pa

from pipelines.selecting.labels import count_labels


def test_labels_are_counted_by_what_is_kept_of_them() -> None:
    kept = {"dog": [True] * 20 + [False], "cat": [True] * 19, "ant": [False] * 3, "bee": [False]}
    rows = [{"label_id": name, "kept": flag} for name, flags in kept.items() for flag in flags]
    facts = count_labels(pa.Table.from_pylist(rows))
    assert facts == {"n_labels": 4, "labels_lost": ["ant", "bee"], "labels_few": ["cat"]}
