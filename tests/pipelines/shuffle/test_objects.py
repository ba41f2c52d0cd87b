from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from labeling.errors import ConfigError
from pipelines.shuffle import objects, storage
from tests.pipelines.stores import ROOT, Shelf

assert Shelf.scheme() == "shelf"


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shelf"
    folder.mkdir()
    monkeypatch.setenv(ROOT, str(folder))
    return folder


def put(path: str, content: bytes) -> None:
    with objects.writing(path) as handle:
        handle.write(content)


def test_an_object_is_read_back_whole_and_in_ranges(shelf: Path) -> None:
    put("shelf://b/work/a.json.gz", b"0123456789")
    assert storage.read("shelf://b/work/a.json.gz") == b"0123456789"
    with objects.reading("shelf://b/work/a.json.gz") as handle:
        assert storage.read_range(handle, 3, 4) == b"3456"
        assert storage.read_range(handle, 0, 2) == b"01"
        with pytest.raises(OSError, match="ends before byte 12"):
            storage.read_range(handle, 8, 4)
    assert objects.size("shelf://b/work/a.json.gz") == 10
    assert storage.sha256("shelf://b/work/a.json.gz") == hashlib.sha256(b"0123456789").hexdigest()


def test_names_are_those_directly_in_a_folder(shelf: Path) -> None:
    for name in ("b/work/z", "b/work/a", "b/work/deep/er", "b/work2/x", "b/work"):
        put(f"shelf://{name}", b"")
    assert objects.list_names("shelf://b/work") == ["a", "z"]
    assert objects.list_names("shelf://b/work/") == ["a", "z"]
    assert objects.list_names("shelf://b/none") == []


def test_removing_a_name_removes_all_below_it(shelf: Path) -> None:
    for name in ("b/work", "b/work/a", "b/work/deep/er", "b/work2"):
        put(f"shelf://{name}", b"x")
    objects.remove("shelf://b/work")
    objects.remove("shelf://b/work")
    assert [path.name for path in shelf.iterdir()] == ["b%2Fwork2"]


def test_an_error_while_writing_leaves_no_object(shelf: Path) -> None:
    with pytest.raises(KeyError), objects.writing("shelf://b/half") as handle:
        handle.write(b"half of it")
        raise KeyError
    assert objects.size("shelf://b/half") is None
    assert not any(shelf.iterdir())


def test_files_are_sent_to_the_store_and_fetched(shelf: Path, tmp_path: Path) -> None:
    (tmp_path / "here").write_bytes(b"content")
    storage.send(tmp_path / "here", "shelf://b/there", "shelf://b/partial")
    digest = storage.fetch("shelf://b/there", tmp_path / "new" / "back")
    assert (tmp_path / "new" / "back").read_bytes() == b"content"
    assert digest == hashlib.sha256(b"content").hexdigest()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["back"]


@pytest.mark.parametrize(
    ("folder", "message"),
    [("nowhere://b", "no file system for nowhere"), ("shelf://b/*", r"one of \*\?\[")],
)
def test_a_folder_that_cannot_be_used_is_refused(folder: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        objects.check_folder(folder)


def test_the_remedy_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(path: str) -> None:
        raise ValueError

    monkeypatch.setattr(objects, "_system", missing)
    with pytest.raises(ConfigError) as caught:
        objects.check_folder("s3://bucket/work")
    assert caught.value.help == "install it with: pip install 'apache-beam[aws]'"
