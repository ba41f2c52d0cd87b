"""Archives that are cut, damaged or packed otherwise than crawlers do."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from curation.runs.stage import current
from labeling.errors import QualityError
from labeling.keys import ids
from labeling.readers.image_files import Located
from labeling.readers.web_archives.archives import read_archive
from labeling.readers.web_archives.http import Broken
from labeling.readers.web_archives.wat import read_wat
from pipelines.jobs.label import label
from pipelines.run.config import read_config
from tests.labeling.warcs import Response, arc_head, arc_record, members, record, wat_record

PAGE = Response("http://a.org/p.html", b'<img src="x.gif" alt="an apple">')
IMAGE = Response("http://a.org/x.gif", b"GIF89a" + bytes(20), "image/gif")
URLS = [f"http://a.org/{i}.html" for i in range(5)]


def urls_and_reasons(path: Path) -> tuple[list[str], list[str]]:
    pages = list(read_wat(path))
    urls = [item[1].url for item in pages if not isinstance(item, Broken)]
    return urls, [item.reason for item in pages if isinstance(item, Broken)]


def test_damage_in_a_wat_file_loses_one_record(tmp_path: Path) -> None:
    parts = [bytearray(members([wat_record(url)])) for url in URLS]
    parts[1][len(parts[1]) // 2] ^= 0xFF
    parts[3][-8] ^= 0xFF
    path = tmp_path / "x.wat.gz"
    path.write_bytes(b"".join(parts))
    assert urls_and_reasons(path) == ([URLS[0], URLS[2], URLS[4]], ["truncated"] * 2)


@pytest.mark.parametrize("compressed", [True, False])
def test_a_cut_wat_file_keeps_the_earlier_records(tmp_path: Path, compressed: bool) -> None:
    records = [wat_record(url) for url in URLS]
    path = tmp_path / ("x.wat.gz" if compressed else "x.wat")
    path.write_bytes((members(records) if compressed else b"".join(records))[:-60])
    assert urls_and_reasons(path) == (URLS[:4], ["truncated"])


def test_records_of_a_wat_file_may_share_a_member(tmp_path: Path) -> None:
    path = tmp_path / "x.wat.gz"
    path.write_bytes(gzip.compress(b"".join(map(wat_record, URLS))))
    assert urls_and_reasons(path) == (URLS, [])


def by_its_url(url: str) -> Located:
    return Located(ids.digest(url), url, 0)


def locations(path: Path) -> tuple[list[str], list[str]]:
    """Return where the images of an archive are, and the reasons of the rejected records."""
    values: dict[str, list[str]] = {"location": [], "reason": []}
    for _, rows in read_archive(path, path.name, by_its_url):
        for name in values:
            if name in rows.column_names:
                values[name] += rows[name].to_pylist()
    return values["location"], values["reason"]


def test_images_are_not_taken_from_an_archive_where_they_could_not_be_found_again(
    tmp_path: Path,
) -> None:
    both = record(PAGE) + record(IMAGE)
    whole, apart = tmp_path / "whole.warc.gz", tmp_path / "apart.warc.gz"
    apart.write_bytes(members([record(PAGE), record(IMAGE)]))
    assert locations(apart) == ([f"apart.warc.gz#{len(members([record(PAGE)]))}"], [])
    for packed in (gzip.compress(both), gzip.compress(both) + members([record(PAGE)])):
        whole.write_bytes(packed)
        assert locations(whole)[0][0] == IMAGE.url
        assert set(locations(whole)[1]) == {"shared_member"}


def test_an_arc_file_that_was_packed_whole_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "x.arc.gz"
    path.write_bytes(gzip.compress(arc_head() + arc_record(PAGE) + arc_record(IMAGE)))
    assert locations(path) == ([], ["shared_member"])


def test_too_many_cut_archives_fail_the_run(tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    for name in "abc":
        cut = -30 if name == "b" else None
        content = members([record(PAGE), record(PAGE._replace(url=f"http://{name}.org/"))])
        (tmp_path / "web" / f"{name}.warc.gz").write_bytes(content[:cut])
    (tmp_path / "t.jsonl").write_text('{"id": "apple", "names": ["apple"]}\n')
    config = tmp_path / "run.toml"
    config.write_text('[taxonomy]\npath = "t.jsonl"\n[[archive]]\npath = "web"\n')
    with pytest.raises(QualityError) as caught:
        label(read_config(config), tmp_path / "run")
    assert caught.value.exit_code == 4
    assert "1 of 3 input files are cut" in str(caught.value)
    assert "first: web/b.warc.gz" in str(caught.value)
    assert "label.max_cut_share" in caught.value.help
    assert current(tmp_path / "run", "signals") is None
