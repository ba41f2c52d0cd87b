"""The page of a row: which URL, file and record a text came from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import pipelines
from pipelines.cli import main
from tests.labeling.warcs import Response, record

FIRST = record(Response("http://a.org/first.html", b"<p>nothing"))
HTML = b"<h1>Fruit</h1><img src=a.gif alt='a red apple'>"


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("origins")
    pages = [
        Response("http://A.org/x y.html", HTML),
        Response("http://a.org/a.gif", b"GIF89a", "image/gif"),
    ]
    (folder / "x.warc").write_bytes(FIRST + b"".join(map(record, pages)))
    site = folder / "web/b.org"
    site.mkdir(parents=True)
    (site / "i.html").write_bytes(HTML)
    (site / "a.gif").write_bytes(b"GIF89b")
    (folder / "t.csv").write_text(
        "image,text,page\nhttp://c.org/a.jpg,apple,p7\nhttp://c.org/b.jpg,apple,p7\n"
    )
    (folder / "labels.jsonl").write_text('{"id": "apple", "names": ["apple"]}\n')
    (folder / "winnow.toml").write_text(
        "[[archive]]\npath = 'x.warc'\n[[site]]\npath = 'web'\n[[signals]]\npath = 't.csv'\n"
        "columns = {image = 'image', text = 'text', page = 'page'}\n"
        "[taxonomy]\npath = 'labels.jsonl'\n"
    )
    pipelines.label(folder / "winnow.toml", out=folder / "run")
    return folder / "run"


def rows(run_dir: Path, *arguments: str) -> list[dict[str, object]]:
    done = CliRunner().invoke(main, ["inspect", str(run_dir), *arguments, "--format", "jsonl"])
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_page_has_the_file_and_record_that_it_was_read_from(run_dir: Path) -> None:
    pages = {row["url"]: (row["file"], row["record"]) for row in rows(run_dir, "pages")}
    assert pages == {
        "http://a.org/first.html": ("x.warc", 0),
        "http://a.org/x%20y.html": ("x.warc", len(FIRST)),
        "https://b.org/i.html": ("web/b.org/i.html", None),
        "p7": ("t.csv", 2),
    }


def test_the_page_of_a_text_is_named(run_dir: Path) -> None:
    texts = rows(run_dir, "signals", "--where", "source = alt", "--columns", "page,text")
    assert {(row["page"], row["text"]) for row in texts} == {
        (f"http://a.org/x%20y.html (x.warc#{len(FIRST)})", "a red apple"),
        ("https://b.org/i.html (web/b.org/i.html)", "a red apple"),
        ("p7 (t.csv#2)", "apple"),
    }
    shown = CliRunner().invoke(main, ["inspect", str(run_dir), "signals"]).stdout
    assert "https://b.org/i.html (web/b.org/i.html)" in shown
