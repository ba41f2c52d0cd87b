"""Readers to try: for each a file, its valid forms, and the input that reads it."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from labeling.taxonomy.published import TaxonomyFiles, read_taxonomy
from pipelines.inputs.splits import splits_of
from pipelines.passes import stored
from pipelines.passes.inputs import ReadInputs
from pipelines.run.config import check_config
from pipelines.run.dependencies import taxonomy_files
from tests.labeling.warcs import (
    Response,
    arc_head,
    arc_record,
    in_other_case,
    members,
    record,
    wacz,
    wat_record,
    zstd_warc,
)

TAXONOMY = "".join(
    json.dumps({"id": name, "names": [name], "parents": parents}) + "\n"
    for name, parents in (("fruit", []), ("apple", ["fruit"]), ("pear", ["fruit"]))
)

PAGE = """<!DOCTYPE html><html lang=en>
<head><meta charset=utf-8><title>Fruit</title><base href="/f/">
<meta property="og:image" content="a.png"><meta property="og:title" content="An apple">
<script type="application/ld+json">
{"@type": "Product", "name": "Apple", "image": ["a.png"]}</script>
</head><body><nav><a href="/">home</a></nav><h1>Shop</h1><div><a href="big.png"><img src="a.png"
srcset="a.png 320w, b.png 2x" alt="men’s apple"></a><h3>Apple</h3></div><figure><picture><source
srcset="b.png 1x"><img src="data:image/gif;base64,R0" data-src="b.png"></picture><figcaption>a pear
</figcaption></figure><table><tr><td><img src="c.png"><td>text</table><a href="http://b.org/x?y=1#z">
pears &amp; more</a><noscript><img src=c.png></noscript></body></html>""".encode()


class Target(NamedTuple):
    """A file, its valid forms, and the sections of a configuration that reads it."""

    file: str
    forms: tuple[bytes, ...]
    sections: dict[str, Any]


def _png() -> bytes:
    packed = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 30, 30)).save(packed, "PNG")
    return packed.getvalue()


def _tar(format: int) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=format) as tar:
        for name, content in (
            ("0.png", _png()), ("0.txt", b"an apple"), ("0.json", b'{"url": "http://a.org/"}'),
            ("1.jpg", _png()), ("1.txt", "eine Birne é".encode()), ("é/" * 60 + "2.png", _png()),
        ):  # fmt: skip
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def _zip(method: int) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as file:
        file.writestr("a.org/index.html", PAGE)
        file.writestr("a.org/f/a.png", _png())
        file.writestr("b.org/é.html", PAGE)
    return packed.getvalue()


def _parquet(compression: str) -> bytes:
    packed = io.BytesIO()
    columns = {"image": ["a.png", "http://a.org/b.png"] * 9, "text": ["an apple", None] * 9}
    pq.write_table(pa.table(columns), packed, compression=compression, row_group_size=6)
    return packed.getvalue()


def _lines(*rows: object) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _targets() -> dict[str, Target]:
    pages = [Response("http://a.org/", PAGE), Response("http://a.org/f/a.png", _png(), "image/png")]
    pages.append(
        Response("http://a.org/f/b.png", b"", status=301, headers=(("Location", "a.png"),))
    )
    pages.append(Response("http://b.org/", PAGE, headers=(("Transfer-Encoding", "chunked"),)))
    records = [record(page) for page in pages]
    arcs = [arc_head(), *map(arc_record, pages)]
    wats = [wat_record("http://a.org/", 2)] * 2
    csv = b'image,text\na.png,an apple\nhttp://a.org/b.png,"two, ""pears"""\nc.png,\n'
    events = b"event_id,image,label,query,kind,user,position,time\n" + b"".join(
        b"e%d,a.png,apple,an apple,click,u%d,%d,2024-01-0%dT00:00:00Z\n" % (i, i % 3, i, i + 1)
        for i in range(9)
    )
    jsonl = _lines(*[{"image": "a.png", "text": "an apple"}, {"image": "b.png", "text": None}] * 3)
    archive = {"archive": ({"path": "x"},)}
    return {
        "warc": Target(
            "in.warc", (b"".join(records), b"".join(map(in_other_case, records))), archive
        ),
        "warc.gz": Target(
            "in.warc.gz", (members(records), members([*map(in_other_case, records)])), archive
        ),
        "arc": Target("in.arc", (b"".join(arcs),), archive),
        "arc.gz": Target("in.arc.gz", (members(arcs),), archive),
        "warc.zst": Target("in.warc.zst", (zstd_warc(records, "compressed"),), archive),
        "wacz": Target(
            "in.wacz",
            (wacz({"archive/a.warc.gz": members(records), "archive/b.arc": b"".join(arcs)}),),
            archive,
        ),
        "wat": Target("in.wat", (b"".join(wats),), archive),
        "page": Target("a.org/index.html", (PAGE,), {"site": ({"path": "x"},)}),
        "zip": Target("in.zip", (_zip(0), _zip(8)), {"site": ({"path": "x/in.zip"},)}),
        "csv": Target("in.csv", (csv, csv.replace(b"\n", b"\r\n")), {"signals": ({"path": "x"},)}),
        "jsonl": Target("in.jsonl", (jsonl,), {"signals": ({"path": "x"},)}),
        "parquet": Target(
            "in.parquet", (_parquet("NONE"), _parquet("SNAPPY")), {"signals": ({"path": "x"},)}
        ),
        "feedback": Target("in.csv", (events,), {"feedback": ({"path": "x"},)}),
        "links": Target(
            "in.csv", (b"src,dst\nhttp://a.org/,http://b.org/\n",), {"links": ({"path": "x"},)}
        ),
        "graph": Target(
            "v.txt",
            (b"0\torg.a\n1\torg.b\n", b"0\thttp://a.org/\n1\thttp://b.org/\n"),
            {"graph": ({"vertices": "x/v.txt", "edges": "edges.txt"},)},
        ),
        "tar": Target("in.tar", (_tar(0), _tar(1), _tar(2)), {"webdataset": ({"path": "x"},)}),
        "taxonomy.jsonl": Target("t.jsonl", (TAXONOMY.encode(),), {}),
        "taxonomy.csv": Target(
            "t.csv", (b"child,parent,name\nfruit,,fruit\napple,fruit,apple\n",), {}
        ),
        "taxonomy.openimages": Target("t.csv", (b"/m/01,Apple\n/m/02,Pear\n",), {}),
        "taxonomy.wordnet": Target(
            "data.noun",
            (
                b"00001740 03 n 01 entity 0 000 | a\n"
                b"00001930 03 n 01 apple 0 001 @ 00001740 n 0 | b\n",
            ),
            {},
        ),
    }


TARGETS = _targets()


def prepare(folder: Path) -> None:
    """Write the files that are never changed."""
    (folder / "taxonomy.jsonl").write_text(TAXONOMY, encoding="utf-8")
    (folder / "a.png").write_bytes(_png())
    (folder / "edges.txt").write_bytes(b"0\t1\n1\t0\n")


def reading(target: str, folder: Path) -> Callable[[bytes], None]:
    """Return a function that writes a file and reads it to the end, as `winnow label` does."""
    file, _, sections = TARGETS[target]
    path = folder / "x" / file
    path.parent.mkdir(parents=True, exist_ok=True)

    def read(content: bytes) -> None:
        path.write_bytes(content)
        if not sections:
            read_taxonomy(TaxonomyFiles(path))
            return
        config = check_config(
            {"base": str(folder), "taxonomy": {"path": "taxonomy.jsonl"}, **sections}, "fuzz"
        )
        splits = splits_of(config)
        of_images = stored.make_pass(config, splits).read
        for split in stored.splits_with_images(config, splits):
            for _, rows in of_images(split):
                rows.validate(full=True)
        read_split = ReadInputs(config, taxonomy_files(config), None)
        for split in splits:
            for _, rows in read_split(split):
                rows.validate(full=True)

    return read
