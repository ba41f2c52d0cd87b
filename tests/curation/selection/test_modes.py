from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from curation.selection.modes import MODES, choose
from curation.selection.selection import Request, Selection, keep_rows, select_share
from labeling.errors import ConfigError
from labeling.keys.ids import digest
from labeling.schemas import SCORED
from pipelines.run.config import SelectSettings
from tests.curation.selection.requests import request_of

COLUMNS = {
    "image_id": [digest(str(i)) for i in range(40)],
    "label_id": [f"l{i % 2}" for i in range(40)],
    "p_correct": np.arange(40, dtype=np.float32) / 40,
}
SCORED_PAIRS = pa.table(COLUMNS, schema=SCORED.arrow)


def select_every_nth(request: Request, nth: int) -> Selection:
    """Keep every n-th candidate: a toy mode, all that a further mode needs beside its line."""
    selection = keep_rows(request.scored, np.arange(0, len(request.p), nth), request.excluded)
    return replace(selection, facts={"nth": nth})


def test_a_further_mode_is_a_function_and_a_line_in_the_registry(monkeypatch):
    monkeypatch.setitem(MODES, "nth", select_every_nth)
    selection = choose(request_of(SCORED_PAIRS), {"nth": 4, "by": None, "floor": None})
    assert (selection.n_kept, selection.facts) == (10, {"nth": 4})
    with pytest.raises(ConfigError, match=r"select\.floor and select\.nth cannot be combined"):
        choose(request_of(SCORED_PAIRS), {"nth": 4, "floor": 2})


def test_without_a_mode_all_have_one_threshold():
    selection = choose(request_of(SCORED_PAIRS, keep=0.3), {"by": None, "floor": None, "keep": 0.3})
    assert selection.table.equals(select_share(SCORED_PAIRS, 0.3).table)


@pytest.mark.parametrize("name", MODES)
def test_each_mode_is_asked_for_by_a_setting_of_the_configuration(name):
    assert SelectSettings.model_fields[name].default is None
