from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.errors import InputError, UnreadableFile
from labeling.keys import ids
from labeling.readers import page_rows, tar_members, webdatasets
from labeling.readers.webdatasets import read_webdataset


def write(path: Path, members: list[tuple[str, bytes]]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def read(path: Path, columns: dict[str, str]) -> dict[str, list[dict[str, object]]]:
    tables_of: dict[str, list[pa.Table]] = {}
    for name, rows in read_webdataset(path, f"in/{path.name}", columns):
        tables_of.setdefault(name, []).append(rows)
    return {name: pa.concat_tables(tables).to_pylist() for name, tables in tables_of.items()}


FACTS = {"title": "Two cats", "url": "https://P.org/x.jpg", "page": "https://P.org/1", "n": None}
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n"
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
    assert tables["placements"][0]["page_id"] == ids.digest("https://p.org/1")
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
        ([("00000.jpg", b""), WHOLE[1]], "empty_image"),
        ([("00000.jpg", POINTER), WHOLE[1]], "lfs_pointer"),
    ],
)
def test_incomplete_samples_are_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, members: list[tuple[str, bytes]], reason: str
) -> None:
    monkeypatch.setattr(webdatasets, "MAX_TEXT_BYTES", 1000)
    monkeypatch.setattr(webdatasets, "MAX_IMAGE_BYTES", 2000)
    good = [("a/b.v1.png", b"second"), ("c.png", b"third"), ("c.txt", b"a dog")]
    tables = read(write(tmp_path / "0.tar", [*members, *good]), {"alt": "txt"})
    assert [r["reason"] for r in tables["rejects"]][0] == reason
    assert [r["text"] for r in tables["signals"]] == ["a dog"]


@pytest.mark.parametrize("content", [b"[1]", b"{", b"[" * 100_000])
def test_bad_json_is_rejected(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path / "0.tar", [("0.jpg", b"x"), ("0.json", content)])
    assert [r["reason"] for r in read(path, {"alt": "json.x"})["rejects"]] == ["bad_text"]


def test_a_lone_surrogate_is_replaced(tmp_path: Path) -> None:
    path = write(tmp_path / "0.tar", [("0.jpg", b"x"), ("0.json", b'{"x": "a\\ud800"}')])
    assert read(path, {"alt": "json.x"})["signals"][0]["text"] == "a?"


def test_batches_do_not_change_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    members = [(f"{n}.{e}", f"{e} {n}".encode()) for n in range(7) for e in ("jpg", "txt")]
    path = write(tmp_path / "0.tar", members)
    whole = read(path, {"alt": "txt"})
    monkeypatch.setattr(page_rows, "MAX_PAGES", 2)
    assert read(path, {"alt": "txt"}) == whole
    assert len(whole["signals"]) == 7


def test_links_and_folders_in_a_tar_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "0.tar"
    with tarfile.open(path, "w") as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo("0.jpg")
            info.type, info.linkname = kind, "/etc/hostname"
            tar.addfile(info)
    (reject,) = [row for rows in read(path, {"alt": "txt"}).values() for row in rows]
    assert (reject["reason"], str(reject["value"])[:2]) == ("ignored_members", "3:")


def samples(n: int) -> list[tuple[str, bytes]]:
    return [(f"{i}.{e}", f"{e} {i}".encode()) for i in range(n) for e in ("jpg", "txt")]


def test_a_cut_tar_is_reported_wherever_it_is_cut(tmp_path: Path) -> None:
    whole = write(tmp_path / "0.tar", samples(20)).read_bytes()
    n_texts = set()
    for cut in range(512, len(whole), 512):
        path = tmp_path / "0.tar"
        path.write_bytes(whole[:cut])
        tables = read(path, {"alt": "txt"})
        n_texts.add(len(tables["signals"]))
        reasons = {row["reason"] for row in tables["rejects"]}
        # A sample has four blocks; one block of zeros at the end is enough.
        assert ("truncated" in reasons) == (cut < 20 * 4 * 512 + 512), cut
        assert len(tables["signals"]) == min(cut // 2048, 20), cut
    assert n_texts == set(range(21))


@pytest.mark.parametrize("cut", [514, 1000, 1536, 2500])
def test_a_cut_within_a_member_or_header_is_reported(tmp_path: Path, cut: int) -> None:
    path = write(tmp_path / "0.tar", [("0.jpg", b"x" * 900), ("0.txt", b"y")])
    path.write_bytes(path.read_bytes()[:cut])
    tables = read(path, {"alt": "txt"})
    assert "truncated" in [row["reason"] for row in tables["rejects"]]
    assert all(str(row["where"]).startswith("in/0.tar#") for row in tables["rejects"])


@pytest.mark.parametrize("content", [b"", b"x" * 100, b"\x1f\x8b\x08" + b"x" * 600])
def test_what_is_not_a_tar_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "0.tar").write_bytes(content)
    with pytest.raises(InputError, match=r"0\.tar"):
        read(tmp_path / "0.tar", {"alt": "txt"})


