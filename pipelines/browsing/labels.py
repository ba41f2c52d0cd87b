"""The table of labels of an index: sorted, filtered, a page at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from curation.selection.floors import FEW
from labeling.errors import InputError
from labeling.taxonomy.taxonomy import Taxonomy
from pipelines.browsing.pairs import Pairs

SORTED_BY = ("name", "n", "n_kept", "precision", "n_audits")
"""Columns that the table can be sorted by."""

ROWS = 50
"""Labels of a page."""


class LabelTable:
    """The labels of an index with their counts."""

    def __init__(self, pairs: Pairs, taxonomy: Taxonomy) -> None:
        codes = pairs.labels.tolist()
        self._ids = [taxonomy.label_ids[code] for code in codes]
        self._names = [taxonomy.display_name(code) for code in codes]
        self._columns: Mapping[str, Any] = {**pairs.count_labels(), **pairs.precision}
        self._texts = [
            f"{name} {label_id}".casefold()
            for name, label_id in zip(self._names, self._ids, strict=True)
        ]

    def page(self, sort: str, is_falling: bool, text: str, few: bool, start: int) -> dict[str, Any]:
        """Return the labels that match, `ROWS` from a start.

        Parameters
        ----------
        sort
            One of `SORTED_BY`; labels without a precision come last.
        is_falling
            Whether the largest come first.
        text
            Part of the name or id.
        few
            Whether only labels with fewer than `FEW` kept images are wanted.
        start
            Labels to skip.
        """
        if sort not in SORTED_BY:
            raise InputError(
                "the table has no such column",
                facts={"column": sort},
                help=f"sort by one of {', '.join(SORTED_BY)}",
            )
        text = text.casefold()
        is_wanted = np.array([text in each for each in self._texts], bool)
        if few:
            is_wanted &= self._columns["n_kept"] < FEW
        rows = np.flatnonzero(is_wanted)
        key = np.array(self._names) if sort == "name" else self._columns[sort]
        order = np.argsort(key[rows], kind="stable")
        if is_falling:
            order = order[::-1]
        ordered = rows[order]
        if sort == "precision":
            is_known = ~np.isnan(key[ordered])
            ordered = np.concatenate([ordered[is_known], ordered[~is_known]])
        shown = ordered[start : start + ROWS].tolist()
        return {"n": len(rows), "start": start, "rows": [self._row(row) for row in shown]}

    def _row(self, row: int) -> dict[str, Any]:
        counts = {name: int(self._columns[name][row]) for name in ("n", "n_kept", "n_audits")}
        rates = {name: float(self._columns[name][row]) for name in ("precision", "low", "high")}
        is_known = not np.isnan(rates["precision"])
        return {
            "label_id": self._ids[row],
            "name": self._names[row],
            **counts,
            **(rates if is_known else dict.fromkeys(rates)),
            "is_few": counts["n_kept"] < FEW,
        }
