"""Speed of the audit page in Chromium, by scripted keys: the bound that the page sets.

    python tests/benchmarks/audit_page.py RUN [--keys N]

A copy of the run is served. Milliseconds are from a key to the frame in which the next picture is
shown. Verdicts an hour are those that scripted keys reach, one by one and in grids of 4 x 4, each
confirmed as soon as all its pictures are shown, and in a stream at its quickest pace; people are
slower. Peak memory is that of the
process that serves. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright

WATCH = """
window.waits = [];
let pressed = null;
document.addEventListener("keydown", () => { pressed = performance.now(); }, true);
document.addEventListener("load", (event) => {
  if (pressed === null || !event.target.closest?.("#one figure")) return;
  const began = pressed;
  pressed = null;
  requestAnimationFrame(() => window.waits.push(performance.now() - began));
}, true);
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the audit page.")
    parser.add_argument("run", type=Path, help="run folder with candidates and images")
    parser.add_argument("--keys", type=int, default=150, help="verdicts in each mode")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        run_dir = shutil.copytree(arguments.run, Path(folder) / "run")
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        with served(run_dir, 5 * arguments.keys) as (process, address, open_s):
            page = browser.new_page(viewport={"width": 1280, "height": 850})
            page.add_init_script(WATCH)
            page.goto(address)
            page.wait_for_selector("#one figure img")
            waits, singly = one_by_one(page, arguments.keys)
            by_grid = in_grids(page, arguments.keys)
            by_stream = in_a_stream(page, arguments.keys)
            peak_mb = peak_of(process.pid)
        browser.close()
    result = {
        "median_ms": round(float(np.median(waits)), 1),
        "p95_ms": round(float(np.quantile(waits, 0.95)), 1),
        "verdicts_per_hour": {
            "one": round(singly),
            "grid": round(by_grid),
            "rapid": round(by_stream),
        },
        "open_s": round(open_s, 2),
        "peak_mb": round(peak_mb),
    }
    print(json.dumps(result))


@contextmanager
def served(run_dir: Path, n: int) -> Iterator[tuple[subprocess.Popen[str], str, float]]:
    """Serve a run with a draw of at least `n` pairs; yield process, address and seconds."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "pipelines.cli", "audit", "serve", run_dir]
    command += ["-o", f"audit.n={n}", "-o", "audit.truth="]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        address = next(filter(None, (re.search(r"open (http://\S+)", line) for line in lines)))
        yield process, address[1], time.perf_counter() - started
        process.send_signal(signal.SIGINT)
        process.communicate()


def one_by_one(page: Page, n: int) -> tuple[list[float], float]:
    """Judge pairs one by one; return the milliseconds of each, and verdicts an hour."""
    started = time.perf_counter()
    for i in range(n):
        page.keyboard.press("yn"[i % 2])
        while page.evaluate("window.waits.length") <= i:
            page.wait_for_timeout(1)
    per_hour = 3600 * n / (time.perf_counter() - started)
    waits: list[float] = page.evaluate("window.waits")
    return waits, per_hour


def confirm_grid(page: Page) -> int:
    """Confirm a grid as soon as its pictures are shown; return their number."""
    n_tiles = page.locator("#grid .tiles li").count()
    while page.inner_text("#grid .confirm .n") != str(n_tiles):
        page.wait_for_timeout(1)
    page.keyboard.press("Enter")
    return n_tiles


def in_grids(page: Page, n: int) -> float:
    """Confirm grids of 4 x 4; return verdicts an hour."""
    page.click("[data-mode=grid]")
    page.select_option("#size", "4")
    started, n_judged = time.perf_counter(), 0
    while n_judged < n:
        n_judged += confirm_grid(page)
    page.wait_for_selector('body[data-waiting="0"]')
    return 3600 * n_judged / (time.perf_counter() - started)


def in_a_stream(page: Page, n: int) -> float:
    """Confirm streams at the quickest pace; return verdicts an hour."""
    page.click("[data-mode=rapid]")
    page.locator("#pace").fill("0.35")
    started, n_judged = time.perf_counter(), 0
    while n_judged < n:
        page.keyboard.press("Enter")
        page.wait_for_selector("#grid .tiles li", timeout=60_000)
        n_judged += confirm_grid(page)
    page.wait_for_selector('body[data-waiting="0"]')
    return 3600 * n_judged / (time.perf_counter() - started)


def peak_of(pid: int) -> float:
    """Return the largest memory that a process has held, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


if __name__ == "__main__":
    main()
