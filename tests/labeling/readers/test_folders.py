from __future__ import annotations

import os
from pathlib import Path

import pytest

from labeling.errors import InputError
from labeling.readers.folders import HIDDEN, walk
from labeling.readers.listing import (
    BROKEN,
    NO_FILE,
    ODD_NAME,
    REPEATED,
    files_below,
    input_files,
    skipped_files,
)

SUFFIXES = (".csv",)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("x/a.csv", "x/deep/b.csv", "y/c.csv", "y/z/d.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def names(folder: Path, *paths: str) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in input_files(folder, paths, SUFFIXES)]


def kinds(folder: Path, *paths: str) -> dict[str, str]:
    skipped = skipped_files(folder, paths, SUFFIXES)
    return {path.relative_to(folder).as_posix(): kind for path, kind in skipped.items()}


@pytest.mark.parametrize("path", ["x", "x/**/*.csv", "**/x", "x/**"])
def test_links_in_circles_end(folder: Path, path: str) -> None:
    (folder / "x" / "loop").symlink_to(folder / "x")
    (folder / "x" / "deep" / "again").symlink_to(folder / "x")
    (folder / "x" / "up").symlink_to(folder)
    (folder / "x" / "self").symlink_to("self")
    assert names(folder, path) == ["x/a.csv", "x/deep/b.csv"]
    if path == "x":
        assert kinds(folder, path) == {
            "x/deep/again": REPEATED,
            "x/loop": REPEATED,
            "x/self": BROKEN,
            "x/up": REPEATED,
        }


@pytest.mark.parametrize("path", ["x", "x/**/*.csv"])
def test_folders_that_are_linked_are_read_once(folder: Path, path: str) -> None:
    (folder / "x" / "0").symlink_to(folder / "y" / "z")
    (folder / "x" / "1").symlink_to(folder / "y")
    (folder / "x" / "2").symlink_to(folder / "y")
    assert names(folder, path) == ["x/0/d.csv", "x/1/c.csv", "x/a.csv", "x/deep/b.csv"]


@pytest.mark.parametrize("paths", [("x",), ("x/*.csv", "x", "x/../x/a.csv", "x/./a.csv")])
def test_a_file_that_is_reached_twice_is_read_once(folder: Path, paths: tuple[str, ...]) -> None:
    (folder / "x" / "0.csv").symlink_to(folder / "x" / "a.csv")
    (folder / "x" / "deep" / "c.csv").symlink_to(folder / "y" / "c.csv")
    assert names(folder, *paths) == ["x/a.csv", "x/deep/b.csv", "x/deep/c.csv"]
    assert kinds(folder, *paths)["x/0.csv"] == REPEATED
    assert len(files_below(folder, "x")) == 4  # of a site, where a path makes a URL


def test_hidden_files_are_skipped_also_below_what_a_pattern_matches(folder: Path) -> None:
    for name in ("x/.trash/e.csv", "x/__MACOSX/f.csv", "x/._g.csv"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    for path in ("x", "[x]"):
        assert names(folder, path) == ["x/a.csv", "x/deep/b.csv"]
        hidden = ["x/._g.csv", "x/.trash/e.csv", "x/__MACOSX/f.csv"]
        assert kinds(folder, path) == dict.fromkeys(hidden, HIDDEN)
    assert names(folder, "[x]/**/*.csv") == ["x/a.csv", "x/deep/b.csv"]
    assert names(folder, "x/.trash", "[x]/.trash") == ["x/.trash/e.csv"]


def test_what_is_not_a_file_is_skipped(folder: Path) -> None:
    os.mkfifo(folder / "x" / "pipe.csv")
    (folder / "x" / "broken.csv").symlink_to(folder / "absent.csv")
    (folder / "x" / "device.csv").symlink_to("/dev/zero")
    (folder / "x" / "folder.csv").mkdir()
    assert names(folder, "x") == ["x/a.csv", "x/deep/b.csv"]
    assert kinds(folder, "x") == {
        "x/broken.csv": BROKEN,
        "x/device.csv": NO_FILE,
        "x/pipe.csv": NO_FILE,
    }


def test_an_input_of_such_files_alone_is_refused_with_their_kinds(folder: Path) -> None:
    (folder / "w").mkdir()
    os.mkfifo(folder / "w" / "pipe.csv")
    (folder / "w" / "a.txt").write_bytes(b"")
    with pytest.raises(InputError) as caught:
        names(folder, "w")
    assert caught.value.facts["found"] == "skipped: 1 .txt, 1 pipes or devices"


def test_a_file_whose_name_is_not_text_is_skipped(folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/x/caf\xe9.csv")).write_bytes(b"x")
    assert names(folder, "x") == ["x/a.csv", "x/deep/b.csv"]
    assert list(kinds(folder, "x").values()) == [ODD_NAME]


def test_the_files_of_a_pattern_are_those_that_glob_finds(folder: Path) -> None:
    (folder / "x" / ".hidden").mkdir()
    (folder / "x" / ".hidden" / "e.csv").write_bytes(b"x")
    patterns = (
        "**/*.csv",
        "*/**/d.csv",
        "y/**/*.csv",
        "**/deep",
        "x/**/.hidden/*.csv",
        "[x]/**/b*",
    )
    for pattern in patterns:
        matched = [
            match
            for match in folder.glob(pattern)
            if ".hidden" in pattern or ".h" not in str(match)
        ]
        below = {f for m in matched for f in (walk(m) if m.is_dir() else [m])}
        assert set(input_files(folder, pattern, SUFFIXES)) == below
