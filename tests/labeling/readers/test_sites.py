from __future__ import annotations

import zipfile
from pathlib import Path

import pyarrow as pa
import pytest

from labeling.errors import InputError
from labeling.keys import ids
from labeling.readers.image_files import Locator
from labeling.readers.site_names import SCRIPT_SUFFIXES
from labeling.readers.sites import other_files, read_site, site_pages
from labeling.readers.zips import read_zipped

FILES = {
    "a.org/index.html": b'<title>Fruit</title><img src="/img/Red apple.jpg" alt="an apple">',
    "a.org/more/pear.htm": b'<img src="//B.org/pear.jpg" alt="a pear"><a href="../">back</a>',
    "a.org/img/Red apple.jpg": b"apple",
    "b.org/pear.jpg": b"pear",
    "b.org/notes.txt": b"no page",
}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        path = tmp_path / "web" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with zipfile.ZipFile(tmp_path / "web.zip", "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in FILES.items():
            zipped.writestr(name, content)
    return tmp_path


def write_zip(path: Path, members: list[tuple[str, str]]) -> None:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members:
            file.writestr(name, content)


def read(base: Path, site: str) -> dict[str, pa.Table]:
    pages = site_pages(base, site)
    return dict(read_site(base / site, pages, Locator(base, [site])))


def test_a_zip_file_gives_the_rows_of_its_folder(base: Path) -> None:
    folder, zipped = read(base, "web"), read(base, "web.zip")
    assert len(folder["signals"]) > 4
    for name in ("signals", "placements", "links", "rejects"):
        assert zipped[name].equals(folder[name])
    ids_of = [table["images"]["image_id"].to_pylist() for table in (folder, zipped)]
    assert ids_of[0] == ids_of[1] == [ids.digest(b"apple"), ids.digest(b"pear")]


def test_the_image_of_a_zip_file_is_found_again_by_its_location(base: Path) -> None:
    for row in read(base, "web.zip")["images"].to_pylist():
        path, _, name = row["location"].partition("#")
        content = read_zipped(base / path, name, 100)
        assert content is not None
        assert ids.digest(content) == row["image_id"]


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("/img.php?id=3", "img.php?id=3"),
        ("/img.php%3Fid=3", "img.php?id=3"),
        ("/img.php?id=3", "img.php@id=3"),
        ("/img.php?id=3", "img.php%3Fid=3"),
        ("/r%c3%a9d apple.jpg", "réd apple.jpg"),
        ("/a%20b.jpg", "a%20b.jpg"),
        ("/a|b[1].jpg", "a|b[1].jpg"),
        ("/a%7cb[1].jpg", "a%7Cb%5B1%5D.jpg"),
        ("/img.php?a[]=%7C", "img.php?a[]=|"),
        ("/img.php?a[]=%7C", "img.php?a%5B%5D=%7C"),
        ("/a.jpg?v=2", "a.jpg"),
        ("https://xn--bcher-kva.de/a.jpg", "../bücher.de/a.jpg"),
        ("https://b.org/a.jpg", "../B.ORG/a.jpg"),
        ("https://b.org:8080/a.jpg", "../b.org:8080/a.jpg"),
        ("https://b.org:8080/a.jpg", "../b.org+8080/a.jpg"),
        ("http://b.org/a.jpg", "../b.org:80/a.jpg"),
        ("/café.jpg", "cafe\u0301.jpg"),
        ("/cafe\u0301.jpg", "café.jpg"),
    ],
)
def test_an_image_is_found_under_the_names_that_tools_give_it(
    tmp_path: Path, reference: str, name: str
) -> None:
    (tmp_path / "web/bücher.de").mkdir(parents=True)
    (tmp_path / "web/a.org").mkdir()
    (tmp_path / "web/a.org" / name).parent.mkdir(exist_ok=True)
    (tmp_path / "web/a.org" / name).write_bytes(b"image")
    html = f'<meta charset=utf-8><img src="{reference}">'
    (tmp_path / "web/a.org/i.html").write_text(html, encoding="utf-8")
    assert read(tmp_path, "web")["images"]["image_id"].to_pylist() == [ids.digest(b"image")]


