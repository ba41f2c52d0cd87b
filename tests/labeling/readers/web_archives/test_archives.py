from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.checks import check
from labeling.keys import ids
from labeling.readers.image_files import Located
from labeling.readers.web_archives import wat
from labeling.readers.web_archives.archives import read_archive, read_stored
from labeling.readers.web_archives.http import Broken, Record
from labeling.readers.web_archives.stored_images import read_stored_images
from labeling.readers.web_archives.warc import read_records
from labeling.schemas import IMAGES, LINKS, PLACEMENTS, REJECTS, SIGNALS
from tests.labeling.warcs import (
    Response,
    arc_head,
    arc_record,
    in_other_case,
    members,
    record,
    revisit,
    with_line_feeds,
    with_type_in_lower_case,
    zstd_warc,
)


def gzipped(content: bytes) -> bytes:
    """Return gzip without a time, which would differ between the processes of a test run."""
    return gzip.compress(content, mtime=0)


PIXEL = b"GIF89a" + bytes(20)
OTHER = b"\x89PNG\r\n\x1a\n" + bytes(30)
PAGE = Response(
    "http://a.org/p.html",
    b'<title>Fruit</title><p>One <img src="apple.gif" alt="apple"> here '
    b'<img src="/moved.png" alt="pear"><img src="http://b.org/far.jpg" alt="plum">'
    b'<a href="q.html" rel="next">more</a>',
)
RESPONSES = (
    PAGE,
    Response("http://a.org/gone.html", b"<img src=x.gif>", status=404),
    Response("http://a.org/apple.gif", PIXEL, "image/gif"),
    Response("http://a.org/moved.png", b"", "text/html", 302, (("Location", "/pear.png"),)),
    Response("http://a.org/pear.png", OTHER, "image/png"),
)


CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(PAGE.body), PAGE.body)


def by_url(url: str) -> Located:
    return Located(ids.digest(url), url, 0)


def tables_of(path: Path) -> dict[str, pa.Table]:
    parts: dict[str, list[pa.Table]] = {}
    for name, rows in read_archive(path, f"web/{path.name}", by_url):
        parts.setdefault(name, []).append(rows)
    return {name: pa.concat_tables(tables) for name, tables in parts.items()}


def skips_of(path: Path) -> dict[str, int]:
    return {row["kind"]: row["n_records"] for row in tables_of(path)["skips"].to_pylist()}


def rejects_of(path: Path) -> list[tuple[str, str, str]]:
    """Return the rejects of readers of pages and of images."""
    tables = [("", tables_of(path)["rejects"]), *read_stored_images(path, path.name)]
    rows = [row for name, rows in tables if name != "stored" for row in rows.to_pylist()]
    return sorted({(row["where"], row["reason"], row["value"]) for row in rows})


def written(tmp_path: Path, name: str) -> Path:
    arc = ".arc" in name
    records = [arc_record(r) if arc else record(r) for r in RESPONSES]
    records = [arc_head(), *records] if arc else records
    path = tmp_path / name
    path.write_bytes(members(records) if name.endswith(".gz") else b"".join(records))
    return path


@pytest.mark.parametrize("name", ["x.warc", "x.warc.gz", "x.arc", "x.arc.gz"])
def test_every_kind_of_archive_gives_the_same(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, name)
    tables = tables_of(path)
    for schema in (IMAGES, SIGNALS, PLACEMENTS, LINKS, REJECTS):
        check(tables[schema.name], schema)
    assert tables["rejects"].num_rows == 0
    signals = tables["signals"].to_pylist()
    alt = {row["text"]: row["image_id"] for row in signals if row["source"] == "alt"}
    assert alt == {
        "apple": ids.digest(PIXEL),
        "pear": ids.digest(OTHER),
        "plum": ids.digest("http://b.org/far.jpg"),
    }
    (link,) = tables["links"].to_pylist()
    assert link["dst_page"] == ids.digest("http://a.org/q.html")
    assert (link["anchor"], link["rel"], link["nav"]) == ("more", "next", False)
    for image in tables["images"].to_pylist():
        if image["n_bytes"]:
            archive, offset = image["location"].split("#")
            assert archive == f"web/{name}"
            body = read_stored(path, int(offset)) or b""
            assert (ids.digest(body), len(body)) == (image["image_id"], image["n_bytes"])


