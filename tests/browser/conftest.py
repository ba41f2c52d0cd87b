"""A Chromium of the system, and an audit page that it may open."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from pipelines.jobs.label import label
from pipelines.run.config import read_config
from pipelines.run.saved_config import save_config
from tests.pipelines.shops import write_shop

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium: install the package chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Return a window of a browser of its own; a script that fails is a failure of the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 850})
    opened, problems = context.new_page(), []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    yield opened
    context.close()
    assert problems == []


@pytest.fixture(scope="session")
def labelled_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return label_shop(tmp_path_factory.mktemp("browser"), ["audit.truth=", "audit.n=220"])


def label_shop(folder: Path, settings: Sequence[str] = ()) -> Path:
    """Write the shop, label it and return the run folder."""
    write_shop(folder / "shop")
    config = read_config(folder / "shop" / "run.toml", settings)
    label(config, folder / "run")
    save_config(config, folder / "run")
    return folder / "run"


@pytest.fixture
def run_dir(labelled_shop: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(labelled_shop, tmp_path / "run"))


@dataclass
class Served:
    """A page that is served, and the process that serves it."""

    process: subprocess.Popen[str]
    address: str

    @property
    def origin(self) -> str:
        return "/".join(self.address.split("/")[:3])

    def end(self) -> str:
        """End the page as Ctrl-C does; return what it printed meanwhile."""
        self.process.send_signal(signal.SIGINT)
        return self.process.communicate(timeout=60)[1]


@contextmanager
def serving(run_dir: Path, *options: str) -> Iterator[Served]:
    """Serve the page of a run, until the block ends."""
    command = [sys.executable, "-m", "pipelines.cli", "audit", "serve", run_dir, "--auditor", "ada"]
    with subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        address = next(filter(None, (re.search(r"open (http://\S+)", line) for line in lines)))[1]
        yield Served(process, address)
        process.kill()


@pytest.fixture
def served(run_dir: Path) -> Iterator[Served]:
    with serving(run_dir) as page:
        yield page
