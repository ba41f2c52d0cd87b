"""One bad item costs that item, in every reader."""

from __future__ import annotations

import re
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

import pipelines.inputs
from labeling.html import page
from labeling.keys import ids
from labeling.readers import sites
from labeling.readers.guard import cause
from labeling.readers.image_files import Located, Locator
from labeling.readers.sites import read_site, site_pages
from labeling.readers.table_files.feedback_tables import read_feedback
from labeling.readers.table_files.graphs import read_graph
from labeling.readers.table_files.tables import read_links, read_signals
from labeling.readers.web_archives import archives
from labeling.readers.web_archives.archives import read_archive
from labeling.readers.webdatasets import read_webdataset
from tests.labeling.warcs import Response, arc_head, arc_record, members, record, wat_record

GOOD = b'<img src="https://b.org/x.gif" alt="an apple">'
Tables = Iterator[tuple[str, pa.Table]]


def elsewhere(url: str) -> Located:
    return Located(ids.digest(url), url, 0)


def outcome(tables: Tables) -> tuple[int, list[tuple[str, str]]]:
    """Return the number of texts about an apple, and place and reason of each rejected item."""
    n_apples, rejects = 0, []
    for name, rows in tables:
        if name == "signals":
            n_apples += sum(text in ("an apple", "apple") for text in rows["text"].to_pylist())
        if name == "rejects":
            rejects += [(row["where"], row["reason"]) for row in rows.to_pylist()]
    return n_apples, [reject for reject in rejects if reject[1] != "image_missing"]


def archived(path: Path, content: bytes) -> tuple[int, list[tuple[str, str]]]:
    path.write_bytes(content)
    return outcome(read_archive(path, path.name, elsewhere))


def pages(host: str) -> list[Response]:
    return [Response("http://a.org/1", GOOD), Response(f"http://{host}/", GOOD)]


BAD_HOSTS = ("[a.org", "[::", "a.org:x", "a.org:99999", "\u2100.org")


@pytest.mark.parametrize("host", BAD_HOSTS)
@pytest.mark.parametrize("ending", ["warc", "warc.gz", "arc", "arc.gz"])
def test_a_record_whose_url_cannot_be_split_is_rejected(
    tmp_path: Path, host: str, ending: str
) -> None:
    first, second = pages(host)
    kind = arc_record if ending.startswith("arc") else record
    head = [arc_head()] if ending.startswith("arc") else []
    redirect = second._replace(status=301, headers=(("Location", "http://[b/"),))
    image = second._replace(mime="image/gif")
    records = [*head, *map(kind, (second, redirect, image, first))]
    content = members(records) if ending.endswith("gz") else b"".join(records)
    n_apples, rejects = archived(tmp_path / f"x.{ending}", content)
    assert n_apples == 1
    assert [reason for _, reason in rejects] == ["bad_url"] * 3
    assert len({where for where, _ in rejects}) == 3


def test_a_bad_url_within_metadata_costs_its_record(tmp_path: Path) -> None:
    content = wat_record("http://[a.org/") + wat_record("http://a.org/")
    n_apples, rejects = archived(tmp_path / "x.wat", content)
    assert (n_apples, [reason for _, reason in rejects]) == (1, ["bad_url"])


@pytest.mark.parametrize("length", [b"9" * 16, b"9" * 20, b"9" * 5000, b"0" * 17])
@pytest.mark.parametrize("compressed", [True, False])
def test_an_impossible_length_of_an_arc_record_costs_that_record(
    tmp_path: Path, length: bytes, compressed: bool
) -> None:
    bad = b"http://a.org/0 1.2.3.4 20080430204825 text/html %s\n" % length + b"x" * 99 + b"\n"
    good = [arc_record(Response(f"http://a.org/{n}", GOOD)) for n in range(2)]
    parts = [arc_head(), good[0], bad, good[1]]
    path = tmp_path / ("x.arc.gz" if compressed else "x.arc")
    n_apples, rejects = archived(path, members(parts) if compressed else b"".join(parts))
    offset = len(members(parts[:2])) if compressed else len(b"".join(parts[:2]))
    assert n_apples == 2
    assert [reason for _, reason in rejects] == ["bad_record"]
    assert abs(int(rejects[0][0].rpartition("#")[2]) - offset) <= 1