@pytest.mark.parametrize(
    ("reference", "stored"),
    [
        ("a b.jpg", "http://a.org/a%20b.jpg"),
        ("é.jpg", "http://a.org/%C3%A9.jpg"),
        ("/%c3%bc", "http://a.org/%C3%BC"),
        ("https://A.org:443/x/../y.jpg#z", "http://a.org/y.jpg"),
        ("\\x.jpg", "http://a.org/x.jpg"),
        ("%C3%A9.jpg", "http://a.org/é.jpg"),
    ],
)
def test_an_image_is_found_however_its_url_is_written(
    tmp_path: Path, reference: str, stored: str
) -> None:
    html = f"<meta charset=utf-8><img src='{reference}' alt=x>".encode()
    page = Response("http://a.org/p.html", html)
    path = tmp_path / "x.warc"
    path.write_bytes(record(page) + record(Response(stored, PIXEL, "image/gif")))
    assert tables_of(path)["images"]["image_id"].to_pylist() == [ids.digest(PIXEL)]


def test_a_wrong_offset_gives_none(tmp_path: Path) -> None:
    path = written(tmp_path, "x.warc.gz")
    assert read_stored(path, 3) is None
    assert read_stored(path, 10**12) is None


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (gzipped(PAGE.body), (("Content-Encoding", "gzip"),)),
        (gzipped(gzipped(PAGE.body)), (("Content-Encoding", "gzip, gzip"),)),
        (PAGE.body, (("Content-Encoding", "gzip"),)),
        (PAGE.body, (("Transfer-Encoding", "chunked"),)),
        (CHUNKED, (("Transfer-Encoding", "chunked"),)),
    ],
)
def test_codings_are_undone_where_the_body_has_them(
    tmp_path: Path, body: bytes, headers: tuple[tuple[str, str], ...]
) -> None:
    path = tmp_path / "x.warc"
    path.write_bytes(record(PAGE._replace(body=body, headers=headers)))
    (item,) = read_records(path, lambda status, mime: True)
    assert isinstance(item, Record) and item.body == PAGE.body


@pytest.mark.parametrize("first", ["", "text/html\r\nContent-Type: "])
def test_the_charset_of_the_header_is_used(tmp_path: Path, first: str) -> None:
    page = Response(
        "http://a.org/",
        "<img src=a.png alt='Æble'>".encode("cp1252"),
        f"{first}text/html; charset=cp1252",
    )
    path = tmp_path / "x.warc"
    path.write_bytes(record(page))
    assert "Æble" in tables_of(path)["signals"]["text"].to_pylist()


