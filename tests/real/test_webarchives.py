"""Real archives, and a real site read as folders and as an archive; skips without the data."""

from __future__ import annotations

import io
import os
import re
import tarfile
from collections.abc import Iterable
from html import escape
from itertools import pairwise
from pathlib import Path
from urllib.parse import urldefrag

import pyarrow as pa
import pytest
from fastwarc.warc import ArchiveIterator

from curation.runs.stage import open_stage
from labeling.html.page import Page, read_page
from labeling.keys import ids
from labeling.readers.image_files import Located, Locator
from labeling.readers.sites import read_site
from labeling.readers.web_archives.archives import read_archive
from labeling.readers.web_archives.http import Broken, Record
from labeling.readers.web_archives.warc import read_records
from labeling.schemas import CANDIDATES, IMAGES, PLACEMENTS, SIGNALS
from pipelines.jobs.label import label
from pipelines.run.config import read_config
from tests.labeling.warcs import Response, members, record

DATA = Path(os.environ.get("WINNOW_DATA", ""))
WORDS = ("logo", "map", "photo", "book", "archive", "video", "audio", "home", "movie")
ARCHIVES, SITE = DATA / "webarchive_dev.tar", DATA / "site_basedcooking.tar.gz"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        not os.environ.get("WINNOW_DATA") or not ARCHIVES.is_file() or not SITE.is_file(),
        reason="WINNOW_DATA names no folder with webarchive_dev.tar and site_basedcooking.tar.gz",
    ),
]


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archives")
    with tarfile.open(ARCHIVES) as tar:
        tar.extractall(folder, filter="data")
    return folder / "webarchive"


def pages_of(path: Path) -> list[Page]:
    records = read_records(path, lambda status, mime: status == 200 and mime == "text/html")
    return [
        read_page(r.body, r.url, r.head.charset)
        for r in records
        if isinstance(r, Record) and r.head.status == 200 and r.head.mime == "text/html"
    ]


def by_url(url: str) -> Located:
    return Located(ids.digest(url), url, 0)


def tables_of(path: Path) -> dict[str, pa.Table]:
    return joined(read_archive(path, path.name, by_url))


def joined(tables: Iterable[tuple[str, pa.Table]]) -> dict[str, pa.Table]:
    parts: dict[str, list[pa.Table]] = {}
    for name, rows in tables:
        parts.setdefault(name, []).append(rows)
    return {name: pa.concat_tables(rows) for name, rows in parts.items()}


def test_a_crawl_of_2008_is_read_to_the_last_unit(archives: Path) -> None:
    """Count what example.warc.gz holds, of 94 pages and 55 images.

    Its 788 images, 596 of them with a text in ``alt``, and the 754 that are in the archive are all
    found; 788 have a placement. The source has 37,814 ``<a href>``. A browser's tree has 12
    more, without words: it takes links that overlap other elements apart. 32 lead out of the web
    (20 mailto, 11 ftp, 1 javascript), so 37,782 are links. 9,782 have the exact URL of a page; with
    their fragments left out, as a link to a place within a page is a link to it, 18,091 links lead
    to pages inside, one more with its URL in the form that browsers write, and 53 to the page of
    a folder by its name, as ``/index.html``.
    """
    path = archives / "example.warc.gz"
    records = list(read_records(path, lambda status, mime: True))
    assert not [r for r in records if isinstance(r, Broken)]
    assert sum(isinstance(r, Record) and r.head.mime.startswith("image/") for r in records) == 55
    pages = pages_of(path)
    assert len(pages) == 94
    assert sum(len(page.images) for page in pages) == 788
    links = [link.url for page in pages for link in page.links]
    assert len(links) == 37_814 - 20 - 11 - 1
    inside = {urldefrag(page.url).url for page in pages}
    assert sum(url in inside for url in links) == 18_145
    tables = tables_of(path)
    sources = tables["signals"]["source"].to_pylist()
    assert sources.count("alt") == 596
    images = tables["images"].to_pylist()
    assert (len(images), sum(image["n_bytes"] > 0 for image in images)) == (788, 754)
    assert tables["rejects"].num_rows == 0