@pytest.mark.parametrize("padding", [0, 512, 5120])
def test_several_tars_in_one_file_are_read(tmp_path: Path, padding: int) -> None:
    parts = [write(tmp_path / name, samples(n)).read_bytes() for name, n in (("a", 3), ("b", 2))]
    (tmp_path / "0.tar").write_bytes(bytes(padding).join(parts))
    tables = read(tmp_path / "0.tar", {"alt": "txt"})
    assert len(tables["signals"]) == 5
    assert len({row["page_id"] for row in tables["placements"]}) == 5
    assert tables["rejects"] == []


@pytest.mark.parametrize("n", [1, 2])
def test_samples_that_meet_where_two_tars_do_are_two(tmp_path: Path, n: int) -> None:
    parts = [write(tmp_path / name, samples(n)).read_bytes() for name in ("a", "b")]
    (tmp_path / "0.tar").write_bytes(parts[0] + parts[1].replace(b"jpg 0", b"other"))
    tables = read(tmp_path / "0.tar", {"alt": "txt"})
    assert [row["text"] for row in tables["signals"]] == [f"txt {i}" for i in range(n)] * 2
    assert tables["rejects"] == []


@pytest.mark.parametrize("repeated", [("0.jpg", "0.txt"), ("0.TXT",), ("1.jpg", "1.txt")])
def test_a_second_sample_with_a_key_is_a_reject(tmp_path: Path, repeated: tuple[str, ...]) -> None:
    members = [("1.jpg", b"1"), ("1.txt", b"a dog"), ("0.jpg", b"0"), ("0.txt", b"a cat")]
    members += [(name, b"z") for name in repeated]
    tables = read(write(tmp_path / "0.tar", members), {"alt": "txt"})
    assert [row["text"] for row in tables["signals"]] == ["a dog", "a cat"]
    (reject,) = tables["rejects"]
    endings = ", ".join(name[2:].lower() for name in repeated)
    assert reject == {
        "where": f"in/0.tar#{repeated[0][0]}", "reason": "duplicate_key", "value": endings
    }  # fmt: skip


def test_samples_without_a_text_are_counted(tmp_path: Path) -> None:
    facts = b'{"title": NaN, "page": NaN, "lang": "N/A"}'
    members = [("0.jpg", b"0"), ("0.txt", b" \n"), ("1.jpg", b"1"), ("1.json", facts)]
    columns = {"alt": "txt", "title": "json.title", "page": "json.page", "lang": "json.lang"}
    tables = read(write(tmp_path / "0.tar", [*members, *samples(3)[4:]]), columns)
    assert [row["text"] for row in tables["signals"]] == ["txt 2"]
    assert len({row["page_id"] for row in tables["placements"]}) == 3
    assert tables["skips"] == [{"file": "in/0.tar", "kind": "no_text", "n_records": 2}]


def test_members_that_systems_add_are_ignored_and_counted(tmp_path: Path) -> None:
    members = []
    for name, content in samples(3):
        members += [(f"._{name}", b"\0\5\x16\7"), (name, content)]
    members += [(".DS_Store", b"x"), ("__MACOSX/._0.jpg", b"x"), ("PaxHeaders.12/0.jpg", b"x")]
    tables = read(write(tmp_path / "0.tar", members), {"alt": "txt"})
    assert [row["text"] for row in tables["signals"]] == ["txt 0", "txt 1", "txt 2"]
    assert [(row["where"], row["reason"], str(row["value"])[:2]) for row in tables["rejects"]] == [
        ("in/0.tar", "ignored_members", "9:")
    ]


