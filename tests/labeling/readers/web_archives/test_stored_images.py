"""Images of archives, found by their URLs over all archives."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from pathlib import Path

import pyarrow as pa
import pytest

from labeling.keys import ids
from labeling.readers.image_files import Located
from labeling.readers.web_archives.archive_files import archives_in
from labeling.readers.web_archives.archives import read_archive, read_stored
from labeling.readers.web_archives.image_index import ROWS, ImageIndex
from labeling.readers.web_archives.stored_images import first_rows, index_of, read_stored_images
from tests.labeling.warcs import (
    Response,
    arc_head,
    arc_record,
    members,
    record,
    revisit,
    wacz,
    zstd_warc,
)

PIXEL = b"GIF89a" + bytes(20)
OTHER = b"\x89PNG\r\n\x1a\n" + bytes(30)
IMAGE = Response("http://a.org/x.gif", PIXEL, "image/gif")
PAGE = Response("http://a.org/", b'<img src="/x.gif" alt="an apple">')
PAYLOAD = "sha1:3I42H3S6NNFQ2MSVX7XZKYAYSCX5QBYJ"


def index(folder: Path, files: dict[str, bytes]) -> ImageIndex:
    """Return the index of archives with these names and contents."""
    tables = [ROWS.empty_table()]
    for name, content in files.items():
        (folder / name).write_bytes(content)
        tables += [t for kind, t in read_stored_images(folder / name, name) if kind == "stored"]
    return index_of(pa.concat_tables(tables))


def redirect(url: str, target: str) -> bytes:
    return record(Response(url, b"", "text/html", 302, (("Location", target),)))


def image(url: str, body: bytes = PIXEL) -> bytes:
    return record(Response(url, body, "image/gif"))


def test_an_image_is_found_in_another_archive_over_redirects(tmp_path: Path) -> None:
    stored = index(
        tmp_path,
        {
            "a.warc": redirect("http://a.org/1", "https://b.org/2"),
            "b.warc": redirect("http://b.org/2", "/3"),
            "c.warc.gz": members([record(PAGE), image("http://b.org/3")]),
        },
    )
    located = stored.find("https://a.org/1")
    assert located is not None
    assert located == (ids.digest(PIXEL), f"c.warc.gz#{len(members([record(PAGE)]))}", len(PIXEL))
    assert stored.find("https://a.org/2") is None


def test_five_redirects_are_followed_and_circles_end(tmp_path: Path) -> None:
    chain = [redirect(f"http://a.org/{n}", f"/{n + 1}") for n in range(6)]
    circle = [redirect("http://b.org/1", "/2"), redirect("http://b.org/2", "/1")]
    stored = index(tmp_path, {"a.warc": b"".join([*chain, *circle, image("http://a.org/6")])})
    assert stored.find("http://a.org/0") is None
    assert stored.find("http://a.org/1") is not None
    assert stored.find("http://b.org/1") is None


def test_a_redirect_from_http_to_https_hides_no_other(tmp_path: Path) -> None:
    records = [
        redirect("http://a.org/1", "https://a.org/1"),
        redirect("https://a.org/1", "https://a.org/2"),
        image("https://a.org/2"),
    ]
    assert index(tmp_path, {"a.warc": b"".join(records)}).find("http://a.org/1") is not None


def test_the_archive_of_the_page_comes_first_and_then_the_first_by_name(tmp_path: Path) -> None:
    files = {
        "b.warc": image("http://a.org/x", b"GIF89a b") + image("http://a.org/x", b"GIF89a later"),
        "c.warc": redirect("http://a.org/x", "http://a.org/nowhere"),
        "a.warc": image("http://a.org/x", b"GIF89a a"),
    }
    for names in (["a.warc", "b.warc", "c.warc"], ["c.warc", "b.warc", "a.warc"]):
        stored = index(tmp_path, {name: files[name] for name in names})
        located = {
            name: stored.find("http://a.org/x", stored.archives_of(name))
            for name in (*names, "d.warc")
        }
        assert {name: image and image.image_id for name, image in located.items()} == {
            "a.warc": ids.digest(b"GIF89a a"),
            "b.warc": ids.digest(b"GIF89a b"),
            "c.warc": ids.digest(b"GIF89a a"),
            "d.warc": ids.digest(b"GIF89a a"),
        }


def test_rows_in_parts_give_the_same_as_together(tmp_path: Path) -> None:
    """As in a bucket with too many rows to be held at once."""
    (tmp_path / "a.warc").write_bytes(b"".join(image(f"http://a.org/{n % 3}") for n in range(9)))
    rows = dict(read_stored_images(tmp_path / "a.warc", "a.warc"))["stored"]
    parts = pa.concat_tables([first_rows(rows.slice(n, 4)) for n in (4, 8, 0)])
    assert first_rows(parts).equals(first_rows(rows))
    assert len(first_rows(rows)) == 3


@pytest.mark.parametrize("refers", ["http://a.org/x.gif", None])
def test_a_revisit_is_resolved_by_its_digest_or_its_url(tmp_path: Path, refers: str | None) -> None:
    field = f"WARC-Payload-Digest: {PAYLOAD}\r\nWARC-Date"
    stored = record(IMAGE).replace(b"WARC-Date", field.encode())
    digest = None if refers else PAYLOAD
    archives = {"a.warc": revisit("http://b.org/y", refers, digest), "b.warc": stored}
    located = index(tmp_path, archives).find("http://b.org/y")
    assert located is not None and located.image_id == ids.digest(PIXEL)
    assert index(tmp_path, {"b.warc": stored}).find("http://b.org/y") is None


def test_images_of_an_archive_that_is_compressed_as_a_whole_are_not_taken(tmp_path: Path) -> None:
    whole = gzip.compress(record(PAGE) + record(IMAGE) + redirect("http://a.org/1", "/x.gif"))
    assert index(tmp_path, {"a.warc.gz": whole}).find(IMAGE.url) is None
    stored = index(tmp_path, {"a.warc.gz": whole, "b.warc": record(IMAGE)})
    located = stored.find("http://a.org/1")
    assert located is not None and located.location == "b.warc#0"


def images_of(path: Path) -> list[dict[str, object]]:
    tables = read_archive(path, path.name, lambda url: Located(ids.digest(url), url, 0))
    return [row for name, rows in tables if name == "images" for row in rows.to_pylist()]


def rejects_of(path: Path) -> list[tuple[str, str]]:
    tables = read_archive(path, path.name, lambda url: Located(ids.digest(url), url, 0))
    rows = [row for name, rows in tables if name == "rejects" for row in rows.to_pylist()]
    return [(row["where"], row["reason"]) for row in rows]


def check_one_image(path: Path) -> None:
    (row,) = images_of(path)
    assert row["image_id"] == ids.digest(PIXEL)
    archive, _, offset = str(row["location"]).rpartition("#")
    assert read_stored(path.parent / archive, int(offset)) == PIXEL


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_wacz_is_read_and_its_images_again(tmp_path: Path, method: int) -> None:
    contents = {
        "archive/page.warc.gz": members([record(PAGE)]),
        "archive/images.warc.gz": members([record(Response("http://c.org/", b"")), record(IMAGE)]),
        "indexes/index.cdx.gz": b"",
    }
    path = tmp_path / "x.wacz"
    path.write_bytes(wacz(contents, method))
    check_one_image(path)
    assert rejects_of(path) == []
    assert [name for _, name in archives_in(path, "web/x.wacz")[0]] == [
        "web/x.wacz#archive/images.warc.gz",
        "web/x.wacz#archive/page.warc.gz",
    ]
    assert read_stored(tmp_path / "x.wacz#archive/none.warc.gz", 0) is None


def test_files_in_a_wacz_that_are_not_read_are_counted_by_ending(tmp_path: Path) -> None:
    contents = {
        "archive/a.warc": record(PAGE),
        "archive/b.warc.bz2": b"",
        "archive/__MACOSX/._a.warc": b"\0\5\x16\7",
        "more.wacz": wacz({"archive/c.warc": record(IMAGE)}),
        "indexes/LICENSE": b"",
    }
    path = tmp_path / "x.wacz"
    path.write_bytes(wacz(contents))
    tables = read_archive(path, path.name, lambda url: None)
    rows = [row for name, rows in tables if name == "skips" for row in rows.to_pylist()]
    counted = sorted((row["kind"], row["n_records"]) for row in rows if row["file"] == "x.wacz")
    kinds = (".bz2", ".json", ".wacz", "hidden", "without ending")
    assert counted == [(kind, 1) for kind in kinds]
    assert rejects_of(path) == []


def test_an_encrypted_archive_in_a_wacz_is_one_reject(tmp_path: Path) -> None:
    content = bytearray(wacz({"archive/a.warc": record(PAGE)}))
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.rindex(mark) + flags] |= 1
    path = tmp_path / "x.wacz"
    path.write_bytes(content)
    assert rejects_of(path) == [("x.wacz#archive/a.warc#0", "truncated")]


def test_a_damaged_wacz_or_one_without_archives_is_one_reject(tmp_path: Path) -> None:
    path = tmp_path / "x.wacz"
    path.write_bytes(wacz({"archive/a.warc": record(PAGE)})[:-30])
    assert rejects_of(path) == [("x.wacz#", "truncated")]
    path = tmp_path / "y.wacz"
    path.write_bytes(wacz({"a.txt": b""}))
    assert rejects_of(path) == [("y.wacz#", "truncated")]


@pytest.mark.parametrize("dictionary", ["none", "plain", "compressed"])
def test_zstandard_frames_with_a_dictionary_are_read_and_found_again(
    tmp_path: Path, dictionary: str
) -> None:
    path = tmp_path / "x.warc.zst"
    path.write_bytes(zstd_warc([record(PAGE), record(IMAGE)], dictionary))
    check_one_image(path)
    assert rejects_of(path) == []


def test_a_damaged_dictionary_is_one_reject(tmp_path: Path) -> None:
    content = bytearray(zstd_warc([record(PAGE)], "plain"))
    content[17:40] = bytes(23)
    path = tmp_path / "x.warc.zst"
    path.write_bytes(content)
    assert rejects_of(path) == [("x.warc.zst#0", "truncated")]


def test_damage_of_a_zstandard_frame_costs_its_record(tmp_path: Path) -> None:
    records = [record(PAGE), record(PAGE._replace(url="http://b.org/")), record(IMAGE)]
    frames = [zstd_warc([content], "none") for content in records]
    frames[1] = frames[1][:5] + b"\xff" * 5 + frames[1][10:]
    path = tmp_path / "x.warc.zst"
    path.write_bytes(b"".join(frames))
    check_one_image(path)
    assert [reason for _, reason in rejects_of(path)] == ["truncated"]


def raw_deflate(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(content) + packer.flush()


def block_of(head: str, body: bytes) -> bytes:
    return head.encode() + body


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("HTTP/1.1 200 OK\nContent-Type: text/html\n\n", PAGE.body),
        ("HTTP/2 200\r\nContent-Type: text/html\r\n\r\n", PAGE.body),
        ("ICY 200 OK\r\nContent-Type:text/html;\r\n charset=utf-8\r\n\r\n", PAGE.body),
        ("HTTP/1.0 200\r\n\r\n", b"<!-- x -->\n<html>" + PAGE.body),
        ("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n", b"<!DOCTYPE html>" + PAGE.body),
        ("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n", b"<p>" + PAGE.body),
        (
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: deflate\r\n\r\n",
            raw_deflate(PAGE.body),
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\n\r\n",
            raw_deflate(b"<html>" + PAGE.body * 2000),
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: deflate\r\n\r\n",
            zlib.compress(PAGE.body),
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: deflate\r\n\r\n",
            b"<html>" + PAGE.body,
        ),
    ],
)
@pytest.mark.parametrize("ending", ["warc", "warc.gz", "arc", "arc.gz"])
@pytest.mark.parametrize("image_type", [None, "application/octet-stream", "text/html"])
def test_headers_codings_and_types_are_read_as_servers_write_them(
    tmp_path: Path, head: str, body: bytes, ending: str, image_type: str | None
) -> None:
    write = arc_record if ending.startswith("arc") else record
    lines = [] if image_type is None else [f"Content-Type: {image_type}\n"]
    blocks = [
        (PAGE, block_of(head, body)),
        (IMAGE, block_of(f"HTTP/1.1 200 OK\n{''.join(lines)}\n", PIXEL)),
    ]
    records = [write(response, block=block) for response, block in blocks]
    if ending.startswith("arc"):
        records.insert(0, arc_head())
    path = tmp_path / f"x.{ending}"
    path.write_bytes(members(records) if ending.endswith("gz") else b"".join(records))
    rows = images_of(path)
    assert {row["image_id"] for row in rows} == {ids.digest(PIXEL)}
    assert rejects_of(path) == []


def test_a_header_without_a_body_has_none(tmp_path: Path) -> None:
    path = tmp_path / "x.warc"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html"
    path.write_bytes(record(PAGE, block=head) + record(PAGE) + record(IMAGE))
    check_one_image(path)