def test_wat_gives_images_and_links(tmp_path: Path) -> None:
    links = [
        {"path": "IMG@/src", "url": "/a.png", "alt": "An  apple"},
        {"path": "A@/href", "url": "q.html", "text": "more"},
        {"path": "SCRIPT@/src", "url": "s.js"},
    ]
    html = {"Head": {"Title": "Fruit"}, "Links": links}
    envelope = {
        "WARC-Header-Metadata": {"WARC-Target-URI": "http://a.org/x/p.html"},
        "Payload-Metadata": {"HTTP-Response-Metadata": {"HTML-Metadata": html}},
    }
    block = json.dumps({"Envelope": envelope}).encode()
    head = b"WARC/1.0\r\nWARC-Type: metadata\r\nContent-Type: application/json\r\n"
    records = [
        head + b"Content-Length: %d\r\n\r\n%s\r\n\r\n" % (len(b), b) for b in (b"{", b"[]", block)
    ]
    path = tmp_path / "x.wat.gz"
    path.write_bytes(members(records))
    tables = tables_of(path)
    texts = [(row["source"], row["text"]) for row in tables["signals"].to_pylist()]
    assert texts == [("alt", "An apple"), ("filename", "a"), ("title", "Fruit")]
    assert tables["images"]["location"].to_pylist() == ["http://a.org/a.png"]
    assert tables["links"]["dst_page"].to_pylist() == [ids.digest("http://a.org/x/q.html")]
    assert tables["rejects"]["reason"].to_pylist() == ["bad_record"] * 2


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damage_to_one_record_leaves_the_others(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    pages = [PAGE._replace(url=f"http://a.org/{i}.html") for i in range(8)]
    parts = [gzipped(record(page)) for page in pages]
    hurt = data.draw(st.integers(0, 7))
    offset = data.draw(st.integers(12, len(parts[hurt]) - 1))
    bad = bytearray(parts[hurt])
    bad[offset] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.mktemp("damage") / "x.warc.gz"
    path.write_bytes(b"".join([*parts[:hurt], bytes(bad), *parts[hurt + 1 :]]))
    records = list(read_records(path, lambda status, mime: True))
    whole = [r.url for r in records if isinstance(r, Record) and r.body == PAGE.body]
    expected = [page.url for page in pages]
    assert [url for url in whole if url != expected[hurt]] == expected[:hurt] + expected[hurt + 1 :]
    assert expected[hurt] in whole or any(isinstance(r, Broken) for r in records)


@pytest.mark.parametrize("name", ["x.warc", "x.arc.gz"])
def test_responses_that_are_of_no_use_are_counted_by_kind(tmp_path: Path, name: str) -> None:
    others = [
        Response("http://a.org/s.css", b"p {}", "text/css"),
        Response("http://a.org/t.css", b"p {}", "text/css"),
        Response("http://a.org/d", b"%PDF-1.4", "application/pdf"),
    ]
    one_record = arc_record if ".arc" in name else record
    records = [one_record(response) for response in (*RESPONSES, *others)]
    records = [arc_head(), *records] if ".arc" in name else records
    (tmp_path / name).write_bytes(members(records) if name.endswith("gz") else b"".join(records))
    assert tables_of(tmp_path / name)["skips"].to_pylist() == [
        {"file": f"web/{name}", "kind": kind, "n_records": n}
        for kind, n in (
            ("application/pdf", 1),
            *([("filedesc record", 1)] if ".arc" in name else []),
            ("status 404", 1),
            ("text/css", 2),
        )
    ]


def test_kinds_of_responses_without_end_are_counted_together(tmp_path: Path) -> None:
    types = [f"x/{n}" for n in range(60)] + ["x/" + "y" * 100]
    others = [Response(f"http://a.org/{n}", b"\0", mime) for n, mime in enumerate(types)]
    (tmp_path / "x.warc").write_bytes(b"".join(map(record, others)))
    numbers = skips_of(tmp_path / "x.warc")
    assert len(numbers) == 51
    assert numbers["other types"] == 11


def test_records_that_are_not_used_are_counted_by_their_type(tmp_path: Path) -> None:
    kinds = ["warcinfo", "request", "metadata", "conversion", "continuation", "note"]
    page = revisit("http://a.org/q.html", PAGE.url, None).replace(b"image/gif", b"text/html")
    image = revisit("http://a.org/b.gif", "http://a.org/apple.gif", None)
    name = record(Response("dns:a.org", b""), block=b"1.2.3.4", fields="Content-Type: text/dns\r\n")
    records = [*(record(PAGE, kind=kind) for kind in kinds), page, image, name]
    (tmp_path / "x.warc").write_bytes(b"".join(records))
    assert skips_of(tmp_path / "x.warc") == {
        **{f"{kind} record": 1 for kind in [*kinds[:-1], "revisit", "unknown"]},
        "text/dns": 1,
    }
    assert rejects_of(tmp_path / "x.warc") == []


@pytest.mark.parametrize("fields", ["", "Content-Type: text/html\r\n", "content-type: x\r\n"])
def test_a_response_is_read_whatever_type_its_record_has(tmp_path: Path, fields: str) -> None:
    (tmp_path / "x.warc").write_bytes(record(PAGE, fields=fields))
    assert tables_of(tmp_path / "x.warc")["pages"]["url"].to_pylist() == [PAGE.url]


@pytest.mark.parametrize("name", ["x.warc", "x.warc.gz", "x.arc", "x.arc.gz", "x.wat"])
@pytest.mark.parametrize("content", [b"", b"\r\n\r\n", gzipped(b"")])
def test_an_archive_without_records_is_one_reject(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    rejects = tables_of(tmp_path / name)["rejects"].to_pylist()
    assert [(row["where"], row["reason"]) for row in rejects] == [(f"web/{name}#0", "truncated")]


CUT = [
    PAGE._replace(body=gzipped(PAGE.body)[:-9], headers=(("Content-Encoding", "gzip"),)),
    PAGE._replace(body=CHUNKED[:-20], headers=(("Transfer-Encoding", "chunked"),)),
    PAGE._replace(headers=(("Content-Length", "5000"),)),
]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(("x.warc", record(page)) for page in CUT),
        *(("x.arc", arc_record(page)) for page in CUT),
        ("x.warc", record(PAGE, fields="WARC-Truncated: length\r\n")),
        ("x.warc", record(PAGE, fields="WARC-Segment-Number: 1\r\n")),
    ],
)
def test_of_a_page_that_is_cut_the_beginning_is_used_and_the_cut_counted(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    assert "apple" in tables_of(tmp_path / name)["signals"]["text"].to_pylist()
    ((where, reason, _),) = rejects_of(tmp_path / name)
    assert (where, reason) == (PAGE.url, "bad_body")


@pytest.mark.parametrize(
    ("image", "fields"),
    [
        (Response("http://a.org/apple.gif", PIXEL, headers=(("Content-Length", "99"),)), ""),
        (Response("http://a.org/apple.gif", PIXEL), "WARC-Truncated: length\r\n"),
        (Response("http://a.org/apple.gif", b"", "image/gif"), ""),
    ],
)
def test_an_image_that_is_cut_is_a_reject_and_has_no_bytes(
    tmp_path: Path, image: Response, fields: str
) -> None:
    path = tmp_path / "x.warc"
    path.write_bytes(record(PAGE) + record(image, fields=fields))
    assert set(tables_of(path)["images"]["n_bytes"].to_pylist()) == {0}
    rejects = {(where, reason) for where, reason, _ in rejects_of(path)}
    assert {reason for _, reason in rejects} == {"bad_body"}
    assert f"x.warc#{len(record(PAGE))}" in {where for where, _ in rejects}


def test_a_body_in_a_coding_is_not_measured_by_its_length(tmp_path: Path) -> None:
    headers = (("Content-Encoding", "gzip"), ("Content-Length", "100000"))
    (tmp_path / "x.warc").write_bytes(record(PAGE._replace(headers=headers)))
    assert rejects_of(tmp_path / "x.warc") == []


def wat_of(links: list[dict[str, str]]) -> bytes:
    envelope = {
        "WARC-Header-Metadata": {"WARC-Target-URI": PAGE.url},
        "Payload-Metadata": {"HTTP-Response-Metadata": {"HTML-Metadata": {"Links": links}}},
    }
    block = json.dumps({"Envelope": envelope}).encode()
    return record(PAGE, block=block, kind="metadata")


def test_wat_gives_images_of_all_attributes(tmp_path: Path) -> None:
    links = [
        {"path": "IMG@/src", "url": "data:image/gif;base64,R0"},
        {"path": "IMG@/data-src", "url": "b.png", "alt": "banana"},
        {"path": "IMG@/srcset", "url": "s.png 1x, c.png 2x"},
        {"path": "SOURCE@/srcset", "url": "d.png"},
        {"path": "SOURCE@/src", "url": "film.mp4"},
        {"path": "IMG@/longdesc", "url": "about.html"},
    ]
    (tmp_path / "x.wat").write_bytes(wat_of(links))
    urls = tables_of(tmp_path / "x.wat")["images"]["location"].to_pylist()
    assert urls == [f"http://a.org/{name}.png" for name in "bcd"]


def test_wat_counts_images_and_links_beyond_the_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wat, "MAX_IMAGES", 2)
    monkeypatch.setattr(wat, "MAX_LINKS", 1)
    images = [{"path": "IMG@/src", "url": f"{n}.png"} for n in range(5)]
    links = [{"path": "A@/href", "url": f"{n}"} for n in range(5)]
    (tmp_path / "x.wat").write_bytes(wat_of(images + links))
    assert [(reason, value) for _, reason, value in rejects_of(tmp_path / "x.wat")] == [
        ("too_many_images", "3 more"),
        ("too_many_links", "4 more"),
    ]


