"""Archives of every ending that the input names are read."""

from __future__ import annotations

from pathlib import Path

import pytest
import zstandard

from labeling.readers.image_files import Located
from labeling.readers.web_archives.archives import read_archive
from pipelines.inputs.archives import ArchiveInput
from tests.labeling.warcs import Response, arc_head, arc_record, members, record, wacz, wat_record

PAGE = Response("http://a.org/p.html", b'<img src="apple.gif" alt="apple">')


def archive(ending: str) -> bytes:
    """Return an archive with one page, as files with an ending hold it."""
    kind, _, packed = ending.removeprefix(".").partition(".")
    if kind == "wacz":
        return wacz({"archive/data.warc": record(PAGE)})
    records = {
        "warc": [record(PAGE)],
        "arc": [arc_head(), arc_record(PAGE)],
        "wat": [wat_record(PAGE.url)],
    }[kind]
    if packed == "zst":
        return b"".join(map(zstandard.compress, records))
    return members(records) if packed == "gz" else b"".join(records)


@pytest.mark.parametrize("ending", ArchiveInput.suffixes)
def test_the_page_of_an_archive_with_any_ending_is_read(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"x{ending}"
    path.write_bytes(archive(ending))
    located = Located("0" * 32, "http://a.org/apple.gif", 0)
    tables = [*read_archive(path, path.name, lambda url: located)]
    urls = [url for name, rows in tables if name == "pages" for url in rows["url"].to_pylist()]
    texts = [
        text for name, rows in tables if name == "signals" for text in rows["text"].to_pylist()
    ]
    assert urls == [PAGE.url]
    assert "apple" in texts
