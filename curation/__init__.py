"""Curation: scores of candidates, audits, selections with their precision, and shards."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from curation.frames.audits import draw_audits as draw_audits
    from curation.frames.audits import precision_interval as precision_interval
    from curation.frames.scores import score as score
    from curation.frames.selections import Kept as Kept
    from curation.frames.selections import select as select
    from curation.frames.thresholds import ThresholdTable as ThresholdTable
    from curation.frames.thresholds import threshold_table as threshold_table
    from curation.intervals.precision import Interval as Interval
    from curation.runs.run import Run as Run
    from curation.runs.run import RunTable as RunTable
    from curation.runs.run import open_run as open_run
    from curation.runs.stage import Stage as Stage
else:
    from labeling.exports import lazy_exports

    __all__, __getattr__, __dir__ = lazy_exports(__name__)