def test_a_sample_with_one_of_two_texts_is_kept(tmp_path: Path) -> None:
    facts = json.dumps({"title": ["a", "list"], "other": "b"}).encode()
    members = [
        ("0.jpg", b"0"), ("0.txt", b"a cat"),
        ("1.jpg", b"1"), ("1.json", b'{"title": "a dog"}'),
        ("2.jpg", b"2"), ("2.json", facts), ("2.txt", b"a cow"),
        ("3.jpg", b"3"), ("3.json", facts),
        ("4.jpg", b"4"), ("4.cls", b"5"),
    ]  # fmt: skip
    columns = {"alt": "txt", "title": "json.title", "page": "url", "lang": "json.lang"}
    tables = read(write(tmp_path / "0.tar", members), columns)
    assert [row["text"] for row in tables["signals"]] == ["a cat", "a dog", "a cow"]
    assert [(row["where"], row["reason"]) for row in tables["rejects"]] == [
        ("in/0.tar#2", "bad_text"),
        ("in/0.tar#3", "bad_text"),
        ("in/0.tar#4", "incomplete_sample"),
    ]


def test_a_member_can_be_read_as_text_and_as_json(tmp_path: Path) -> None:
    path = write(tmp_path / "0.tar", [("0.jpg", b"x"), ("0.json", b'{"x": "y"}')])
    tables = read(path, {"alt": "json", "title": "json.x"})
    assert [row["text"] for row in tables["signals"]] == ['{"x": "y"}', "y"]


def changed(path: Path, name: str, change: Callable[[tarfile.TarInfo], bytes]) -> Path:
    """Write a tar of three samples in which one header is another."""
    content = b""
    for member, data in samples(3):
        info = tarfile.TarInfo(member)
        info.size = len(data)
        header = change(info) if member == name else info.tobuf(tarfile.USTAR_FORMAT)
        content += header + data + bytes(-len(data) % 512)
    path.write_bytes(content + bytes(1024))
    return path


def pax(field: str, value: str) -> Callable[[tarfile.TarInfo], bytes]:
    def header(info: tarfile.TarInfo) -> bytes:
        info.pax_headers = {field: value}
        return info.tobuf(tarfile.PAX_FORMAT)

    return header


def damaged(start: int, content: bytes) -> Callable[[tarfile.TarInfo], bytes]:
    def header(info: tarfile.TarInfo) -> bytes:
        block = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
        block[start : start + len(content)] = content
        return bytes(block)

    return header


def sized(size: bytes) -> Callable[[tarfile.TarInfo], bytes]:
    """Return a header with another field of the size and a right checksum."""

    def header(info: tarfile.TarInfo) -> bytes:
        block = bytearray(damaged(124, size)(info))
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
        return bytes(block)

    return header


@pytest.mark.parametrize(
    "change",
    [
        damaged(148, b"9999"),
        damaged(100, b"\xff\xff"),
        damaged(0, b"\0" * 500),
        sized(b"\xff" * 12),
        sized(b"\x80" + b"\x7f" * 11),
        pax("size", "-1024"),
        pax("size", "9" * 40),
        pax("GNU.sparse.map", "x,y"),
    ],
)
def test_a_damaged_header_costs_its_member(
    tmp_path: Path, change: Callable[[tarfile.TarInfo], bytes]
) -> None:
    tables = read(changed(tmp_path / "0.tar", "1.txt", change), {"alt": "txt"})
    texts = [row["text"] for row in tables["signals"]]
    assert ("txt 0" in texts, "txt 2" in texts) == (True, True)
    assert "bad_member" in [row["reason"] for row in tables["rejects"]]
    # After the header of pax, which has fields of the member's own, the own header is read.
    assert set(texts) <= {"txt 0", "txt 1", "txt 2"}


