"""`kill -9` and a loss of power anywhere in `winnow label`.

Whatever the moment: the current output is whole, the old one or the new; the same command again
gives the bytes of an undisturbed run; and finished work is not done again.
"""

from __future__ import annotations

import random
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.faults import disks, jobs, kills
from tests.faults.jobs import Undisturbed

pytestmark = [
    pytest.mark.crash,
    pytest.mark.skipif(sys.platform != "linux", reason="forks, and asks /proc for names"),
]

N_POINTS = 50


@pytest.mark.parametrize("seed", range(N_POINTS))
def test_a_killed_run_resumes_to_the_same_bytes(
    undisturbed: Undisturbed, quick_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    out, notes = quick_path / "run", quick_path / "killed"
    if seed % 2:
        shutil.copytree(undisturbed.old_run, out)
    durable = {disks.state(path.stat()) for path in disks.files_of(quick_path)}
    if seed % 5:
        first = undisturbed.n_operations - 60 if seed % 5 == 1 else 0  # while it commits
        at = rng.randrange(first, undisturbed.n_operations)
        code = kills.run(undisturbed.config, out, notes, kills.Break(at))
    else:
        child = kills.start(undisturbed.config, out, notes)
        time.sleep(rng.uniform(0, undisturbed.seconds))
        kills.send(child, signal.SIGKILL)
        code = kills.finish(child)
    assert code in (-9, 0)
    if seed % 3:
        kills.lose_power(out, notes, durable, rng)
    undisturbed.check_whole(out)
    finished = kills.markers_in(out)
    again = quick_path / "again"
    assert kills.run(undisturbed.config, out, again) == 0, kills.output_of(again)
    undisturbed.check_new(out)
    assert not finished & kills.marked(again)


def test_an_interrupted_run_resumes_after_its_finished_work(
    undisturbed: Undisturbed, quick_path: Path
) -> None:
    out = quick_path / "run"
    child = kills.start(undisturbed.config, out, quick_path / "interrupted")
    kills.wait_for(child, out, ".staging/candidates-*.work/*/buckets/*")
    kills.send(child, signal.SIGINT)
    assert kills.finish(child) == 130
    assert "repeat the command" in kills.output_of(quick_path / "interrupted")
    finished = kills.markers_in(out)
    assert finished
    again = quick_path / "again"
    assert kills.run(undisturbed.config, out, again) == 0, kills.output_of(again)
    undisturbed.check_new(out)
    assert not finished & kills.marked(again)


@pytest.mark.parametrize("seed", range(3))
def test_work_of_a_killed_run_is_not_used_for_other_inputs(
    undisturbed: Undisturbed, quick_path: Path, seed: int
) -> None:
    """Nor for another configuration or other code, which change the fingerprint as inputs do."""
    at = random.Random(seed).randrange(undisturbed.n_operations // 2)
    other = jobs.write_job(quick_path / "job", n_files=4)
    out = quick_path / "run"
    assert kills.run(other, out, quick_path / "killed", kills.Break(at)) == -9
    assert kills.run(undisturbed.config, out, quick_path / "again") == 0
    undisturbed.check_new(out)
