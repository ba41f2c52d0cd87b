"""An interrupted shuffle resumes: finished work is not done again, bytes are equal."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from labeling.errors import InputError
from labeling.keys import ids
from pipelines.shuffle import failures, markers, storage
from pipelines.shuffle.engine import Carrier, Shuffle, Split, Tables, run

N_SPLITS, N_BUCKETS = 3, 4

CALLS: Counter[str] = Counter()

FAULTS: list[OSError] = []


class Killed(Exception):
    """The process is no more."""


def read(split: Split) -> Iterator[tuple[str, pa.Table]]:
    CALLS[f"read {split.split_id}"] += 1
    if FAULTS:
        raise FAULTS.pop()
    keys = [ids.digest(f"{split.split_id} {n}") for n in range(100)]
    yield "texts", pa.table({"key": keys, "text": [f"text of {key}" for key in keys]})
    yield "numbers", pa.table({"key": ids.to_binary(pa.array(keys)), "number": range(100)})


def reduce(tables: Tables) -> Tables:
    CALLS["reduce"] += 1
    assert len(tables["texts"]) == len(tables["numbers"])
    return {"texts": tables["texts"].sort_by("key"), "numbers": tables["numbers"].sort_by("key")}


SPLITS = [Split(f"{n:03d}", "any", ()) for n in range(N_SPLITS)]


def shuffle_in(folder: Path, carrier: Carrier = "files", name: str = "test") -> Shuffle:
    keys = {"texts": "key", "numbers": "key"}
    work, out = str(folder / "work"), str(folder / "out")
    return Shuffle(read, keys, reduce, N_BUCKETS, work, out, carrier=carrier, name=name)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "out").iterdir()}


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    CALLS.clear()
    FAULTS.clear()
    monkeypatch.setattr(failures, "PAUSE", 0.0)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("undisturbed")
    run(shuffle_in(folder), SPLITS, ONE)
    return contents(folder)


ONE = ("--direct_num_workers=1",)


def interrupt(
    folder: Path, k: int, monkeypatch: pytest.MonkeyPatch, carrier: Carrier = "files"
) -> bool:
    """Run until the k-th file is about to be put in its place; return whether it came."""
    n_left = [k]
    replace = os.replace

    def counted(*paths: str) -> None:
        n_left[0] -= 1
        if n_left[0] < 0:
            raise Killed
        replace(*paths)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", counted)
        try:
            run(shuffle_in(folder, carrier), SPLITS, ONE)
        except Exception as error:
            assert "Killed" in repr(error)
            return True
    return False


@pytest.mark.parametrize("carrier", ["files", "engine"])
def test_finished_splits_and_buckets_are_not_done_again(
    tmp_path: Path,
    carrier: Carrier,
    undisturbed: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken_at = 0
    for k in range(2, 100, 5):
        folder = tmp_path / str(k)
        CALLS.clear()
        if not interrupt(folder, k, monkeypatch, carrier):
            assert contents(folder) == undisturbed
            break
        broken_at += 1
        n_splits, n_buckets = n_finished(folder)
        CALLS.clear()
        run(shuffle_in(folder, carrier), SPLITS, ONE)
        assert contents(folder) == undisturbed
        n_read = sum(n for call, n in CALLS.items() if call.startswith("read"))
        assert n_read == N_SPLITS - n_splits
        assert CALLS["reduce"] == N_BUCKETS - n_buckets
    assert broken_at >= 3


def n_finished(folder: Path) -> list[int]:
    return [len(markers.finished(str(folder / "work"), kind)) for kind in ("splits", "buckets")]


def test_a_finished_shuffle_is_not_run_again(tmp_path: Path) -> None:
    run(shuffle_in(tmp_path), SPLITS, ONE)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").iterdir()}
    CALLS.clear()
    run(shuffle_in(tmp_path), SPLITS, ONE)
    assert not CALLS
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "out").iterdir()}
    assert n_finished(tmp_path) == [N_SPLITS, N_BUCKETS]
    for kind in ("splits", "buckets"):
        assert sum(markers.count_rows(str(tmp_path / "work"), kind).values()) == 600
    assert (tmp_path / "work" / "done.json").exists()
    assert storage.list_names(str(tmp_path / "work" / "segments")) == []


def test_another_job_in_the_same_folder_starts_from_scratch(tmp_path: Path) -> None:
    run(shuffle_in(tmp_path), SPLITS, ONE)
    CALLS.clear()
    run(shuffle_in(tmp_path), SPLITS[:2], ONE)
    assert CALLS["reduce"] == N_BUCKETS
    assert sum(CALLS.values()) == N_BUCKETS + 2


def damage(path: Path, how: str) -> None:
    content = path.read_bytes()
    if how == "missing":
        path.unlink()
    elif how == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    else:
        path.write_bytes(bytes([content[0] ^ 1]) + content[1:])


@pytest.mark.parametrize("how", ["missing", "cut", "empty", "flipped"])
def test_damaged_work_is_done_again(
    tmp_path: Path, how: str, undisturbed: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(markers, "finish_job", lambda work_dir: None)
        run(shuffle_in(tmp_path), SPLITS, ONE)
    work = tmp_path / "work"
    damage(work / "segments" / "001", how)
    damage(work / "splits" / "002.json", how)
    damage(tmp_path / "out" / "texts-00002-of-00004.parquet", how)
    damage(work / "buckets" / "00003.json", how)
    CALLS.clear()
    run(shuffle_in(tmp_path), SPLITS, ONE)
    assert contents(tmp_path) == undisturbed
    assert CALLS == {"read 001": 1, "read 002": 1, "reduce": 2}


@pytest.mark.parametrize("carrier", ["files", "engine"])
def test_a_failed_split_keeps_buckets_from_being_finished(
    tmp_path: Path, carrier: Carrier, undisturbed: dict[str, bytes]
) -> None:
    FAULTS.append(OSError(errno.ENOSPC, "No space left on device", "segment"))
    with pytest.raises(InputError, match="No space left") as caught:
        run(shuffle_in(tmp_path, carrier), SPLITS, ONE)
    assert "free bytes" in caught.value.facts
    assert "again" in caught.value.help
    assert n_finished(tmp_path)[1] == 0
    run(shuffle_in(tmp_path, carrier), SPLITS, ONE)
    assert contents(tmp_path) == undisturbed


def test_a_fault_that_passes_is_tried_again(tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    FAULTS.extend(OSError(errno.EIO, "Input/output error") for _ in range(2))
    run(shuffle_in(tmp_path), SPLITS, ONE)
    assert contents(tmp_path) == undisturbed
    assert sum(n for call, n in CALLS.items() if call.startswith("read")) == N_SPLITS + 2


def test_a_fault_that_persists_is_raised(tmp_path: Path) -> None:
    FAULTS.extend(OSError(errno.EIO, "Input/output error", "disk") for _ in range(3))
    with pytest.raises(InputError, match="Input/output error") as caught:
        run(shuffle_in(tmp_path), SPLITS, ONE)
    assert caught.value.facts == {"file": "disk"}


def test_the_error_of_a_full_disk_states_the_room_needed(tmp_path: Path) -> None:
    work = str(tmp_path)
    markers.begin_job(work, {"n_splits": 4, "n_buckets": 8})
    assert markers.bytes_needed(work) == 0

    def mark(path: str, n_bytes: int) -> None:
        done = markers.Marker((markers.File("file", n_bytes, ""),), {}, {})
        markers.write_marker(path, done, f"{work}/partial")

    (tmp_path / "segments").mkdir()
    for name in ("a", "b"):
        (tmp_path / "segments" / name).write_bytes(bytes(1000))
        mark(markers.split_marker(work, name), 1000)
    assert markers.bytes_needed(work) == 2000 + 4000
    mark(markers.bucket_marker(work, 3), 300)
    assert markers.bytes_needed(work) == 2000 + 7 * 300
