from __future__ import annotations

from pathlib import Path

import pytest

from labeling.errors import InputError
from labeling.readers.folders import HIDDEN
from labeling.readers.listing import input_files, is_there, skipped_files

SUFFIXES = (".csv", ".csv.gz")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (
        "x/a.csv", "x/B.CSV", "x/c.csv.GZ", "x/d.lz4", "x/e.lz4", "x/_SUCCESS", "x/.hidden.csv",
        "x/.ipynb_checkpoints/a.csv", "x/__MACOSX/a.csv", "y/f.csv", "y/deep/g.csv", "y/[1].csv",
        ".kept/h.csv",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def names(folder: Path, paths: str | tuple[str, ...]) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in input_files(folder, paths, SUFFIXES)]


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ("x", ["x/B.CSV", "x/a.csv", "x/c.csv.GZ"]),
        ("y", ["y/[1].csv", "y/deep/g.csv", "y/f.csv"]),
        ("y/*.csv", ["y/[1].csv", "y/f.csv"]),
        ("*/**/g.csv", ["y/deep/g.csv"]),
        ("y/[1].csv", ["y/[1].csv"]),
        ("y/[f].csv", ["y/f.csv"]),
        ("y/d*", ["y/deep/g.csv"]),
        (("y/f.csv", "y/deep", "y/*.csv"), ["y/[1].csv", "y/deep/g.csv", "y/f.csv"]),
        ("x/.hidden.csv", ["x/.hidden.csv"]),
        (".kept", [".kept/h.csv"]),
    ],
)
def test_files_of_paths_patterns_and_lists(
    folder: Path, paths: str | tuple[str, ...], expected: list[str]
) -> None:
    assert names(folder, paths) == expected
    absolute = (
        str(folder / paths)
        if isinstance(paths, str)
        else tuple(str(folder / path) for path in paths)
    )
    assert names(folder, absolute) == expected


def test_skipped_files_are_listed_with_their_ending(folder: Path) -> None:
    skipped = skipped_files(folder, ("x", "y"), SUFFIXES)
    assert sorted(skipped.values()) == [".lz4", ".lz4", HIDDEN, HIDDEN, HIDDEN, "without ending"]
    assert skipped[folder / "x" / "d.lz4"] == ".lz4"


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ("nowhere", "an input is missing"),
        (("y", "nowhere"), "an input is missing"),
        ("y/*.tsv", "an input is missing"),
        ("x/d.lz4", "contains no file that is read"),
        (("y", "x/*.lz4"), "contains no file that is read"),
        ("hdfs://host/x", "read from folders, and from s3://"),
    ],
)
def test_a_path_without_a_file_is_refused(
    folder: Path, paths: str | tuple[str, ...], expected: str
) -> None:
    with pytest.raises(InputError, match=expected):
        input_files(folder, paths, SUFFIXES)


def test_a_pattern_is_there_if_something_matches(folder: Path) -> None:
    given = ("x", "y/*.csv", "y/*.tsv", "z", "y/[1].csv")
    assert [is_there(folder, path) for path in given] == [True, True, False, False, True]


def test_packed_files_are_listed_with_what_they_pack(tmp_path: Path) -> None:
    for name in ("a.wet.gz", "b.WET.GZ", "part-1.gz", "v1.22.gz", "x.csv.lz4", "y.csv"):
        (tmp_path / name).write_bytes(b"x")
    skipped = skipped_files(tmp_path, ".", (".csv",))
    assert sorted(skipped.values()) == [".gz", ".gz", ".lz4", ".wet.gz", ".wet.gz"]