def test_wat_counts_metadata_of_other_records_than_pages(tmp_path: Path) -> None:
    of_types: list[dict[str, object]] = [
        {"WARC-Header-Metadata": {"WARC-Type": "request"}},
        {"WARC-Header-Metadata": {"WARC-Type": "response"}},
        {
            "WARC-Header-Metadata": {"WARC-Type": "response"},
            "Payload-Metadata": {
                "HTTP-Response-Metadata": {"Headers": {"Content-Type": "text/css; charset=x"}}
            },
        },
    ]
    blocks = [json.dumps({"Envelope": envelope}).encode() for envelope in of_types]
    records = [record(PAGE, block=block, kind="metadata") for block in blocks]
    (tmp_path / "x.wat").write_bytes(b"".join([record(PAGE, kind="warcinfo"), *records]))
    assert skips_of(tmp_path / "x.wat") == {
        "no type": 1,
        "request record": 1,
        "text/css": 1,
        "warcinfo record": 1,
    }


def packed(records: list[bytes], coding: str) -> bytes:
    """Return records as a file: plain, in gzip, or in Zstandard with a dictionary of some kind."""
    if coding in ("", "gzip"):
        return members(records) if coding else b"".join(records)
    return zstd_warc(records, coding)


IMAGE_OF_WAT = {"path": "IMG@/src", "url": "/0.png", "alt": "apple"}


