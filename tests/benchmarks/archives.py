"""Speed of reading an archive into signals, against warcio and BeautifulSoup doing the same.

    python tests/benchmarks/archives.py example.warc.gz [--peer-path SITE_PACKAGES]

Both read the pages of status 200 and find images with alt, title, file name, link, caption, nearest
heading, page title and description and the words of the block around, and links with their texts,
rel and whether they are navigation; both take the digest of each link, image and stored image. The
peer does less: no words at a distance, OpenGraph, JSON-LD, srcset, lazy images, roles, redirects,
limits or tables. Times are CPU seconds of one process, each pair measured one after the other with
no garbage left of the one before; the ratio is the median of the pairs. The peers need warcio,
beautifulsoup4 and, for the second one, lxml. The last line is JSON.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urldefrag, urljoin

from labeling.html.page_images import filename_words
from labeling.keys import ids
from labeling.readers.image_files import Located
from labeling.readers.web_archives.archives import read_archive

BLOCKS = ("p", "li", "td", "figure", "div", "section", "article", "main", "body")


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare with warcio and BeautifulSoup.")
    parser.add_argument("archive", type=Path)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--peer-path", help="site-packages folder that holds the peers")
    arguments = parser.parse_args()
    if arguments.peer_path:
        sys.path.append(arguments.peer_path)
    n_bytes = pages_bytes(arguments.archive)
    n_mb = sum(n_bytes) / 1e6
    winnow(arguments.archive)
    ours: list[float] = []
    ratios: dict[str, float] = {}
    peers: dict[str, dict[str, float]] = {}
    for peer in ("html.parser", "lxml"):
        mine, theirs = [], []
        for _ in range(arguments.repeat):
            seconds, counts = timed(lambda: winnow(arguments.archive))
            mine.append(seconds)
            seconds, peer_counts = timed(lambda name=peer: soup(arguments.archive, name))
            theirs.append(seconds)
        ours += mine
        ratios[peer] = statistics.median(t / m for m, t in zip(mine, theirs, strict=True))
        middle = statistics.median(theirs)
        name = f"warcio + BeautifulSoup({peer})"
        peers[name] = {"ratio": round(ratios[peer], 2), "mb_per_s": round(n_mb / middle, 2)}
        print(f"winnow {min(mine):.2f} to {max(mine):.2f} s, {counts}")
        print(f"{name} {min(theirs):.2f} to {max(theirs):.2f} s, {peer_counts}")
    middle = statistics.median(ours)
    result = {
        "ratio": round(ratios["html.parser"], 2),
        "mb_per_s": round(n_mb / middle, 2),
        "pages_per_s": round(len(n_bytes) / middle, 1),
        "cpu_s": round(middle, 3),
        "peers": peers,
    }
    print(json.dumps(result))


def timed(work: Callable[[], dict[str, int]]) -> tuple[float, dict[str, int]]:
    gc.collect()
    began = time.process_time()
    counts = work()
    return time.process_time() - began, counts


def winnow(path: Path) -> dict[str, int]:
    counts = {"placements": 0, "links": 0, "signals": 0}
    for name, rows in read_archive(path, path.name, lambda u: Located(ids.digest(u), u, 0)):
        if name in counts:
            counts[name] += rows.num_rows
    return counts


def pages_bytes(path: Path) -> list[int]:
    from labeling.readers.web_archives.http import Record
    from labeling.readers.web_archives.warc import read_records

    records = read_records(path, lambda status, mime: status == 200 and mime == "text/html")
    return [len(r.body) for r in records if isinstance(r, Record) and r.body]


def soup(path: Path, parser: str) -> dict[str, int]:
    from bs4 import BeautifulSoup
    from warcio.archiveiterator import ArchiveIterator

    counts = {"placements": 0, "links": 0, "signals": 0}
    with path.open("rb") as file:
        for record in ArchiveIterator(file):
            header = record.http_headers
            if record.rec_type != "response" or header is None:
                continue
            content = record.content_stream().read()
            kind = header.get_header("Content-Type") or ""
            if header.get_statuscode() != "200":
                continue
            if kind.startswith("image/"):
                ids.digest(content)
            if kind.startswith("text/html"):
                url = record.rec_headers.get_header("WARC-Target-URI")
                read_soup(BeautifulSoup(content, parser), url, counts)
    return counts


def read_soup(page, url: str, counts: dict[str, int]) -> None:
    title = page.title.get_text(" ", strip=True) if page.title else ""
    meta = page.find("meta", attrs={"name": "description"})
    for link in page.find_all("a", href=True):
        try:
            target = urldefrag(urljoin(url, link["href"])).url
        except ValueError:
            continue
        if target.startswith("http"):
            row = (ids.digest(target), " ".join(link.get_text().split()), link.get("rel"))
            nav = link.find_parent(("nav", "header", "footer", "aside")) is not None
            counts["links"] += len((row, nav)) > 0
    for image in page.find_all("img", src=True):
        target = urljoin(url, image["src"])
        ids.digest(target)
        figure, link = image.find_parent("figure"), image.find_parent("a")
        heading = image.find_previous(["h1", "h2", "h3", "h4"])
        block = image.find_parent(BLOCKS)
        while block is not None and not block.get_text(strip=True):
            block = block.find_parent(BLOCKS)
        texts = [image.get("alt"), image.get("title"), filename_words(target), title]
        texts += [figure.get_text() if figure else "", link.get_text() if link else ""]
        texts += [heading.get_text() if heading else "", meta.get("content") if meta else ""]
        texts += [" ".join(block.get_text().split()[:60]) if block else ""]
        counts["placements"] += 1
        counts["signals"] += sum(bool(text and text.strip()) for text in texts)


if __name__ == "__main__":
    main()
