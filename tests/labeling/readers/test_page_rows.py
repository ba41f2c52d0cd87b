from __future__ import annotations

from labeling.checks import check
from labeling.html.page import read_page
from labeling.keys import ids
from labeling.readers.image_files import Located
from labeling.readers.page_rows import PageRows
from labeling.schemas import TABLES


def by_url(url: str) -> Located:
    return Located(ids.digest(url), url, 0)


def test_rows_are_those_of_the_schemas_and_are_given_once() -> None:
    rows = PageRows()
    html = (
        b"<html lang=en><img src=a.png alt=cat><img src=b.png><a href=c>d</a><a href=e rel=f></a>"
    )
    rows.add_page(
        read_page(html, "https://a.org/"), "a.org", by_url, ("x.warc", 7), missing_is_reject=True
    )
    tables = dict(rows.tables())
    for schema in TABLES:
        if schema.name in tables:
            check(tables[schema.name], schema)
    alt = next(row for row in tables["signals"].to_pylist() if row["source"] == "alt")
    assert (alt["image_id"], alt["text"]) == (ids.digest("https://a.org/a.png"), "cat")
    page = {"page_id": alt["page_id"], "url": "https://a.org/", "file": "x.warc", "record": 7}
    assert tables["pages"].to_pylist() == [page]
    assert (alt["host"], alt["weight"], alt["lang"]) == ("a.org", 1, "en")
    assert tables["links"]["anchor"].to_pylist() == ["d", None]
    assert tables["links"]["rel"].to_pylist() == [None, "f"]
    assert tables["rejects"]["value"].to_pylist() == ["https://a.org/a.png", "https://a.org/b.png"]
    assert not any(table.num_rows for _, table in rows.tables())


def test_a_lone_surrogate_becomes_a_question_mark() -> None:
    linked_data = rb'{"name": "a \ud800", "image": "\udfff.png"}'
    html = b"<script type=application/ld+json>" + linked_data + b"</script>"
    rows = PageRows()
    rows.add_page(
        read_page(html, "https://a.org/"), "a.org", by_url, ("x", 0), missing_is_reject=False
    )
    tables = dict(rows.tables())
    assert "a ?" in tables["signals"]["text"].to_pylist()
    assert tables["images"]["location"].to_pylist() == ["https://a.org/%EF%BF%BD.png"]