def metadata(html: dict[str, object], status: str = "200") -> bytes:
    response = {"HTML-Metadata": html, "Response-Message": {"Status": status}}
    header = {"WARC-Target-URI": "<http://a.org/>"}
    payload = {"HTTP-Response-Metadata": response}
    envelope = {"WARC-Header-Metadata": header, "Payload-Metadata": payload}
    return record(PAGE, block=json.dumps({"Envelope": envelope}).encode(), kind="metadata")


@pytest.mark.parametrize(
    "odd",
    [
        {"Links": ["x", IMAGE_OF_WAT]},
        {"Links": [{"path": "A@/href", "url": ["x"]}, IMAGE_OF_WAT]},
        {"Links": [{"path": "IMG@/src", "url": 5}, IMAGE_OF_WAT]},
        {"Links": [{**IMAGE_OF_WAT, "title": {}}]},
        {"Head": {"Metas": [None]}},
        {"Head": {"Metas": {"name": "description"}}},
        {"Head": {"Metas": [{"name": ["x"]}]}},
        {"Head": {"Base": {}}},
        {"Head": {"Title": ["x"]}},
        {"Head": ["x"]},
    ],
)
def test_an_odd_entry_of_wat_costs_that_entry(tmp_path: Path, odd: dict[str, object]) -> None:
    (tmp_path / "x.wat").write_bytes(metadata({"Links": [IMAGE_OF_WAT]} | odd))
    tables = tables_of(tmp_path / "x.wat")
    assert "apple" in tables["signals"]["text"].to_pylist()
    assert tables["rejects"]["reason"].to_pylist() == ["bad_entry"]


