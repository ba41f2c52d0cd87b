from __future__ import annotations

import errno
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from curation.runs.code import fingerprint
from curation.runs.durable import file_digest, write_text
from curation.runs.lock import locked
from curation.runs.sealed import unseal
from curation.runs.stage import MADE_BY, Stage, current, open_stage, verify
from curation.runs.staging import reuse, write_stage
from curation.runs.table_files import write_parquet
from labeling.errors import BusyError, InputError, IntegrityError
from labeling.schemas import TRUTH


def truth(label: str) -> pa.Table:
    ids = [f"{i:032x}" for i in range(50)]
    return pa.table({"image_id": ids, "label_id": [label] * 50}, schema=TRUTH.arrow)


def make(run_dir: Path, label: str, *, stage: str = "scored", seed: int = 0, **inputs: str) -> None:
    """Commit a small output: two tables, and a text in a folder of its own."""
    config = {"label": label} | ({"seed": seed} if seed else {})
    with write_stage(run_dir, stage, inputs=inputs, config=config, seed=seed) as work:
        write_parquet(truth(label).slice(0, 20), work.dir / "truth-00000-of-00002.parquet")
        write_parquet(truth(label).slice(20), work.dir / "truth-00001-of-00002.parquet")
        (work.dir / "notes").mkdir()
        write_text(work.dir / "notes" / "note.txt", label)
        work.counts |= {"in": 60, "out": 50, "dropped": {"bad": 7, "worse": 3}}


def label_of(stage: Stage) -> str:
    """Return the label of an output, after checking that it is whole."""
    verify(stage)
    (label,) = set(stage.table(TRUTH)["label_id"].to_pylist())
    assert stage.table(TRUTH).equals(truth(label))
    assert (stage.dir / "notes" / "note.txt").read_text() == label
    return str(label)


def files_of(stage: Stage) -> dict[str, str]:
    return {f["name"]: f["sha256"] for f in stage.manifest["files"]}


def test_an_output_is_opened_through_its_manifest(tmp_path: Path) -> None:
    make(tmp_path, "cat")
    stage = open_stage(tmp_path, "scored")
    assert label_of(stage) == "cat"
    assert stage.fingerprint == fingerprint("scored", {}, {"label": "cat"}) == stage.dir.name
    assert stage.counts == {"in": 60, "out": 50, "dropped": {"bad": 7, "worse": 3}}
    names = ["notes/note.txt", "truth-00000-of-00002.parquet", "truth-00001-of-00002.parquet"]
    assert list(files_of(stage)) == names
    assert [f.get("n_rows") for f in stage.manifest["files"]] == [None, 20, 30]
    assert stage.paths(".parquet", "truth-") == [stage.dir / name for name in names[1:]]


def test_a_file_that_the_manifest_does_not_list_is_not_read(tmp_path: Path) -> None:
    make(tmp_path, "cat")
    write_parquet(truth("dog"), open_stage(tmp_path, "scored").dir / "truth-00002-of-00003.parquet")
    assert label_of(open_stage(tmp_path, "scored")) == "cat"


def test_outputs_of_other_settings_are_kept_side_by_side(tmp_path: Path) -> None:
    make(tmp_path, "cat")
    first = open_stage(tmp_path, "scored")
    make(tmp_path, "dog")
    assert label_of(open_stage(tmp_path, "scored")) == "dog"
    assert label_of(first) == "cat"


def test_the_error_of_an_absent_output_names_its_command(tmp_path: Path) -> None:
    assert current(tmp_path, "shards-all") is None
    with pytest.raises(InputError, match="winnow export"):
        open_stage(tmp_path, "shards-all")


@pytest.mark.parametrize("out", [49, 51])
def test_counts_that_do_not_add_up_are_not_committed(tmp_path: Path, out: int) -> None:
    counts = {"in": 60, "out": out, "dropped": {"bad": 7, "worse": 3}}
    with (
        pytest.raises(AssertionError, match="do not add up"),
        write_stage(tmp_path, "scored", inputs={}, config={}) as work,
    ):
        work.counts |= counts
    assert current(tmp_path, "scored") is None


