from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest
from rich.console import Console

from pipelines.run import progress
from pipelines.shuffle import monitor
from pipelines.shuffle.markers import (
    File,
    Marker,
    begin_job,
    bucket_marker,
    split_marker,
    write_marker,
)


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    to = io.StringIO()
    monkeypatch.setattr(progress, "console", Console(file=to, soft_wrap=True))
    for module in (progress, monitor):
        monkeypatch.setattr(module, "EVERY_SECONDS", 0.01)
    return to


def finish(path: str, n_rows: int) -> None:
    partial = str(Path(path).parent / "partial")
    write_marker(path, Marker((File("x", 1, ""),), {"rows": n_rows}, {}), partial)


def wait_for(printed: io.StringIO, text: str) -> None:
    stop = threading.Event()
    for _ in range(500):
        if text in printed.getvalue():
            return
        stop.wait(0.01)
    raise AssertionError(f"{text!r} is not in {printed.getvalue()!r}")


def test_earlier_work_is_reported_and_then_progress(tmp_path: Path, printed: io.StringIO) -> None:
    work = str(tmp_path)
    begin_job(work, {"n_splits": 3, "n_buckets": 2})
    finish(split_marker(work, "a"), 1000)
    with monitor.monitored({"pages": work}):
        assert "pages: 1 of 3 splits were there already" in printed.getvalue()
        finish(split_marker(work, "b"), 2000)
        wait_for(printed, "pages: 2 of 3 splits")
        finish(split_marker(work, "c"), 4000)
        finish(bucket_marker(work, 0), 50)
        wait_for(printed, "pages: 1 of 2 buckets")
    text = printed.getvalue()
    assert "3,000 rows" in text
    assert "50 rows" in text
    assert " s left" in text
