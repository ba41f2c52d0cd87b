from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.jobs.label import label
from pipelines.run.config import read_config
from pipelines.selecting.select import select
from tests.conftest import fit_few
from tests.pipelines.shops import write_shop


@pytest.fixture(scope="package", autouse=True)
def _few_fits() -> Iterator[None]:
    """Learn in a quarter of the time: how well is a question of ``tests/curation``.

    For the whole package: runs that fixtures of a module make are compared with those of tests.
    """
    with pytest.MonkeyPatch.context() as monkeypatch:
        fit_few(monkeypatch)
        yield


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the shop and label and select it, for all tests that copy it; return its folder."""
    folder = tmp_path_factory.mktemp("made-once")
    write_shop(folder / "shop")
    config = read_config(folder / "shop" / "run.toml")
    label(config, folder / "labelled")
    shutil.copytree(folder / "labelled", folder / "selected")
    with pytest.MonkeyPatch.context() as monkeypatch:  # fixtures of the session come first
        fit_few(monkeypatch)
        select(config, folder / "selected")
    return folder


@pytest.fixture
def shop(made_once: Path, tmp_path: Path) -> Path:
    """Return the path of the configuration of a shop of the test's own."""
    return Path(shutil.copytree(made_once / "shop", tmp_path / "shop")) / "run.toml"


@pytest.fixture
def labelled(made_once: Path, tmp_path: Path) -> Path:
    """Return a run folder of the test's own, with the candidates of the shop."""
    return Path(shutil.copytree(made_once / "labelled", tmp_path / "run"))


@pytest.fixture
def selected(made_once: Path, tmp_path: Path) -> Path:
    """Return a run folder of the test's own, with candidates, scores, audits and a selection."""
    return Path(shutil.copytree(made_once / "selected", tmp_path / "run"))