def test_a_crawl_dealt_into_two_archives_gives_the_same_as_whole(
    archives: Path, tmp_path: Path
) -> None:
    content = (archives / "example.warc.gz").read_bytes()
    records = ArchiveIterator(io.BytesIO(content), parse_http=False)
    starts = [record.stream_pos for record in records]
    parts = [content[start:stop] for start, stop in pairwise([*starts, len(content)])]
    stages = {}
    for name, files in {"whole": [parts], "dealt": [parts[::2], parts[1::2]]}.items():
        (tmp_path / name / "web").mkdir(parents=True)
        for number, some in enumerate(files):
            (tmp_path / name / "web" / f"{number}.warc.gz").write_bytes(b"".join(some))
        labels = [f'{{"id": "{word}", "names": ["{word}"], "parents": []}}' for word in WORDS]
        (tmp_path / name / "taxonomy.jsonl").write_text("\n".join(labels))
        (tmp_path / name / "winnow.toml").write_text(
            '[taxonomy]\npath = "taxonomy.jsonl"\n[[archive]]\npath = "web"\n'
        )
        candidates = label(read_config(tmp_path / name / "winnow.toml"), tmp_path / name / "run")
        stages[name] = open_stage(tmp_path / name / "run", "signals"), candidates
    images = stages["dealt"][0].table(IMAGES)["n_bytes"].to_pylist()
    assert (len(images), sum(n_bytes > 0 for n_bytes in images)) == (77, 47)
    for table in (SIGNALS, PLACEMENTS):
        assert stages["dealt"][0].table(table).equals(stages["whole"][0].table(table))
    assert len(stages["whole"][1].table(CANDIDATES)) > 100
    assert stages["dealt"][1].table(CANDIDATES).equals(stages["whole"][1].table(CANDIDATES))


def test_a_page_of_common_crawl_is_read(archives: Path) -> None:
    (page,) = pages_of(archives / "whirlwind.warc.gz")
    assert page.url == "https://an.wikipedia.org/wiki/Escopete"
    assert page.images and page.links and page.lang == "an"


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_a_crawl_cut_anywhere_keeps_what_came_before(
    archives: Path, tmp_path: Path, share: float
) -> None:
    content = (archives / "example.warc.gz").read_bytes()
    cut = tmp_path / "cut.warc.gz"
    cut.write_bytes(content[: int(share * len(content))])
    whole = pages_of(archives / "example.warc.gz")
    records = pages_of(cut)
    assert records == whole[: len(records)]
    assert tables_of(cut)["rejects"]["reason"].to_pylist() == ["truncated"]


def test_a_site_gives_the_same_from_folders_and_from_an_archive(tmp_path: Path) -> None:
    with tarfile.open(SITE) as tar:
        tar.extractall(tmp_path, filter="data")
    root = tmp_path / "basedcooking"
    files = {
        f"/{path.stem}.html": render(path.read_text(encoding="utf-8")).encode()
        for path in sorted((root / "content").glob("*.md"))
    }
    photos = {
        f"/pix/{path.name}": path.read_bytes()
        for path in sorted((root / "static" / "pix").iterdir())
    }
    host = "based.cooking"
    for name, content in {**files, **photos}.items():
        target = tmp_path / "site" / host / name.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    responses = [Response(f"https://{host}{name}", html) for name, html in files.items()]
    responses += [Response(f"https://{host}{n}", c, "image/webp") for n, c in photos.items()]
    path = tmp_path / "site.warc.gz"
    path.write_bytes(members([record(response) for response in responses]))
    locator = Locator(tmp_path, ["site"])
    folders = joined(read_site(tmp_path / "site", [host + name for name in files], locator))
    archive = tables_of(path)
    assert folders["signals"].num_rows > 700
    for name in ("signals", "placements", "links"):
        assert sorted(map(str, folders[name].to_pylist())) == sorted(
            map(str, archive[name].to_pylist())
        )
    sizes = [sorted(zip(*t["images"].select(["image_id", "n_bytes"]).to_pydict().values(),
                        strict=True)) for t in (folders, archive)]  # fmt: skip
    assert sizes[0] == sizes[1]


def render(markdown: str) -> str:
    """Return a page of Markdown as HTML: its title, headings, paragraphs, images and links."""
    head, body = re.fullmatch(r"---\n(.*?)\n---\n(.*)", markdown, re.DOTALL).groups()
    title = re.search(r'^title: "?(.*?)"?$', head, re.MULTILINE)
    blocks = []
    for block in body.split("\n\n"):
        text = escape(block.strip(), quote=False)
        text = re.sub(r"!\[(.*?)\]\((\S+?)\)", r'<img src="\2" alt="\1">', text)
        text = re.sub(r"\[(.*?)\]\((\S+?)\)", r'<a href="\2">\1</a>', text)
        heading = re.match(r"(#+) ", text)
        tag = f"h{len(heading[1])}" if heading else "p"
        blocks.append(f"<{tag}>{text.lstrip('# ')}</{tag}>")
    name = escape(title[1]) if title else ""
    return f"<meta charset=utf-8><title>{name}</title><h1>{name}</h1>" + "\n".join(blocks)