def test_pages_of_any_ending_are_known_by_their_beginning(tmp_path: Path) -> None:
    files = {
        "a.org/x.php": b"<!DOCTYPE html><p>x",
        "a.org/x.php?id=3": b"\xef\xbb\xbf\n<html><p>x",
        "a.org/x.php?id=4.html": b"x",
        "a.org/x.asp@id=3": b"<?xml version='1.0'?>\n<!-- a --><html>",
        "a.org/about": b"<TITLE>x",
        "a.org/utf-16.php": "\ufeff<html>".encode("utf-16-le"),
        "a.org/wide.php": b"\n" * 1100 + b"<!-- a --><p>x",
        "a.org/X.XHTML": b"x",
        "a.org/x.html.1": b"x",
        **dict.fromkeys((f"a.org/y{end}" for end in SCRIPT_SUFFIXES), b"<p>x"),
        "a.org/y.PHTML": b"<p>x",
        "a.org/source.php": b"<?php echo 1;",
        "a.org/img.php?id=3": b"\xff\xd8\xff\xe0",
        "a.org/README": b"text",
        "a.org/feed.xml": b"<html>",
        "a.org/.git/x.html": b"x",
    }
    for name, content in files.items():
        (tmp_path / "web" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "web" / name).write_bytes(content)
    others = {"source.php", "img.php?id=3", "README", "feed.xml", ".git/x.html"}
    others = {f"a.org/{name}" for name in others}
    assert site_pages(tmp_path, "web") == sorted(set(files) - others)


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("a.org/index.html", "https://a.org/"),
        ("A.org/x/index.html", "https://a.org/x/"),
        ("a.org/index.html?p=2", "https://a.org/?p=2"),
        ("a.org/x.html.1", "https://a.org/x.html"),
        ("a.org/x.asp@id=3.html", "https://a.org/x.asp?id=3"),
        ("a.org/@me.html", "https://a.org/@me.html"),
        ("a.org+8080/x.html", "https://a.org:8080/x.html"),
        ("a.org:80/x.html", "https://a.org:80/x.html"),
        ("a.org/cafe\u0301.html", "https://a.org/caf%C3%A9.html"),
        ("a.org/a\nb\t#.html", "https://a.org/a%0Ab%09%23.html"),
        ("a.org/x ", "https://a.org/x%20"),
    ],
)
def test_names_of_files_are_urls_of_pages(tmp_path: Path, path: str, url: str) -> None:
    (tmp_path / "web" / path).parent.mkdir(parents=True)
    (tmp_path / "web" / path).write_bytes(b"<p>x")
    assert read(tmp_path, "web")["pages"]["url"].to_pylist() == [url]


def test_the_page_of_a_folder_is_one_page_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "web/a.org").mkdir(parents=True)
    html = b"<a href='/'>a</a><a href=index.html>b</a><a href='http://a.org/x/../index.html'>c</a>"
    (tmp_path / "web/a.org/index.html").write_bytes(html)
    tables = read(tmp_path, "web")
    targets = tables["links"]["dst_page"].to_pylist()
    assert targets[0] == targets[1] == tables["pages"]["page_id"][0].as_py()
    assert targets[2] == ids.digest("http://a.org/")


def test_a_page_in_no_folder_of_a_host_is_a_reject(base: Path) -> None:
    (base / "web/lone.html").write_bytes(b"<img src=a.png>")
    assert read(base, "web")["rejects"].to_pylist() == [
        {"where": "web#lone.html", "reason": "bad_url", "value": "lone.html"}
    ]