def test_images_of_opengraph_are_read_from_wat(tmp_path: Path) -> None:
    metas = [
        {"property": "og:title", "content": "Fruit"},
        {"name": "og:image", "content": "/pear.jpg"},
        {"property": "og:image:alt", "content": "a pear"},
        {"property": "og:image", "content": IMAGE_OF_WAT["url"]},
        {"name": "x", "content": "y"},
    ]
    inlined = {"path": "IMG@/src", "url": "data:image/png;base64," + "A" * 400}
    html = {"Head": {"Metas": metas}, "Links": [IMAGE_OF_WAT, inlined, inlined]}
    (tmp_path / "x.wat").write_bytes(metadata(html))
    tables = tables_of(tmp_path / "x.wat")
    rows = tables["signals"].to_pylist()
    by_image: dict[str, set[tuple[str, str]]] = {row["image_id"]: set() for row in rows}
    for row in rows:
        by_image[row["image_id"]].add((row["source"], row["text"]))
    apple, pear = sorted(by_image.values(), key=min)
    assert {("alt", "apple"), ("og_title", "Fruit")} <= apple
    assert pear == {("filename", "pear"), ("og_title", "Fruit"), ("og_alt", "a pear")}
    assert len(tables["rejects"]) == 0
    (skip,) = tables["skips"].to_pylist()
    assert skip == {"file": "web/x.wat", "kind": "inlined_image", "n_records": 2}


def test_a_text_that_occurs_twice_in_wat_is_an_odd_entry(tmp_path: Path) -> None:
    written = metadata({"Links": [IMAGE_OF_WAT | {"alb": "pear"}]})
    (tmp_path / "x.wat").write_bytes(written.replace(b'"alb"', b'"alt"'))
    tables = tables_of(tmp_path / "x.wat")
    assert tables["placements"].num_rows == 1
    assert tables["signals"].num_rows == 0
    (reject,) = tables["rejects"].to_pylist()
    assert (reject["reason"], reject["value"]) == ("bad_entry", '["apple", "pear"]')


def test_wat_is_read_as_the_archive_that_it_describes(tmp_path: Path) -> None:
    metas = [{"name": "Description", "content": "Red"}, {"name": "description", "content": "Blue"}]
    html: dict[str, object] = {"Head": {"Metas": metas}, "Links": [IMAGE_OF_WAT]}
    (tmp_path / "x.wat").write_bytes(metadata(html) + metadata(html, "404"))
    tables = tables_of(tmp_path / "x.wat")
    assert tables["signals"]["text"].to_pylist() == ["apple", "Red"]
    assert tables["pages"]["url"].to_pylist() == ["http://a.org/"]
    assert skips_of(tmp_path / "x.wat") == {"status 404": 1}


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize(
    ("url", "mime", "before"),
    [
        ("http://a.org/an apple.html", "text/html", b""),
        ("HTTP://A.org/", "text/html", b""),
        ("http://a.org/", "text/html; charset=utf-8", b""),
        ("http://a.org/", "", b""),
        ("http://a.org/", "text/html", b"\n\r\n"),
    ],
)
def test_headers_of_arc_are_read_as_crawlers_write_them(
    tmp_path: Path, url: str, mime: str, before: bytes, compressed: bool
) -> None:
    records = [arc_head(), before + arc_record(Response(url, PAGE.body, mime)), arc_record(PAGE)]
    path = tmp_path / ("x.arc.gz" if compressed else "x.arc")
    path.write_bytes(members(records) if compressed else b"".join(records))
    tables = tables_of(path)
    assert (tables["pages"].num_rows, tables["rejects"].num_rows) == (2, 0)
    assert skips_of(path) == {"filedesc record": 1}


