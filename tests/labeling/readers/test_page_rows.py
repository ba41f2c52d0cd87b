from __future__ import annotations

from labeling.html.page import read_page
from labeling.keys import ids
from labeling.readers.image_files import Located
from labeling.readers.page_rows import Gathered
from labeling.schemas import TABLES, check


def by_url(url: str) -> Located:
    return Located(ids.digest(url), url, 0)


def test_rows_are_those_of_the_schemas_and_are_given_once() -> None:
    gathered = Gathered(by_url)
    html = (
        b"<html lang=en><img src=a.png alt=cat><img src=b.png><a href=c>d</a><a href=e rel=f></a>"
    )
    gathered.add(read_page(html, "https://a.org/"), "a.org", missing_is_reject=True)
    tables = dict(gathered.tables())
    for schema in TABLES:
        if schema.name in tables:
            check(tables[schema.name], schema)
    alt = next(row for row in tables["signals"].to_pylist() if row["source"] == "alt")
    assert (alt["image_id"], alt["text"]) == (ids.digest("https://a.org/a.png"), "cat")
    assert (alt["host"], alt["weight"], alt["lang"]) == ("a.org", 1, "en")
    assert tables["links"]["anchor"].to_pylist() == ["d", None]
    assert tables["links"]["rel"].to_pylist() == [None, "f"]
    assert tables["rejects"]["value"].to_pylist() == ["https://a.org/a.png", "https://a.org/b.png"]
    assert not any(table.num_rows for _, table in gathered.tables())


def test_half_a_character_ends_nothing() -> None:
    linked_data = rb'{"name": "a \ud800", "image": "\udfff.png"}'
    html = b"<script type=application/ld+json>" + linked_data + b"</script>"
    gathered = Gathered(by_url)
    gathered.add(read_page(html, "https://a.org/"), "a.org", missing_is_reject=False)
    tables = dict(gathered.tables())
    assert "a ?" in tables["signals"]["text"].to_pylist()
    assert tables["images"]["location"].to_pylist() == ["https://a.org/?.png"]