def test_links_lead_to_pages_with_a_query_in_their_name(tmp_path: Path) -> None:
    (tmp_path / "web/a.org").mkdir(parents=True)
    html = b"<a href='x.php%3Fid=3.html'>a</a><a href='x.php?id=3'>b</a><a href='x.php@id=3'>c</a>"
    for name in ("i.html", "x.php?id=3.html"):
        (tmp_path / "web/a.org" / name).write_bytes(html)
    tables = read(tmp_path, "web")
    page_id = ids.digest("https://a.org/x.php?id=3")
    assert set(tables["links"]["dst_page"].to_pylist()) == {page_id}
    assert page_id in tables["pages"]["page_id"].to_pylist()


def test_a_zip_file_without_pages_is_refused(base: Path) -> None:
    with zipfile.ZipFile(base / "web.zip", "w") as zipped:
        zipped.writestr("a.org/x.jpg", b"x")
    with pytest.raises(InputError, match="no file that is read"):
        site_pages(base, "web.zip")


def test_a_damaged_zip_file_is_refused(base: Path) -> None:
    whole = (base / "web.zip").read_bytes()
    (base / "web.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="zip file cannot be read"):
        site_pages(base, "web.zip")


def test_a_damaged_page_is_rejected_and_the_others_are_read(base: Path) -> None:
    content = bytearray((base / "web.zip").read_bytes())
    offset = content.index(b"a.org/index.html") + len("a.org/index.html")
    content[offset : offset + 8] = b"\xff" * 8
    (base / "web.zip").write_bytes(content)
    tables = read(base, "web.zip")
    assert tables["rejects"].to_pylist() == [
        {"where": "web.zip#a.org/index.html", "reason": "bad_record", "value": "a.org/index.html"}
    ]
    assert "a pear" in tables["signals"]["text"].to_pylist()


def test_no_more_is_unpacked_than_asked_for(base: Path) -> None:
    with zipfile.ZipFile(base / "web.zip", "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("a.org/bomb.html", bytes(50_000_000))
    assert read_zipped(base / "web.zip", "a.org/bomb.html", 1000) == bytes(1000)


def test_a_file_that_is_not_in_the_zip_file_gives_none(base: Path) -> None:
    assert read_zipped(base / "web.zip", "../../etc/passwd", 10) is None


@pytest.mark.parametrize("is_zip", [False, True])
def test_files_that_are_neither_pages_nor_images_are_listed(tmp_path: Path, is_zip: bool) -> None:
    contents = {
        "a.org/index.html": "<p>",
        "a.org/x.php": "<p>An apple",
        "a.org/y.php": "no page",
        "a.org/img.php?id=3": "GIF89a",
        "a.org/s.css?v=2": "p {}",
        "a.org/notes.md": "# Fruit",
        "a.org/A.JPG": "",
        "a.org/logo": "",
        "a.org/._index.html": "\0\5\x16\7",
        "__MACOSX/a.org/._s.css": "\0\5\x16\7",
    }
    if is_zip:
        write_zip(tmp_path / "site.zip", list(contents.items()))
    else:
        for name, content in contents.items():
            (tmp_path / "site" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "site" / name).write_text(content)
    site = "site.zip" if is_zip else "site"
    others = other_files(tmp_path, site, site_pages(tmp_path, site))
    assert sorted(others.values()) == [".css", ".md", ".php", "hidden", "hidden"]
    assert {tmp_path / site / "a.org" / name for name in ("y.php", "s.css?v=2", "notes.md")} < {
        *others
    }


def test_of_members_of_a_zip_file_with_one_name_the_last_is_read_and_the_others_counted(
    tmp_path: Path,
) -> None:
    page = "a.org/index.html"
    with pytest.warns(UserWarning, match="Duplicate name"):
        write_zip(
            tmp_path / "site.zip",
            [(page, "<img src=a.png alt=apple>"), (page, "<img src=b.png alt=pear>")] * 2,
        )
    texts = read(tmp_path, "site.zip")["signals"]["text"].to_pylist()
    assert "pear" in texts and "apple" not in texts
    assert [*other_files(tmp_path, "site.zip", [page]).values()] == ["duplicate name"] * 3


def test_an_encrypted_member_of_a_zip_file_is_rejected(base: Path) -> None:
    content = bytearray((base / "web.zip").read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + flags] |= 1
    (base / "web.zip").write_bytes(content)
    assert read(base, "web.zip")["rejects"].to_pylist() == [
        {"where": "web.zip#a.org/index.html", "reason": "bad_record", "value": "encrypted"}
    ]


@pytest.mark.parametrize("site", ["web", "web.zip"])
def test_an_image_of_a_site_that_is_a_pointer_is_a_reject(base: Path, site: str) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"
    page = FILES["a.org/index.html"] + b'<img src="/x.jpg" srcset="/p.jpg 2x" alt="x">'
    files = {"a.org/index.html": page, "a.org/x.jpg": b"x", "a.org/p.jpg": pointer}
    files["a.org/img/Red apple.jpg"] = pointer
    with zipfile.ZipFile(base / "web.zip", "w") as zipped:
        for name, content in files.items():
            (base / "web" / name).write_bytes(content)
            zipped.writestr(name, content)
    tables = read(base, site)
    rejects = [(row["reason"], row["value"]) for row in tables["rejects"].to_pylist()]
    assert rejects == [("lfs_pointer", "https://a.org/img/Red%20apple.jpg")]
    assert ids.digest(b"x") in tables["images"]["image_id"].to_pylist()


def test_a_pointer_in_the_place_of_a_zip_file_is_named(base: Path) -> None:
    (base / "web.zip").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(InputError, match="a zip file cannot be read") as caught:
        site_pages(base, "web.zip")
    assert caught.value.facts["cause"] == "it is a pointer of Git LFS"


def test_a_folder_of_the_protocol_names_the_scheme(base: Path) -> None:
    files = {
        "http/a.org/index.html": b'<img src="/x.jpg" alt="x"><img src="https://b.org/y.jpg">',
        "http/a.org/x.jpg": b"x",
        "https/b.org/y.jpg": b"y",
    }
    with zipfile.ZipFile(base / "wget.zip", "w") as zipped:
        for name, content in files.items():
            (base / "wget" / name).parent.mkdir(parents=True, exist_ok=True)
            (base / "wget" / name).write_bytes(content)
            zipped.writestr(name, content)
    for site in ("wget", "wget.zip"):
        tables = read(base, site)
        assert tables["pages"]["url"].to_pylist() == ["http://a.org/"]
        assert tables["images"]["image_id"].to_pylist() == [ids.digest(b"x"), ids.digest(b"y")]
        assert set(tables["placements"]["host"].to_pylist()) == {"a.org"}
        assert len(tables["rejects"]) == 0


def test_backslashes_of_windows_in_a_zip_file_separate_folders(base: Path) -> None:
    with zipfile.ZipFile(base / "web.zip", "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in {**FILES, "empty/": b""}.items():
            info = zipfile.ZipInfo("x")
            info.filename, info.create_system = name.replace("/", "\\"), 0
            info.orig_filename = info.filename
            zipped.writestr(info, content)
        unix = zipfile.ZipInfo("x")
        unix.filename, unix.create_system = "a.org/back\\slash.html", 3
        zipped.writestr(unix, b"<img src=/x.png alt=b>")
    assert site_pages(base, "web.zip") == [
        "a.org/back\\slash.html",
        "a.org/index.html",
        "a.org/more/pear.htm",
    ]
    folder, zipped_rows = read(base, "web"), read(base, "web.zip")
    seen = set(zipped_rows["signals"]["text"].to_pylist())
    assert set(folder["signals"]["text"].to_pylist()) <= seen
    assert ids.digest(b"pear") in zipped_rows["images"]["image_id"].to_pylist()
    assert read_zipped(base / "web.zip", "a.org/img/Red apple.jpg", 100) == b"apple"