def test_damage_of_an_arc_file_costs_what_is_damaged(tmp_path: Path) -> None:
    """The next record begins where a header does, and empty lines do not end the file."""
    good = [arc_record(Response(f"http://a.org/{n}", GOOD)) for n in range(3)]
    longer = good[1].replace(
        b"text/html %d" % len(good[1].split(b"\n", 1)[1][:-1]), b"text/html 9999"
    )
    for bad in (longer, b"http://a.org/a b c 1.2.3.4 no date\nxyz\n", b"\x00" * 9 + b"\n"):
        content = arc_head() + good[0] + bad + good[2]
        n_apples, rejects = archived(tmp_path / "x.arc", content)
        assert (n_apples, [reason for _, reason in rejects]) == (2, ["truncated"])
    content = arc_head() + good[0] + b"\n\n\n\n" + good[2]
    assert archived(tmp_path / "x.arc", content) == (2, [])


@pytest.mark.parametrize("length", ["-1", "99999999999999999999", "x", ""])
def test_an_impossible_length_of_a_warc_record_costs_that_record(
    tmp_path: Path, length: str
) -> None:
    good = [record(Response(f"http://a.org/{n}", GOOD)) for n in range(2)]
    head, _, rest = record(Response("http://a.org/9", GOOD)).partition(b"Content-Length: ")
    bad = head + b"Content-Length: " + length.encode() + b"\r\n\r\n" + rest.split(b"\r\n\r\n", 1)[1]
    n_apples, rejects = archived(tmp_path / "x.warc", good[0] + bad + good[1])
    assert n_apples == 2
    assert len(rejects) == 1


def zip_of(path: Path, names: list[str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in names:
            file.writestr(name, GOOD)
    return path


def in_directory(path: Path, name: bytes, offset: int, kind: str, value: int) -> None:
    """Change a field of a member's entry in the directory of a zip file."""
    content = bytearray(path.read_bytes())
    at = content.rfind(b"PK\x01\x02", 0, content.rfind(name))
    struct.pack_into(kind, content, at + offset, value)
    path.write_bytes(content)


def of_site(tmp_path: Path, name: str) -> tuple[int, list[tuple[str, str]]]:
    pages_read = site_pages(tmp_path, name)
    return outcome(read_site(tmp_path / name, pages_read, Locator(tmp_path, [name])))


@pytest.mark.parametrize(
    ("offset", "kind", "value"),
    [
        (6, "<H", 99),  # version needed
        (8, "<H", 1),  # encrypted
        (10, "<H", 97),  # method of compression
        (16, "<L", 1),  # checksum
        (42, "<L", 1 << 30),  # offset of the member
        (12, "<L", 0xFFFFFFFF),  # date and time, which do not matter
    ],
)
def test_a_member_of_a_zip_file_that_cannot_be_read_is_rejected(
    tmp_path: Path, offset: int, kind: str, value: int
) -> None:
    path = zip_of(tmp_path / "x.zip", ["a.org/1.html", "a.org/2.html", "a.org/3.html"])
    in_directory(path, b"a.org/2.html", offset, kind, value)
    n_apples, rejects = of_site(tmp_path, "x.zip")
    expected = (3, []) if offset == 12 else (2, [("x.zip#a.org/2.html", "bad_record")])
    assert (n_apples, rejects) == expected


def test_a_name_that_is_not_utf8_costs_its_member(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "x.zip", ["a.org/\u00e9.html", "a.org/2.html"])
    path.write_bytes(path.read_bytes().replace("\u00e9".encode(), b"\xe9\xe9"))
    n_apples, rejects = of_site(tmp_path, "x.zip")
    assert n_apples + len(rejects) == 2
    assert n_apples >= 1


def test_pages_of_a_site_whose_path_makes_no_url_are_rejected(tmp_path: Path) -> None:
    for host in ("[b.org", "a.org"):
        (tmp_path / "site" / host).mkdir(parents=True)
        (tmp_path / "site" / host / "i.html").write_bytes(GOOD)
    expected = (1, [("site#[b.org/i.html", "bad_url")])
    assert of_site(tmp_path, "site") == expected
    zip_of(tmp_path / "site.zip", ["[b.org/i.html", "a.org/i.html"])
    assert of_site(tmp_path, "site.zip") == (1, [("site.zip#[b.org/i.html", "bad_url")])


@pytest.mark.parametrize("error", [ValueError, RecursionError, OverflowError])
@pytest.mark.parametrize("kind", ["archive", "site"])
def test_an_error_of_parsing_costs_the_page_and_any_other_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception], kind: str
) -> None:
    def read(tables: Callable[[], tuple[int, list[tuple[str, str]]]], raised: BaseException):  # type: ignore[no-untyped-def]
        def parse(content: bytes, url: str, *charset: str | None) -> page.Page:
            if url.endswith("1.html"):
                raise raised
            return page.read_page(content, url, *charset)

        for module in (archives, sites):
            monkeypatch.setattr(module, "read_page", parse)
        return tables()

    for n in range(2):
        (tmp_path / "site/a.org").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"site/a.org/{n}.html").write_bytes(GOOD)
    both = b"".join(record(Response(f"http://a.org/{n}.html", GOOD)) for n in range(2))

    def tables() -> tuple[int, list[tuple[str, str]]]:
        if kind == "site":
            return of_site(tmp_path, "site")
        return archived(tmp_path / "x.warc", both)

    n_apples, rejects = read(tables, error("odd"))
    assert (n_apples, [reason for _, reason in rejects]) == (1, ["bad_record"])
    for fatal in (AttributeError("ours"), KeyError("ours"), MemoryError(), KeyboardInterrupt()):
        with pytest.raises(type(fatal)):
            read(tables, fatal)


