"""Two runs into one folder, and what a dead one leaves."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
from pathlib import Path

import pytest

from tests.faults import kills
from tests.faults.jobs import Undisturbed

pytestmark = [
    pytest.mark.crash,
    pytest.mark.skipif(sys.platform != "linux", reason="forks, and asks /proc for names"),
]


def test_a_second_run_is_refused_and_the_first_continues(
    undisturbed: Undisturbed, quick_path: Path
) -> None:
    out = quick_path / "run"
    first = kills.start(undisturbed.config, out, quick_path / "first")
    kills.wait_for(first, out, ".staging/*/*")
    kills.send(first, signal.SIGSTOP)
    assert kills.run(undisturbed.config, out, quick_path / "second") == 3
    output = kills.output_of(quick_path / "second")
    holder = rf"process {first.pid} on {re.escape(socket.gethostname())} since 20\d\d-"
    assert re.search(holder, output), output
    assert "help: wait for it" in output
    kills.send(first, signal.SIGCONT)
    assert kills.finish(first) == 0
    undisturbed.check_new(out)
    assert not kills.marked(quick_path / "second")


def test_a_run_that_died_is_named_once_and_does_not_block_the_next(
    undisturbed: Undisturbed, quick_path: Path
) -> None:
    out = quick_path / "run"
    first = kills.start(undisturbed.config, out, quick_path / "first")
    kills.wait_for(first, out, ".staging/*/*")
    kills.send(first, signal.SIGKILL)
    assert kills.finish(first) == -9
    assert kills.run(undisturbed.config, out, quick_path / "second") == 0
    assert f"process {first.pid} on {socket.gethostname()}" in kills.output_of(
        quick_path / "second"
    )
    undisturbed.check_new(out)
    assert kills.run(undisturbed.config, out, quick_path / "third") == 0
    assert "process" not in kills.output_of(quick_path / "third")


@pytest.mark.parametrize("holder", ["process {pid} on here", "process 1 on elsewhere", "\0\xff"])
def test_the_content_of_a_lock_file_does_not_block_a_run(
    undisturbed: Undisturbed, quick_path: Path, holder: str
) -> None:
    """A number that another process has by now, another machine's, or nonsense."""
    out = quick_path / "run"
    out.mkdir()
    (out / ".lock").write_text(holder.format(pid=os.getpid()), encoding="latin-1")
    assert kills.run(undisturbed.config, out, quick_path / "notes") == 0
    undisturbed.check_new(out)