@pytest.mark.parametrize("stage", MADE_BY)
def test_nothing_made_of_something_is_refused(tmp_path: Path, stage: str) -> None:
    make(tmp_path, "cat", stage=stage)
    counts = {"in": 3053, "out": 0, "dropped": {"image_missing": 3053}}
    with (
        pytest.raises(InputError, match="although 3,053 rows went in") as caught,
        write_stage(tmp_path, stage, inputs={}, config={}) as work,
    ):
        work.counts |= counts
    assert caught.value.facts == {"image_missing": "3,053"}
    assert label_of(open_stage(tmp_path, stage)) == "cat"


def test_nothing_made_of_nothing_is_an_empty_output(tmp_path: Path) -> None:
    with write_stage(tmp_path, "scored", inputs={}, config={}) as work:
        work.counts |= {"in": 0, "out": 0}
        write_parquet(TRUTH.empty(), work.dir / "truth-00000-of-00001.parquet")
    assert open_stage(tmp_path, "scored").table(TRUTH).equals(TRUTH.empty())


def test_an_error_in_the_block_commits_nothing(tmp_path: Path) -> None:
    make(tmp_path, "cat")
    with (
        pytest.raises(ZeroDivisionError),
        write_stage(tmp_path, "scored", inputs={}, config={}) as work,
    ):
        write_parquet(truth("dog"), work.dir / "truth-00000-of-00002.parquet")
        raise ZeroDivisionError
    assert label_of(open_stage(tmp_path, "scored")) == "cat"
    assert list((tmp_path / ".staging").iterdir()) == []


# Faults of the disk


OPEN = io.open


class PowerCut(BaseException):
    """The machine went off: nothing after it runs, not even what cleans up."""


