from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from labeling.errors import ConfigError
from pipelines.shuffle import objects, storage
from tests.buckets import names_of


def put(path: str, content: bytes) -> None:
    with objects.writing(path) as handle:
        handle.write(content)


def test_an_object_is_read_back_whole_and_in_ranges(bucket: str) -> None:
    put(f"{bucket}/b/work/a.json.gz", b"0123456789")
    assert storage.read(f"{bucket}/b/work/a.json.gz") == b"0123456789"
    with objects.reading(f"{bucket}/b/work/a.json.gz") as handle:
        assert storage.read_range(handle, 3, 4) == b"3456"
        assert storage.read_range(handle, 0, 2) == b"01"
        with pytest.raises(OSError, match="ends before byte 12"):
            storage.read_range(handle, 8, 4)
    assert objects.size(f"{bucket}/b/work/a.json.gz") == 10
    assert storage.sha256(f"{bucket}/b/work/a.json.gz") == hashlib.sha256(b"0123456789").hexdigest()


def test_names_are_those_directly_in_a_folder(bucket: str) -> None:
    for name in ("b/work/z", "b/work/a", "b/work/deep/er", "b/work2/x", "b/work"):
        put(f"{bucket}/{name}", b"")
    assert objects.list_names(f"{bucket}/b/work") == ["a", "z"]
    assert objects.list_names(f"{bucket}/b/work/") == ["a", "z"]
    assert objects.list_names(f"{bucket}/b/none") == []


def test_removing_a_name_removes_all_below_it(bucket: str) -> None:
    for name in ("b/work", "b/work/a", "b/work/deep/er", "b/work2"):
        put(f"{bucket}/{name}", b"x")
    objects.remove(f"{bucket}/b/work")
    objects.remove(f"{bucket}/b/work")
    assert names_of(bucket) == ["b/work2"]


def test_an_error_while_writing_leaves_no_object(bucket: str) -> None:
    with pytest.raises(KeyError), objects.writing(f"{bucket}/b/half") as handle:
        handle.write(b"half of it")
        raise KeyError
    assert objects.size(f"{bucket}/b/half") is None
    assert names_of(bucket) == []


def test_files_are_sent_to_the_store_and_fetched(bucket: str, tmp_path: Path) -> None:
    (tmp_path / "here").write_bytes(b"content")
    storage.send(tmp_path / "here", f"{bucket}/b/there", f"{bucket}/b/partial")
    digest = storage.fetch(f"{bucket}/b/there", tmp_path / "new" / "back")
    assert (tmp_path / "new" / "back").read_bytes() == b"content"
    assert digest == hashlib.sha256(b"content").hexdigest()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["back"]


@pytest.mark.parametrize("folder", ["nowhere://b", "hdfs://host/work"])
def test_a_store_that_is_not_known_is_refused(folder: str) -> None:
    with pytest.raises(ConfigError, match="in no store that is known"):
        objects.check_folder(folder)


def test_a_large_object_is_written_in_parts(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "IN_MEMORY", 1 << 20)
    content = bytes(range(256)) * (48 << 10)
    put(f"{bucket}/large", content)
    assert storage.read(f"{bucket}/large") == content
