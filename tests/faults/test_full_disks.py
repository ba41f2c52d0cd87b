"""A disk that is full at any write, sync or rename."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from labeling.errors import InputError
from labeling.keys import ids
from pipelines.shuffle.engine import Shuffle, Split, Tables, run
from tests.faults import disks, kills
from tests.faults.jobs import Undisturbed

ONE = ("--direct_num_workers=1",)
SPLITS = [Split(f"{n:03d}", "any", ()) for n in range(2)]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="forks, and asks /proc for names")


def read(split: Split) -> Iterator[tuple[str, pa.Table]]:
    keys = [ids.digest(f"{split.split_id} {n}") for n in range(8)]
    yield "texts", pa.table({"key": keys, "text": keys})


def reduce(tables: Tables) -> Tables:
    return {"texts": tables["texts"].sort_by("key")}


def shuffle_in(folder: Path) -> Shuffle:
    return Shuffle(read, {"texts": "key"}, reduce, 2, str(folder / "work"), str(folder / "out"))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "out").iterdir()}


def fill_up(folder: Path, at: int, lasting: bool, expected: dict[str, bytes]) -> bool:
    """Run on a disk that is full from operation `at` on, then on one with room."""
    with pytest.MonkeyPatch.context() as patch:
        disk = disks.Disk(patch, folder, at, disks.full, lasting)
        try:
            run(shuffle_in(folder), SPLITS, ONE)
        except (InputError, OSError) as error:
            assert "No space left on device" in str(error)
            assert not isinstance(error, InputError) or "make room" in error.help
    run(shuffle_in(folder), SPLITS, ONE)
    assert contents(folder) == expected
    assert not list((folder / "work" / "segments").glob("*"))
    return disk.n_broken > 0


def all_points(folder: Path, step: int, lasting: bool) -> int:
    run(shuffle_in(folder / "undisturbed"), SPLITS, ONE)
    expected = contents(folder / "undisturbed")
    at = 0
    while fill_up(folder / str(at), at, lasting, expected):
        at += step
    return at


@LINUX
def test_a_shuffle_resumes_after_its_disk_was_full(quick_path: Path) -> None:
    assert all_points(quick_path, 17, lasting=True) > 34


@LINUX
@pytest.mark.crash
def test_a_shuffle_resumes_from_any_write_that_found_no_room(quick_path: Path) -> None:
    assert all_points(quick_path / "once", 3, lasting=False) > 40
    assert all_points(quick_path / "lasting", 2, lasting=True) > 40


@LINUX
@pytest.mark.crash
@pytest.mark.parametrize("quarter", range(4))
@pytest.mark.parametrize("lasting", [False, True])
def test_a_full_disk_leaves_earlier_outputs_and_a_rerun_resumes(
    undisturbed: Undisturbed, quick_path: Path, quarter: int, lasting: bool
) -> None:
    out = quick_path / "run"
    shutil.copytree(undisturbed.old_run, out)
    at = 3 + (quarter * 2 + lasting) * undisturbed.n_operations // 8
    broken = kills.Break(at, disks.full, lasting)
    code = kills.run(undisturbed.config, out, quick_path / "full", broken)
    output = kills.output_of(quick_path / "full")
    undisturbed.check_whole(out)
    if code == 0 and not lasting:  # what failed was not needed, or went well in the second attempt
        undisturbed.check_new(out)
        return
    assert code == 3, output
    assert "No space left on device" in output
    assert "make room" in output
    assert lasting or "Traceback" not in output  # Beam prints what a worker cannot write down
    finished = kills.markers_in(out)
    again = quick_path / "again"
    assert kills.run(undisturbed.config, out, again) == 0, kills.output_of(again)
    undisturbed.check_new(out)
    assert not finished & kills.marked(again)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with disks.mounted(tmp_path / "disk", "64k") as folder:
        yield folder


@LINUX
@pytest.mark.crash
def test_a_disk_that_is_really_full(
    undisturbed: Undisturbed, tmp_path: Path, small_disk: Path
) -> None:
    out = small_disk / "run"
    assert kills.run(undisturbed.config, out, tmp_path / "full") == 3
    output = kills.output_of(tmp_path / "full")
    assert "No space left on device" in output
    assert "free bytes" in output
    subprocess.run(["mount", "-o", "remount,size=50m", str(small_disk)], check=True)
    finished = kills.markers_in(out)
    assert kills.run(undisturbed.config, out, tmp_path / "again") == 0
    undisturbed.check_new(out)
    assert not finished & kills.marked(tmp_path / "again")
