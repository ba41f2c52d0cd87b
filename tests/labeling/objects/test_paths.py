from __future__ import annotations

import pickle
import random
from pathlib import Path

import pytest

from labeling.errors import InputError, StoreError
from labeling.objects import object_file
from labeling.objects.client import Facts
from labeling.objects.object_file import ObjectFile
from labeling.objects.paths import ObjectPath, identity, join, path_of, read_part
from labeling.readers.image_files import named
from labeling.readers.listing import files_below, input_files, is_there, skipped_files
from tests.buckets import put, put_folder

NAMES = (
    "2024-01/a.csv",
    "2024-01/deep/b.csv",
    "2024-01/.hidden/c.csv",
    "2024-02/a.CSV",
    "2024-02/%41 é#?.csv",
    "2024-02/[1].csv",
    "2024-02/notes.txt",
    ".trash/a.csv",
    "top.csv",
)


@pytest.fixture
def both(bucket: str, tmp_path: Path) -> tuple[Path, Path]:
    """Return a folder and a folder of objects with the same files."""
    for name in NAMES:
        file = tmp_path / "data" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode())
    put_folder(tmp_path / "data", f"{bucket}/data")
    put(f"{bucket}/data/2024-02/", b"")  # as consoles make folders
    put(f"{bucket}/data-of-others/x.csv", b"")
    return tmp_path / "data", path_of(f"{bucket}/data")


@pytest.mark.parametrize(
    "paths",
    [
        ".",
        "2024-01",
        "2024-01/a.csv",
        "2024-*",
        "2024-*/*.csv",
        "**/*.csv",
        "2024-01/**",
        "*/.hidden",
        "2024-02/[1].csv",
        "2024-0[12]/a.*",
        ("2024-01", "2024-*/a.csv", "top.csv"),
    ],
)
def test_a_folder_of_objects_is_listed_as_a_folder(
    both: tuple[Path, Path], paths: str | tuple[str, ...]
) -> None:
    listed = [
        (
            [named(base, file) for file in input_files(base, paths, (".csv",))],
            [(named(base, f), kind) for f, kind in skipped_files(base, paths, (".csv",)).items()],
        )
        for base in both
    ]
    assert listed[0][0] == listed[1][0] != []
    assert sorted(listed[0][1]) == sorted(listed[1][1])


@pytest.mark.parametrize("path", ["nowhere", "2024-01/*.tsv", "2024"])
def test_what_is_not_there_is_missing_in_both(both: tuple[Path, Path], path: str) -> None:
    for base in both:
        assert not is_there(base, path)
        with pytest.raises(InputError, match="an input is missing"):
            input_files(base, path, (".csv",))
    assert all(is_there(base, "2024-01") and is_there(base, "2024-*/a.csv") for base in both)


def test_an_object_is_read_in_ranges(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = random.Random(0).randbytes(5000)
    put(f"{bucket}/x", content)
    monkeypatch.setattr(object_file, "FIRST_BYTES", 64)
    monkeypatch.setattr(object_file, "MOST_BYTES", 700)
    monkeypatch.setattr(object_file, "KEPT_BYTES", 150)
    draw = random.Random(1)
    file = ObjectFile(f"{bucket}/x")
    for _ in range(60):
        start, n_bytes = draw.randrange(5200), draw.randrange(900)
        assert file.read_at(start, n_bytes) == content[start : start + n_bytes]
    file.seek(0)
    assert b"".join(iter(lambda: file.read(173), b"")) == content
    assert (file.seek(-10, 2), file.read(), file.read(5)) == (4990, content[-10:], b"")
    assert (file.seek(7), file.read(3), file.seek(5, 1), file.tell()) == (7, content[7:10], 15, 15)


@pytest.fixture
def requested(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the list of the bytes that requests ask for."""
    lengths: list[int] = []
    read_range = object_file.read_range

    def counted(url: str, start: int, stop: int, version: str | None) -> tuple[bytes, Facts]:
        lengths.append(stop - start)
        return read_range(url, start, stop, version)

    monkeypatch.setattr(object_file, "read_range", counted)
    return lengths


def test_requests_grow_while_one_follows_the_other(bucket: str, requested: list[int]) -> None:
    put(f"{bucket}/x", bytes(12 << 20))
    with path_of(f"{bucket}/x").open("rb") as file:
        while file.read(50_000):
            pass
        file.seek(5)
        file.read(1)
    first = object_file.FIRST_BYTES
    assert requested == [first, 4 * first, 16 * first, object_file.MOST_BYTES, first]


def test_what_is_passed_over_and_gone_back_to_is_read_once(
    bucket: str, requested: list[int]
) -> None:
    content = random.Random(0).randbytes(10 << 20)
    put(f"{bucket}/x", content)
    file = ObjectFile(f"{bucket}/x")
    for start in range(0, len(content), 100_000):  # as members of a tar, their headers first
        assert file.read_at(start + 90_000, 512) == content[start + 90_000 : start + 90_512]
        assert file.read_at(start, 90_000) == content[start : start + 90_000]
    assert len(requested) <= 6


def test_an_empty_object_and_a_missing_one(bucket: str) -> None:
    put(f"{bucket}/empty", b"")
    assert path_of(f"{bucket}/empty").read_bytes() == b""
    assert read_part(path_of(f"{bucket}/empty"), 0, 5) == b""
    assert read_part(path_of(f"{bucket}/missing"), 0, 5) is None
    with pytest.raises(FileNotFoundError, match="no such object"):
        path_of(f"{bucket}/missing").open("rb")
    with pytest.raises(FileNotFoundError):
        path_of(f"{bucket}/missing").stat()


def test_an_object_that_changes_while_it_is_read_is_refused(bucket: str) -> None:
    put(f"{bucket}/x", bytes(1 << 20))
    with path_of(f"{bucket}/x").open("rb") as file:
        put(f"{bucket}/x", bytes(1 << 20) + b"more")
        with pytest.raises(StoreError, match="has changed while it was read"):
            file.read()


def test_a_text_is_read_with_its_encoding(bucket: str) -> None:
    put(f"{bucket}/x.txt", "é\r\nb".encode())
    assert path_of(f"{bucket}/x.txt").read_text(encoding="utf-8") == "é\nb"


def test_paths_of_objects_keep_their_slashes() -> None:
    path = path_of("s3://bucket/crawl")
    assert isinstance(path, ObjectPath)
    assert [str(p) for p in (path / "a/b.csv", path.parent, join(path, "/data/x"))] == [
        "s3://bucket/crawl/a/b.csv",
        "s3://bucket",
        "/data/x",
    ]
    assert str(pickle.loads(pickle.dumps(path))) == "s3://bucket/crawl"
    assert named(path, path / "a.csv") == "a.csv"
    assert named(Path("/data"), path) == identity(path) == f"{path}"
    assert sorted([path, Path("/data")]) == [Path("/data"), path]


def test_files_below_are_all_that_are_not_hidden(both: tuple[Path, Path]) -> None:
    here, there = ([named(base, file) for file in files_below(base, "2024-02")] for base in both)
    assert here == there
