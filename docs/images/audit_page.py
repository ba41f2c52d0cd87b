"""Draw the pictures of the audit page of the docs, with the demo's run in Chromium.

python docs/images/audit_page.py winnow-demo
"""

from __future__ import annotations

import argparse
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).parent


def main() -> None:
    """Serve a copy of the run, open its page, and save what is shown."""
    parser = argparse.ArgumentParser(description="Draw the pictures of the audit page.")
    parser.add_argument("run", type=Path, help="run folder of `winnow demo`")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(parser.parse_args().run, Path(folder) / "winnow-demo")
        command = [sys.executable, "-m", "pipelines.cli", "audit", "serve", "winnow-demo"]
        with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as served:
            assert served.stderr is not None
            lines = iter(served.stderr.readline, "")
            address = next(filter(None, (re.search(r"open (http://\S+)", line) for line in lines)))
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=shutil.which("chromium"), args=["--no-sandbox"]
                )
                draw(browser.new_page(viewport={"width": 960, "height": 680}), address[1])
                browser.close()
            served.send_signal(signal.SIGINT)
            served.communicate()


def draw(page: Page, address: str) -> None:
    """Judge some pairs and open the slider; save a picture of each."""
    page.goto(address)
    for key in "yyn":
        page.wait_for_timeout(400)
        page.keyboard.press(key)
    page.wait_for_timeout(1000)
    page.screenshot(path=HERE / "audit-page-one.png")
    page.click("[data-mode=grid]")
    page.wait_for_timeout(1500)
    for key in "68":
        page.keyboard.press(key)
    page.wait_for_timeout(300)
    page.screenshot(path=HERE / "audit-page-grid.png")
    origin = "/".join(address.split("/")[:3])
    page.goto(f"{origin}/tune")
    page.wait_for_selector('[data-side="below"] img', timeout=60_000)
    page.wait_for_timeout(500)
    page.screenshot(path=HERE / "audit-page-tune.png")


if __name__ == "__main__":
    main()
