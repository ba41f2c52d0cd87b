"""Every table of the contract asked for in every stage of a run: there, or refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from curation.runs.stage import open_stage
from labeling.errors import InputError
from labeling.schemas import CANDIDATES, SCORED, TABLES, TableSchema

HELD = {
    "signals": {
        "images",
        "signals",
        "placements",
        "pages",
        "links",
        "feedback",
        "rejects",
        "skips",
    },
    "candidates": {"candidates", "taxonomy", "phrases"},
    "audits": {"audits"},
    "scored": {"scored"},
    "selected": {"selected"},
}


@pytest.mark.parametrize("schema", TABLES, ids=lambda schema: schema.name)
@pytest.mark.parametrize("stage", HELD)
def test_a_table_is_there_or_refused(made_once: Path, stage: str, schema: TableSchema) -> None:
    opened = open_stage(made_once / "selected", stage)
    if schema.name in HELD[stage]:
        assert opened.table(schema).schema.equals(schema.arrow)
        return
    with pytest.raises(InputError, match=f"the stage {stage} holds no table {schema.name}") as got:
        opened.table(schema)
    assert set(got.value.facts["tables"].split(", ")) == HELD[stage]


def test_a_column_of_a_table_that_is_not_there_is_refused(made_once: Path) -> None:
    with pytest.raises(InputError, match="open the stage that holds it"):
        open_stage(made_once / "selected", "candidates").table(SCORED, ["image_id"])
    with pytest.raises(InputError, match="tables: scored"):
        open_stage(made_once / "selected", "scored").table(CANDIDATES, ["image_id"])
