"""Requests for selections, with the settings that a test does not name at their defaults."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from curation.intervals.judgements import Judgements
from curation.selection.selection import Request
from labeling.taxonomy.taxonomy import Taxonomy

NOTHING_JUDGED = Judgements(np.zeros(0, np.int64), np.zeros(0, bool), np.zeros(0))


def request_of(scored: pa.Table, judged: Judgements = NOTHING_JUDGED, **settings: Any) -> Request:
    defaults = {"keep": 1 / 3, "precision": None, "confidence": 0.95}
    others = {"by": None, "floor": 0, "per_image": None, "per_label": None}
    given = {**defaults, **others, **settings}
    return Request(scored, judged, taxonomy=_no_taxonomy, evidence=_no_evidence, **given)


def _no_taxonomy() -> Taxonomy:
    raise AssertionError("no taxonomy is needed")


def _no_evidence() -> Iterable[pa.ChunkedArray]:
    raise AssertionError("no evidence is needed")
