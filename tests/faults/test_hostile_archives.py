"""Damaged and hostile archives and pages."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from labeling.html.page import MAX_LINKS, MAX_PAGE_BYTES, read_page
from labeling.readers.image_files import Located
from labeling.readers.web_archives.archives import read_archive
from labeling.readers.web_archives.http import Broken, Record
from labeling.readers.web_archives.warc import read_records
from tests.labeling.warcs import Response, arc_head, arc_record, members, record

PAGES = [Response(f"http://a.org/{i}.html", b"<p>page %d" % i) for i in range(5)]


def outcome(path: Path) -> tuple[list[str], list[str]]:
    """Return the last letters of the URLs read, and the reasons of the rejected records."""
    records = list(read_records(path, lambda status, mime: True))
    urls = [r.url.rsplit("/", 1)[1][0] for r in records if isinstance(r, Record)]
    return urls, [b.reason for b in records if isinstance(b, Broken)]


def test_cut_in_mid_record_keeps_the_earlier_ones(tmp_path: Path) -> None:
    parts = [members([record(page)]) for page in PAGES]
    path = tmp_path / "x.warc.gz"
    path.write_bytes(b"".join(parts[:3]) + parts[3][: len(parts[3]) // 2])
    assert outcome(path) == (["0", "1", "2"], ["truncated"])
    path = tmp_path / "x.warc"
    path.write_bytes(b"".join(record(page) for page in PAGES)[:-10])
    assert outcome(path) == (["0", "1", "2", "3"], ["truncated"])


def test_a_wrong_checksum_loses_one_record(tmp_path: Path) -> None:
    parts = [bytearray(members([record(page)])) for page in PAGES]
    parts[2][-8] ^= 0xFF
    path = tmp_path / "x.warc.gz"
    path.write_bytes(b"".join(parts))
    assert outcome(path) == (["0", "1", "3", "4"], ["truncated"])


@pytest.mark.parametrize("compressed", [True, False])
def test_a_length_beyond_the_bytes_loses_one_record(tmp_path: Path, compressed: bool) -> None:
    records = [record(page, 100_000 if i == 1 else None) for i, page in enumerate(PAGES)]
    path = tmp_path / ("x.warc.gz" if compressed else "x.warc")
    path.write_bytes(members(records) if compressed else b"".join(records))
    assert outcome(path) == (["0", "2", "3", "4"], ["truncated"])


def test_a_length_that_swallows_the_next_record_loses_one(tmp_path: Path) -> None:
    swallowing = len(record(PAGES[1])) - 10 + len(record(PAGES[2]))
    records = [record(page, swallowing if i == 1 else None) for i, page in enumerate(PAGES)]
    path = tmp_path / "x.warc"
    path.write_bytes(b"".join(records))
    assert outcome(path) == (["0", "2", "3", "4"], ["truncated"])


def test_a_length_of_arc_that_swallows_the_next_record_loses_one(tmp_path: Path) -> None:
    records = [arc_record(page) for page in PAGES]
    both = records[1] + records[2]
    head, block = both.split(b"\n", 1)
    longer = head.rpartition(b" ")[0] + b" %d\n" % (len(block) - 1)
    path = tmp_path / "x.arc"
    path.write_bytes(arc_head() + b"".join([records[0], longer + block, *records[3:]]))
    assert outcome(path) == (["0", "2", "3", "4"], ["truncated"])


@pytest.mark.parametrize("part", [b" 1 20080101", b" x 20080101 ;", b" ", b"a:"])
def test_long_headers_of_arc_are_read_in_linear_time(tmp_path: Path, part: bytes) -> None:
    path = tmp_path / "x.arc"
    path.write_bytes((b"a:" + part * (16_000 // len(part)) + b"\n") * 60)
    begin = time.monotonic()
    assert outcome(path)[1][0] == "truncated"
    assert time.monotonic() - begin < 2


def test_a_damaged_arc_member_loses_one_record(tmp_path: Path) -> None:
    parts = [bytearray(members([member])) for member in (arc_head(), *map(arc_record, PAGES))]
    parts[2][-8] ^= 0xFF
    path = tmp_path / "x.arc.gz"
    path.write_bytes(b"".join(parts))
    assert outcome(path) == (["0", "2", "3", "4"], ["truncated"])


def test_a_file_that_is_not_an_archive_is_one_loss(tmp_path: Path) -> None:
    for name in ("x.warc", "x.warc.gz", "x.arc", "x.arc.gz"):
        path = tmp_path / name
        path.write_bytes(b"not an archive at all\n" * 100)
        assert outcome(path) == ([], ["truncated"])
        path.write_bytes(b"")
        assert outcome(path) == ([], ["truncated"])


def test_the_type_of_a_body_of_comments_is_recognised_soon(tmp_path: Path) -> None:
    path = tmp_path / "x.warc"
    stored = [Response("http://a.org/", b"<!--a-->" * 170 + b"<p>", "text/plain")]
    stored.append(Response("http://a.org/", b"<!--a-->" * 100 + b"<html>", "text/plain"))
    path.write_bytes(b"".join(map(record, stored)))
    begin = time.monotonic()
    records = read_records(path, lambda status, mime: True)
    assert [r.head.mime for r in records if isinstance(r, Record)] == ["text/plain", "text/html"]
    assert time.monotonic() - begin < 1


@pytest.mark.parametrize("name", ["x.warc", "x.arc"])
def test_a_header_of_http_that_is_too_long_is_a_reject(tmp_path: Path, name: str) -> None:
    cookies = (("Set-Cookie", "x" * 70_000),)
    stored = [Response("http://a.org/", b"<img src=x.gif>", headers=cookies), PAGES[3]]
    path = tmp_path / name
    path.write_bytes(b"".join(map(arc_record if name == "x.arc" else record, stored)))
    assert outcome(path) == (["3"], ["bad_record"])


def test_long_texts_of_many_images_are_written_before_memory_is_full(tmp_path: Path) -> None:
    text = b"word " * 2000
    html = b"<title>%s</title><h1>%s</h1>%s" % (text, text, b"<img src=x.gif>" * 1000)
    path = tmp_path / "x.warc.gz"
    path.write_bytes(members([record(Response(f"http://a.org/{n}", html)) for n in range(6)]))
    tables = [rows for name, rows in read_archive(path, "x", lambda url: Located("", url, 0))]
    assert sum(rows.num_rows for rows in tables) > 6000
    assert max(rows.nbytes for rows in tables) < 100 << 20


def test_out_links_are_capped_alike_in_any_order() -> None:
    links = [b"<a href=/%d>x</a>" % i for i in range(MAX_LINKS + 500)]
    forward = read_page(b"".join(links), "http://a.org/")
    backward = read_page(b"".join(links[::-1]), "http://a.org/")
    assert len(forward.links) == MAX_LINKS
    assert set(forward.links) == set(backward.links)
    assert forward.losses == (("too_many_links", f"{MAX_LINKS + 500} links"),)


@pytest.mark.parametrize(
    "tag", [b"<div>", b"<b>", b"<a href=x>", b"<p><b><i>", b"<table>", b"<figure>", b"<picture>"]
)
def test_a_deep_page_is_read_soon(tag: bytes) -> None:
    began = time.process_time()
    page = read_page(tag * 90_000 + b"<img src=a.png alt=cat>tail", "http://a.org/")
    assert time.process_time() - began < 5
    assert [text.text for text in page.images[0].texts if text.source == "alt"] == ["cat"]


def test_a_huge_attribute_and_a_huge_page_are_cut() -> None:
    page = read_page(b"<img alt='" + b"a" * (2 * MAX_PAGE_BYTES) + b"' src=x>", "http://a.org/")
    assert page.images == ()
    assert page.losses == (("too_large", "http://a.org/"),)


@pytest.mark.parametrize("charset", ["utf-7", "no-such", "", "utf-16", "x-user-defined"])
def test_any_declared_charset_is_survived(charset: str) -> None:
    assert len(read_page(b"<img src=a.png alt=cat>" * 3, "http://a.org/", charset).images) in (0, 3)


def test_a_wrong_charset_hides_no_image_and_makes_none() -> None:
    page = "<title>Æble</title><img src=a.png alt='Æble'>".encode("cp1252")
    assert [image.url for image in read_page(page, "http://a.org/", "utf-8").images] == [
        "http://a.org/a.png"
    ]
    in_utf7 = b"<meta charset=utf-7>+ADw-img src+AD0-a.png alt+AD0-cat+AD4-"
    assert read_page(in_utf7, "http://a.org/", "utf-7").images == ()
    assert read_page(in_utf7, "http://a.org/").images == ()