def test_a_cause_is_one_short_line() -> None:
    assert cause(ValueError("a\nb" * 500)) == f"ValueError: {'a b' * 500}"[:200]


def csv_table(folder: Path, bad: bool) -> Tables:
    lines = ["image,text", "https://a.org/1,apple", *(["a,b,c"] if bad else []), ""]
    (folder / "t.csv").write_text("\n".join(lines))
    columns = {"image": "image", "text": "text"}
    return read_signals(folder / "t.csv", columns, "alt", Locator(folder, []))


def links(folder: Path, bad: bool) -> Tables:
    lines = ['{"src": "a", "dst": "b"}\n', *(['{"src": "a", "dst": ["b"]}\n'] if bad else [])]
    (folder / "l.jsonl").write_text("".join(lines))
    return read_links(folder / "l.jsonl", {"src": "src", "dst": "dst"})


def feedback(folder: Path, bad: bool) -> Tables:
    columns = {name: name for name in ("image", "label", "kind", "user", "time")}
    lines = [",".join(columns).encode(), b"https://a.org/1,cat,up,u,2024-01-01"]
    lines += [b"\xff,cat,up,u,2024-01-01"] if bad else []
    (folder / "f.csv").write_bytes(b"\n".join(lines))
    return read_feedback(folder / "f.csv", columns, Locator(folder, []), {"cat"}.__contains__)


def graph(folder: Path, bad: bool) -> Tables:
    (folder / "v.txt").write_text("0\torg.a\n1\torg.b\n")
    (folder / "e.txt").write_text("0\t1\n" + "0\n" * bad)
    return read_graph(folder / "v.txt", folder / "e.txt")


def web_archive(folder: Path, bad: bool) -> Tables:
    hosts = ["a.org", *(["[a.org"] if bad else [])]
    responses = [Response(f"http://{host}/", GOOD) for host in hosts]
    (folder / "x.warc").write_bytes(b"".join(map(record, responses)))
    return read_archive(folder / "x.warc", "x.warc", elsewhere)


def site(folder: Path, bad: bool) -> Tables:
    for host in ["a.org", *(["[a.org"] if bad else [])]:
        (folder / "site" / host).mkdir(parents=True, exist_ok=True)
        (folder / "site" / host / "i.html").write_bytes(GOOD)
    return read_site(folder / "site", site_pages(folder, "site"), Locator(folder, ["site"]))


def webdataset(folder: Path, bad: bool) -> Tables:
    with tarfile.open(folder / "x.tar", "w") as tar:
        for name in ("0.jpg", "0.txt", *(["1.txt"] if bad else [])):
            (folder / name).write_bytes(b"apple")
            tar.add(folder / name, name)
    return read_webdataset(folder / "x.tar", "x.tar", {"alt": "txt"})


READERS = {
    "read_signals": csv_table,
    "read_links": links,
    "read_feedback": feedback,
    "read_graph": graph,
    "read_archive": web_archive,
    "read_site": site,
    "read_webdataset": webdataset,
}
"""A file for each reader of inputs: with and without a bad item."""


@pytest.mark.parametrize("name", READERS)
def test_one_bad_item_of_any_reader_costs_that_item(tmp_path: Path, name: str) -> None:
    def tables(bad: bool) -> dict[str, list[dict[str, object]]]:
        rows: dict[str, list[dict[str, object]]] = {}
        for table, part in READERS[name](tmp_path, bad):
            rows.setdefault(table, []).extend(part.to_pylist())
        return rows

    good, with_bad = tables(False), tables(True)
    n_new = len(with_bad.pop("rejects")) - len(good.pop("rejects", []))
    assert (with_bad, n_new) == (good, 1)


def test_every_reader_of_an_input_is_among_them() -> None:
    """Inputs name their readers as texts, such as ``archives:read_archive``."""
    named = {
        name
        for path in Path(pipelines.inputs.__file__).parent.glob("*.py")
        for name in re.findall(r"[a-z]:(read_\w+)\"", path.read_text(encoding="utf-8"))
    }
    # A check of a configuration reads headers alone, and stops at the first fault.
    assert named - {"read_batches"} == READERS.keys()