class FaultyDisk:
    """Counts the changes that a run makes to the disk, and fails the k-th.

    With `full`, the change raises "no space left" and the next ones work. Without it, the power
    is cut: this change and all later ones raise, and files that were not synced are emptied.
    """

    def __init__(self, root: Path, k: int, *, full: bool) -> None:
        self.root, self.k, self.full = root, k, full
        self.n_changes = 0
        self.synced: set[int] = set()

    @property
    def failed(self) -> bool:
        return self.n_changes >= self.k

    def change(self) -> None:
        self.n_changes += 1
        if self.full and self.n_changes == self.k:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "some file")
        if not self.full and self.failed:
            raise PowerCut

    def before(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def changed(*args: Any, **kwargs: Any) -> Any:
            self.change()
            return call(*args, **kwargs)

        return changed

    def fsync(self, handle: int) -> None:
        self.change()
        self.synced.add(os.fstat(handle).st_ino)

    def open(self, path: Path, mode: str = "r", *options: Any) -> Any:
        file = OPEN(path, mode, *options)
        if "r" not in mode:
            file.write = self.writes(file.write)
        return file

    def writes(self, write: Callable[[Any], int]) -> Callable[[Any], int]:
        def half_then_all(data: Any) -> int:
            half = len(data) // 2
            written = write(data[:half])
            self.change()
            return written + write(data[half:])

        return half_then_all

    def lose_what_was_not_synced(self) -> None:
        for path in self.root.rglob("*"):
            if path.is_file() and path.stat().st_ino not in self.synced:
                os.truncate(path, 0)


@contextmanager
def faulty(root: Path, k: int, *, full: bool) -> Iterator[FaultyDisk]:
    disk = FaultyDisk(root, k, full=full)
    disk.synced = {path.stat().st_ino for path in root.rglob("*")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", disk.fsync)
        for module, name in ((os, "replace"), (os, "rename"), (os, "mkdir"), (shutil, "rmtree")):
            if not (full and name == "rmtree"):
                patch.setattr(module, name, disk.before(getattr(module, name)))
        patch.setattr(io, "open", disk.open)
        yield disk
    if not full and disk.failed:
        disk.lose_what_was_not_synced()


@pytest.mark.parametrize("full", [True, False], ids=["disk full", "power cut"])
@pytest.mark.parametrize("earlier", ["cat", None], ids=["with earlier output", "first output"])
def test_a_commit_is_all_or_nothing(tmp_path: Path, full: bool, earlier: str | None) -> None:
    undisturbed = tmp_path / "undisturbed"
    make(undisturbed, "dog")
    seen = set()
    for k in range(1, 1000):
        run_dir = tmp_path / f"run-{k}"
        run_dir.mkdir()
        if earlier:
            make(run_dir, earlier)
        with faulty(run_dir, k, full=full) as disk:
            if not _make_or_fail(run_dir, "dog"):
                assert disk.failed
        stage = current(run_dir, "scored")
        current_label = label_of(stage) if stage else None
        assert current_label in (earlier, "dog")
        seen.add(current_label)
        if not disk.failed:
            break
        make(run_dir, "dog")
        again = open_stage(run_dir, "scored")
        assert label_of(again) == "dog"
        assert files_of(again) == files_of(open_stage(undisturbed, "scored"))
        assert list((run_dir / ".staging").iterdir()) == []
    assert current_label == "dog"
    assert k > 15
    assert seen == {earlier, "dog"}


def _make_or_fail(run_dir: Path, label: str) -> bool:
    try:
        make(run_dir, label)
    except PowerCut:
        return False
    except InputError as error:
        assert "some file" in str(error)
        assert "No space left" in str(error)
        assert error.help
        return False
    return True


def test_a_full_disk_leaves_no_staged_files(tmp_path: Path) -> None:
    with faulty(tmp_path, 12, full=True), pytest.raises(InputError):
        make(tmp_path, "cat")
    assert list((tmp_path / ".staging").iterdir()) == []


def test_replacing_a_text_is_all_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "text"
    write_text(path, "old")
    for k in range(1, 100):
        with faulty(tmp_path, k, full=False) as disk:
            try:
                write_text(path, "new and longer")
            except PowerCut:
                assert disk.failed
        assert path.read_text() in ("old", "new and longer")
        if not disk.failed:
            break
        write_text(path, "old")
    assert path.read_text() == "new and longer"


# What must be refused


def test_one_flipped_bit_is_refused(tmp_path: Path) -> None:
    make(tmp_path, "cat")
    for path in open_stage(tmp_path, "scored").paths():
        whole = path.read_bytes()
        for at in range(0, len(whole), max(1, len(whole) // 40)):
            damaged = bytearray(whole)
            damaged[at] ^= 1 << at % 8
            path.write_bytes(damaged)
            with pytest.raises(IntegrityError, match=path.name):
                open_stage(tmp_path, "scored")
        path.write_bytes(whole)
    assert label_of(open_stage(tmp_path, "scored")) == "cat"


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    make(tmp_path, "cat")
    open_stage(tmp_path, "scored").paths()[1].unlink()
    with pytest.raises(IntegrityError, match="nothing"):
        open_stage(tmp_path, "scored")


@pytest.mark.parametrize("text", ["", "{", None], ids=["empty", "cut", "missing"])
def test_a_manifest_that_cannot_be_read_is_refused(tmp_path: Path, text: str | None) -> None:
    make(tmp_path, "cat")
    path = open_stage(tmp_path, "scored").dir / "manifest.json"
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(IntegrityError, match=r"manifest\.json"):
        open_stage(tmp_path, "scored")


def test_every_flipped_bit_of_a_pointer_is_refused_or_changes_nothing(tmp_path: Path) -> None:
    make(tmp_path, "cat")
    make(tmp_path, "dog")
    pointer = tmp_path / "scored" / "CURRENT"
    whole = pointer.read_bytes()
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        pointer.write_bytes(damaged)
        try:
            assert label_of(open_stage(tmp_path, "scored")) == "dog"
        except IntegrityError:
            continue
        assert damaged.split() == whole.split()


def test_an_earlier_output_with_a_damaged_manifest_is_not_used_again(tmp_path: Path) -> None:
    make(tmp_path, "cat")
    manifest = open_stage(tmp_path, "scored").dir / "manifest.json"
    make(tmp_path, "dog")
    manifest.write_text(manifest.read_text().replace('"out": 50', '"out": 51'))
    assert reuse(tmp_path, "scored", inputs={}, config={"label": "cat"}) is None
    make(tmp_path, "cat")
    assert open_stage(tmp_path, "scored").counts["out"] == 50


def test_a_manifest_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    make(tmp_path, "cat")
    manifest = open_stage(tmp_path, "scored").dir / "manifest.json"
    manifest.write_text(json.dumps(unseal(manifest.read_text())))
    pointer = f"{manifest.parent.name} {file_digest(manifest)}\n"
    (tmp_path / "scored" / "CURRENT").write_text(pointer)
    assert label_of(open_stage(tmp_path, "scored")) == "cat"


def test_an_output_of_other_inputs_is_refused(tmp_path: Path) -> None:
    make(tmp_path, "cat", stage="scored")
    made_from = open_stage(tmp_path, "scored").content
    make(tmp_path, "cat", stage="selected", scored=made_from)
    assert label_of(open_stage(tmp_path, "selected")) == "cat"
    make(tmp_path, "dog", stage="scored")
    with pytest.raises(InputError, match=made_from) as caught:
        open_stage(tmp_path, "selected")
    assert "winnow select" in caught.value.help
    make(tmp_path, "cat", stage="scored", seed=1)
    assert label_of(open_stage(tmp_path, "selected")) == "cat"


# Doing it again


def test_an_earlier_output_of_the_same_inputs_becomes_current_again(tmp_path: Path) -> None:
    assert reuse(tmp_path, "scored", inputs={}, config={"label": "cat"}) is None
    make(tmp_path, "cat")
    make(tmp_path, "dog")
    assert reuse(tmp_path, "scored", inputs={}, config={"label": "eel"}) is None
    assert reuse(tmp_path, "scored", inputs={"signals": "1"}, config={"label": "cat"}) is None
    assert label_of(open_stage(tmp_path, "scored")) == "dog"
    reused = reuse(tmp_path, "scored", inputs={}, config={"label": "cat"})
    assert reused is not None
    assert label_of(reused) == label_of(open_stage(tmp_path, "scored")) == "cat"


def test_reusing_the_current_output_writes_nothing(tmp_path: Path) -> None:
    make(tmp_path, "cat")
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    assert reuse(tmp_path, "scored", inputs={}, config={"label": "cat"})
    assert before == {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}


def test_a_damaged_output_is_made_again_and_kept(tmp_path: Path) -> None:
    make(tmp_path, "cat")
    damaged = open_stage(tmp_path, "scored")
    for number in (1, 2):
        open_stage(tmp_path, "scored").paths()[0].write_text("damaged")
        assert reuse(tmp_path, "scored", inputs={}, config={"label": "cat"}) is None
        make(tmp_path, "cat")
        again = open_stage(tmp_path, "scored")
        assert label_of(again) == "cat"
        assert again.dir == damaged.dir.with_name(f"{damaged.fingerprint}.{number}")
        assert (damaged.dir / "notes" / "note.txt").read_text() == "damaged"
        assert reuse(tmp_path, "scored", inputs={}, config={"label": "cat"}) == again


def test_an_output_of_other_bytes_replaces_the_earlier_one(tmp_path: Path) -> None:
    for text, name in (("first", ""), ("second", ".1"), ("second", ".1")):
        with write_stage(tmp_path, "scored", inputs={}, config={}) as work:
            write_text(work.dir / "note.txt", text)
        written = open_stage(tmp_path, "scored")
        assert (written.dir / "note.txt").read_text() == text
        assert written.dir.name == f"{written.fingerprint}{name}"
        assert reuse(tmp_path, "scored", inputs={}, config={}) == written


def test_the_fingerprint_changes_with_stage_inputs_and_settings() -> None:
    prints = {
        fingerprint("scored", {"a": "1", "b": "2"}, {"x": 1}),
        fingerprint("selected", {"a": "1", "b": "2"}, {"x": 1}),
        fingerprint("scored", {"a": "2", "b": "1"}, {"x": 1}),
        fingerprint("scored", {"a": "1", "b": "2"}, {"x": 1.5}),
    }
    assert len(prints) == 4
    assert fingerprint("scored", {"b": "2", "a": "1"}, {"x": 1}) in prints


def test_the_digest_of_a_file_is_its_sha256(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_digest(tmp_path / "abc") == expected


# The lock

HOLD = """
import sys
from pathlib import Path
from curation.runs.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_until_the_first_dies(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    with pytest.raises(BusyError, match=f"process {holder.pid} on"), locked(tmp_path):
        pass
    holder.kill()
    holder.wait()
    with locked(tmp_path):
        assert f"process {os.getpid()} on" in (tmp_path / ".lock").read_text()


def test_the_lock_is_given_back_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        raise ZeroDivisionError
    with locked(tmp_path), pytest.raises(BusyError), locked(tmp_path):
        pass


def test_a_run_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="run folder"), locked(tmp_path / "file" / "run"):
        pass