def test_a_damaged_first_header_costs_its_member(tmp_path: Path) -> None:
    path = write(tmp_path / "0.tar", samples(3))
    path.write_bytes(b"\xff" + path.read_bytes()[1:])
    tables = read(path, {"alt": "txt"})
    assert [row["text"] for row in tables["signals"]] == ["txt 1", "txt 2"]
    assert [row["reason"] for row in tables["rejects"]] == ["bad_member", "no_image"]


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_header_that_would_fill_the_memory_is_a_bad_member(
    tmp_path: Path, kind: bytes, is_first: bool
) -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = kind, tar_members.MAX_EXTENDED + 1
    tar = write(tmp_path / "0.tar", samples(1)).read_bytes()
    large = header.tobuf(tarfile.USTAR_FORMAT) + bytes(tar_members.MAX_EXTENDED + 512)
    (tmp_path / "0.tar").write_bytes(large + tar if is_first else tar + large + tar)
    tables = read(tmp_path / "0.tar", {"alt": "txt"})
    assert {row["text"] for row in tables["signals"]} == {"txt 0"}
    assert "bad_member" in [row["reason"] for row in tables["rejects"]]


def test_further_images_of_a_sample_are_counted(tmp_path: Path) -> None:
    members = [*samples(2), ("1.png", b"other"), ("1.webp", b"another"), ("1.seg.png", b"mask")]
    tables = read(write(tmp_path / "0.tar", members), {"alt": "TXT"})
    assert (len(tables["images"]), len(tables["signals"])) == (2, 2)
    assert tables["skips"] == [{"file": "in/0.tar", "kind": "further_image", "n_records": 2}]


def test_a_name_that_is_not_utf8_is_shown_with_its_bytes(tmp_path: Path) -> None:
    odd = "caf\udce9"
    members = [*samples(1), (f"{odd}.txt", b"a"), *[(f"{odd}2.{e}", b"b") for e in ("jpg", "txt")]]
    tables = read(write(tmp_path / "0.tar", members), {"alt": "txt"})
    assert [row["text"] for row in tables["signals"]] == ["txt 0", "b"]
    assert [row["where"] for row in tables["rejects"]] == ["in/0.tar#caf\\xe9"]


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=2000))
def test_any_bytes_are_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("tar") / "0.tar"
    path.write_bytes(b"\x01" + content)
    with pytest.raises(InputError):
        read(path, {"alt": "txt"})


def test_a_key_that_occurs_twice_in_a_json_member_costs_its_text(tmp_path: Path) -> None:
    twice = b'{"title": "a cat", "title": "a dog", "n": 1, "n": 2}'
    members = [*WHOLE[:2], ("00000.json", twice), ("1.jpg", b"x"), ("1.json", twice)]
    path = write(tmp_path / "0.tar", members)
    tables = read(path, {"alt": "txt", "title": "json.title", "caption": "json.caption"})
    assert [row["text"] for row in tables["signals"]] == ["a cat \u00e9"]
    rejects = [(row["where"], row["reason"], row["value"]) for row in tables["rejects"]]
    assert rejects == [
        ("in/0.tar#00000", "bad_text", "json.title"),
        ("in/0.tar#1", "bad_text", "json.title"),
    ]


def test_a_pointer_in_the_place_of_a_tar_is_named(tmp_path: Path) -> None:
    (tmp_path / "0.tar").write_bytes(POINTER)
    with pytest.raises(UnreadableFile) as caught:
        read(tmp_path / "0.tar", {"alt": "txt"})
    assert caught.value.facts["cause"] == "it is a pointer of Git LFS"
    assert "git lfs pull" in caught.value.help


FILES = {
    "jpg": b"x",
    "txt": b"a cat",
    "json": b'{"title": "Two cats", "page": null}',
    "caption": b"",
}


def test_a_column_that_no_sample_has_is_reported_with_what_may_have_been_meant(
    tmp_path: Path,
) -> None:
    members = [(f"{n}.{e}", FILES[e]) for n in range(3) for e in FILES]
    path = write(tmp_path / "0.tar", members)
    columns = {"alt": "txt", "title": "json.titel", "page": "json.page", "caption": "captoin"}
    tables = read(path, columns | {"lang": "json.qqq"})
    assert [row["text"] for row in tables["signals"]] == ["a cat"] * 3
    assert [(row["kind"], row["n_records"]) for row in tables["skips"]] == [
        ('captoin (did you mean "caption"?)', 3),
        ("json.qqq", 3),
        ('json.titel (did you mean "json.title"?)', 3),
    ]
