"""The lock of a run folder, and folders of other files."""

from __future__ import annotations

from pathlib import Path

import pytest

from curation.runs.lock import locked
from labeling.errors import InputError


@pytest.mark.parametrize("name", ["images.csv", "pages/"])
def test_a_folder_of_other_files_does_not_become_a_run(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir() if name.endswith("/") else (tmp_path / name).touch()
    with pytest.raises(InputError, match="holds other files and no run") as error, locked(tmp_path):
        pass
    assert error.value.facts["files"] == name.rstrip("/")
    assert [path.name for path in tmp_path.iterdir()] == [name.rstrip("/")]


@pytest.mark.parametrize("name", ["winnow.toml", ".DS_Store", "candidates/CURRENT"])
def test_a_configuration_or_a_stage_may_lie_in_a_run_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    with locked(tmp_path):
        (tmp_path / "beside.csv").touch()
    with locked(tmp_path):
        pass
