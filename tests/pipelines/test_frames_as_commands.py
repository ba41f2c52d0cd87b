"""The functions on tables compute what the commands write into a run folder."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from curation.frames.audits import draw_audits
from curation.frames.scores import score
from curation.frames.selections import select
from curation.runs.run import open_run
from pipelines.run.config import read_config
from pipelines.selecting.select import select as select_command


def test_a_score_and_a_selection_are_those_of_the_command(selected: Path) -> None:
    run = open_run(selected)
    scores = score(run.candidates.to_arrow(), run.audits, run.taxonomy)
    assert scores.equals(run.scored.to_arrow())
    kept = select(scores, run.audits, candidates=run.candidates, taxonomy=run.taxonomy)
    assert kept.table.equals(run.selected.to_arrow())
    facts = run.stages["selected"].facts
    assert kept.threshold == facts["threshold"]
    precision = (kept.precision, kept.interval.low, kept.interval.high)
    assert precision == tuple(
        facts[name] for name in ("precision", "precision_low", "precision_high")
    )


@pytest.mark.parametrize("by", ["level", "label", "source-pattern"])
def test_groups_are_those_of_the_command(selected: Path, shop: Path, by: str) -> None:
    select_command(read_config(shop, [f"select.by={by}"]), selected)
    run = open_run(selected)
    tables = {"candidates": run.candidates, "taxonomy": run.taxonomy}
    kept = select(run.scored.to_arrow(), run.audits, by=by, **tables)
    assert kept.table.equals(run.selected.to_arrow())


def test_the_pairs_to_audit_are_those_of_the_command(selected: Path) -> None:
    run = open_run(selected)
    audits = run.audits.to_arrow()
    drawn = draw_audits(run.candidates.to_arrow(), len(audits), taxonomy=run.taxonomy)
    assert drawn.equals(pa.table({name: audits[name] for name in drawn.column_names}))
