"""The index is built by a process of its own, and what goes wrong is reported."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from curation.runs.stage import open_stage
from pipelines.browsing.build import FOLDER
from pipelines.browsing.opening import Opening
from pipelines.run.config import read_config


def wait_for(opening: Opening) -> dict[str, Any]:
    while (state := opening.state())["state"] == "building":
        time.sleep(0.05)
    return state


def test_an_index_is_built_where_it_is_missing_and_found_again(shop: Path, selected: Path) -> None:
    opening = Opening(read_config(shop), selected)
    assert opening.state() == {"state": "building", "seconds": 0}
    state = wait_for(opening)
    assert state["state"] == "ready"
    assert opening.index(state["version"]).version == state["version"]
    assert Opening(read_config(shop), selected).state() == state


def test_a_damaged_run_is_reported_until_it_is_selected_again(shop: Path, selected: Path) -> None:
    path = open_stage(selected, "scored").paths(".parquet")[0]
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    opening = Opening(read_config(shop), selected)
    state = wait_for(opening)
    assert state["state"] == "failed" and path.name in state["error"]
    assert opening.state() == state
    assert not any(path.is_dir() for path in (selected / FOLDER).glob("*"))


def test_a_folder_that_cannot_be_written_to_is_reported(shop: Path, selected: Path) -> None:
    (selected / FOLDER).write_text("not a folder")
    state = wait_for(Opening(read_config(shop), selected))
    assert state["state"] == "failed" and FOLDER in state["error"]
