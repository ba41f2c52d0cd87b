from __future__ import annotations

from pathlib import Path

import pytest

from labeling.keys import ids
from labeling.readers.image_files import Located
from labeling.readers.web_archives import one_reading
from labeling.readers.web_archives.archives import read_archive
from labeling.readers.web_archives.warc import read_records
from tests.labeling.warcs import Response, members, record, revisit, wacz

PIXEL = b"GIF89a" + bytes(20)
PAGE = Response("http://a.org/", b'<p><img src="x.gif" alt="an apple"><img src="/moved"></p>')
IMAGE = Response("http://a.org/x.gif", PIXEL, "image/gif")
OTHERS = {
    "redirect": [Response("http://a.org/moved", b"", status=301, headers=(("Location", "x.gif"),))],
    "page_elsewhere": [Response("http://a.org/moved", b"<p>Far", headers=(("Location", "x.gif"),))],
    "cut_page": [Response("http://a.org/moved", b"<p>Cut", headers=(("Content-Length", "99"),))],
    "empty_page": [Response("http://a.org/moved", b"")],
    "empty_image": [Response("http://a.org/moved", b"", "image/gif")],
    "bad_url": [Response("http://[", PIXEL, "image/gif"), Response("http://[", b"<p>Bad")],
    "missing": [Response("http://a.org/moved", b"<p>Gone", status=404)],
}


def write(folder: Path, others: list[Response]) -> Path:
    path = folder / "x.warc.gz"
    more = revisit("http://a.org/moved", IMAGE.url, None)
    path.write_bytes(members([*map(record, (PAGE, IMAGE, *others)), more]))
    return path


def tables_of(path: Path) -> list[tuple[str, list[dict[str, object]]]]:
    tables = read_archive(path, path.name, lambda url: Located(ids.digest(url), url, 0))
    return [(name, rows.to_pylist()) for name, rows in tables]


def n_readings(path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    readings = []

    def counted(*arguments: object) -> object:
        readings.append(arguments)
        return read_records(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(one_reading, "read_records", counted)
        tables_of(path)
    return len(readings)


@pytest.mark.parametrize("name", OTHERS)
def test_rows_are_those_of_two_readings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = write(tmp_path, OTHERS[name])
    once = tables_of(path)
    assert any(row["image_id"] == ids.digest(PIXEL) for table, rows in once for row in rows
               if table == "placements")  # fmt: skip
    monkeypatch.setattr(one_reading, "MAX_KEPT", -1)
    assert tables_of(path) == once


def test_a_small_archive_is_read_once_and_a_large_one_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, OTHERS["redirect"])
    assert n_readings(path, monkeypatch) == 1
    monkeypatch.setattr(one_reading, "MAX_RECORDS", 3)
    assert n_readings(path, monkeypatch) == 3  # the first one ends where it is too large


def test_the_bytes_kept_are_those_of_all_archives_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.wacz"
    path.write_bytes(wacz({f"archive/{n}.warc": record(PAGE) for n in range(3)}))
    monkeypatch.setattr(one_reading, "MAX_KEPT", 2 * len(PAGE.body))
    assert n_readings(path, monkeypatch) == 2 + 3
