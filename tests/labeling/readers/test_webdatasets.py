from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.errors import InputError
from labeling.keys import ids
from labeling.readers import webdatasets
from labeling.readers.webdatasets import read_webdataset


def write(path: Path, members: list[tuple[str, bytes]]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def read(path: Path, columns: dict[str, str]) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[pa.Table]] = {}
    for name, rows in read_webdataset(path, f"in/{path.name}", columns):
        found.setdefault(name, []).append(rows)
    return {name: pa.concat_tables(tables).to_pylist() for name, tables in found.items()}


FACTS = {"title": "Two cats", "url": "https://P.org/x.jpg", "page": "https://P.org/1", "n": None}
WHOLE = [
    ("00000.jpg", b"first"),
    ("00000.txt", "a cat \u00e9".encode()),
    ("00000.json", json.dumps(FACTS).encode()),
]


def test_a_sample_gives_its_texts_and_where_its_bytes_are(tmp_path: Path) -> None:
    path = write(tmp_path / "0.tar", WHOLE)
    columns = {"alt": "txt", "title": "json.title", "page": "json.page", "lang": "json.n"}
    tables = read(path, columns)
    assert [(r["source"], r["text"], r["lang"]) for r in tables["signals"]] == [
        ("alt", "a cat \u00e9", None),
        ("title", "Two cats", None),
    ]
    assert {r["host"] for r in tables["signals"]} == {"p.org"}
    assert tables["placements"][0]["page_id"] == ids.digest("https://P.org/1")
    (image,) = tables["images"]
    where, _, part = str(image["location"]).partition("#")
    offset, length = map(int, part.split("+"))
    assert (where, image["image_id"]) == ("in/0.tar", ids.digest(b"first"))
    assert path.read_bytes()[offset : offset + length] == b"first"


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        (WHOLE[1:], "no_image"),
        (WHOLE[:1], "incomplete_sample"),
        ([WHOLE[0], ("00000.txt", b"\xff")], "bad_text"),
        ([WHOLE[0], ("00000.txt", b"x" * 1001)], "too_large"),
        ([("00000.jpg", b"x" * 2001), WHOLE[1]], "too_large"),
    ],
)
def test_samples_that_are_not_whole_are_put_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, members: list[tuple[str, bytes]], reason: str
) -> None:
    monkeypatch.setattr(webdatasets, "MAX_TEXT_BYTES", 1000)
    monkeypatch.setattr(webdatasets, "MAX_IMAGE_BYTES", 2000)
    good = [("a/b.v1.png", b"second"), ("c.png", b"third"), ("c.txt", b"a dog")]
    tables = read(write(tmp_path / "0.tar", [*members, *good]), {"alt": "txt"})
    assert [r["reason"] for r in tables["rejects"]][0] == reason
    assert [r["text"] for r in tables["signals"]] == ["a dog"]


@pytest.mark.parametrize("content", [b"[1]", b"{", b"[" * 100_000])
def test_bad_json_is_put_aside(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path / "0.tar", [("0.jpg", b"x"), ("0.json", content)])
    assert [r["reason"] for r in read(path, {"alt": "json.x"})["rejects"]] == ["bad_text"]


def test_a_lone_surrogate_is_replaced(tmp_path: Path) -> None:
    path = write(tmp_path / "0.tar", [("0.jpg", b"x"), ("0.json", b'{"x": "a\\ud800"}')])
    assert read(path, {"alt": "json.x"})["signals"][0]["text"] == "a?"


def test_batches_do_not_change_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    members = [(f"{n}.{e}", f"{e} {n}".encode()) for n in range(7) for e in ("jpg", "txt")]
    path = write(tmp_path / "0.tar", members)
    whole = read(path, {"alt": "txt"})
    monkeypatch.setattr(webdatasets, "SAMPLES_PER_BATCH", 2)
    assert read(path, {"alt": "txt"}) == whole
    assert len(whole["signals"]) == 7


def test_links_and_folders_are_no_members(tmp_path: Path) -> None:
    path = tmp_path / "0.tar"
    with tarfile.open(path, "w") as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo("0.jpg")
            info.type, info.linkname = kind, "/etc/hostname"
            tar.addfile(info)
    assert not any(read(path, {"alt": "txt"}).values())


@pytest.mark.parametrize("cut", [100, 514, 1000])
def test_a_cut_tar_is_refused(tmp_path: Path, cut: int) -> None:
    path = write(tmp_path / "0.tar", [("0.jpg", b"x" * 900), ("0.txt", b"y")])
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(InputError, match=r"0\.tar"):
        read(path, {"alt": "txt"})


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=2000))
def test_any_bytes_are_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("tar") / "0.tar"
    path.write_bytes(b"\x01" + content)
    with pytest.raises(InputError):
        read(path, {"alt": "txt"})