@pytest.mark.parametrize("other", [in_other_case, with_line_feeds, with_type_in_lower_case])
@pytest.mark.parametrize("coding", ["", "gzip", "none", "plain", "compressed"])
def test_headers_of_records_may_have_names_in_any_case_and_lines_of_any_end(
    tmp_path: Path, coding: str, other: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "x.warc"
    records = [record(response) for response in RESPONSES]
    path.write_bytes(packed(records, coding))
    usual = tables_of(path)
    path.write_bytes(packed([*map(other, records)], coding))
    tables = tables_of(path)
    for table in ("signals", "placements", "links", "skips", "rejects"):
        assert tables[table].equals(usual[table])
    for image in tables["images"].to_pylist():
        if image["n_bytes"]:
            body = read_stored(path, int(image["location"].rpartition("#")[2])) or b""
            assert ids.digest(body) == image["image_id"]


@pytest.mark.parametrize(
    "damaged",
    [
        b"WARC/1.0\r\nwarc-type: response\r\n\r\n",
        b"WARC/3 x\r\nwarc-type: response\r\ncontent-length: 2\r\n\r\nxx",
    ],
)
def test_the_case_of_names_may_differ_in_one_file_and_damage_costs_a_record(
    tmp_path: Path, damaged: bytes
) -> None:
    pages = [PAGE._replace(url=f"http://a.org/{n}.html") for n in range(5)]
    records = [record(page) for page in pages]
    for n in (1, 3):
        records[n] = in_other_case(records[n])
    records[2] = damaged
    for coding in ("", "gzip", "none", "plain"):
        (tmp_path / "x.warc").write_bytes(packed(records, coding))
        items = list(read_records(tmp_path / "x.warc", lambda status, mime: True))
        assert [item.url[-6] for item in items if isinstance(item, Record)] == ["0", "1", "3", "4"]
        assert [item.reason for item in items if isinstance(item, Broken)] == ["truncated"]


def test_records_of_other_names_in_one_member_are_one_reject(tmp_path: Path) -> None:
    content = gzipped(b"".join(in_other_case(record(page)) for page in (PAGE, PAGE)))
    (tmp_path / "x.warc.gz").write_bytes(content)
    items = list(read_records(tmp_path / "x.warc.gz", lambda status, mime: True))
    assert isinstance(items[0], Record) and isinstance(items[1], Broken)
    assert items[1].reason == "shared_member" and len(items) == 2


@pytest.mark.parametrize("ending", ["warc", "warc.gz", "warc.zst", "arc", "arc.gz", "wat", "wacz"])
def test_a_pointer_in_the_place_of_an_archive_is_named(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"x.{ending}"
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n")
    rejects = {(row["reason"], row["value"]) for row in tables_of(path)["rejects"].to_pylist()}
    assert rejects == {("truncated", "it is a pointer of Git LFS")}


@pytest.mark.parametrize("n_zeros", [1, 99, 70_000])
@pytest.mark.parametrize("ending", ["warc.gz", "arc.gz"])
def test_zeros_at_the_end_of_a_compressed_file_do_not_count_as_damage(
    tmp_path: Path, ending: str, n_zeros: int
) -> None:
    as_record = record if ending == "warc.gz" else arc_record
    path = tmp_path / f"x.{ending}"
    for last, n_rejects in ((b"", 0), (b"x", 1)):
        path.write_bytes(members([as_record(PAGE)]) + bytes(n_zeros) + last)
        tables = tables_of(path)
        assert (tables["pages"].num_rows, tables["rejects"].num_rows) == (1, n_rejects)
    path.write_bytes(members([as_record(PAGE)] * 2)[:-20] + bytes(n_zeros))
    assert tables_of(path)["rejects"]["reason"].to_pylist() == ["truncated"]
