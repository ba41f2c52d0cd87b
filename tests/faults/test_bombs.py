"""Small files that unpack to very much.

All are read by one process of their own, whose peak of memory is measured for each.
"""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pytest

from labeling.errors import InputError
from labeling.readers.image_files import Locator
from labeling.readers.sites import read_site
from labeling.readers.table_files.graphs import read_graph
from labeling.readers.web_archives.archives import read_archive
from labeling.readers.web_archives.codings import MAX_BYTES
from labeling.readers.webdatasets import read_webdataset
from labeling.taxonomy.published import read_taxonomy
from tests.labeling.warcs import Response, arc_head, http, members, record

N_BYTES = 224 << 20
MOST_MB = 6 * MAX_BYTES >> 20

LENGTH = b"Content-Length: %d\r\n\r\n" % N_BYTES
ARC_HEAD = b"http://a.org/ 1.2.3.4 20080430204825 text/html %d\n" % N_BYTES
PAGE = Response("http://a.org/", b"<img src=x.gif alt=apple>")


def coded(coding: str, body: bytes) -> bytes:
    return record(PAGE._replace(body=body, headers=(("Content-Encoding", coding),)))


def packed(head: bytes, zeros: bytes) -> bytes:
    """Return a gzip file whose content begins with `head`; `zeros` are members of their own."""
    return gzip.compress(head) + zeros


def write_bombs(folder: Path) -> None:
    zeros = bytes(N_BYTES)
    once = gzip.compress(zeros[: N_BYTES // 4], 1)
    bodies = [
        coded("gzip", once * 4),
        coded("gzip, gzip", gzip.compress(once * 4)),
        coded("br", pa.compress(zeros, "brotli", asbytes=True)),
        coded("zstd", pa.compress(zeros, "zstd", asbytes=True)),
        coded("gzip, " * 9, b"x"),
        record(PAGE),
    ]
    (folder / "bodies.warc.gz").write_bytes(members(bodies))
    head = record(PAGE).partition(b"Content-Length")[0] + LENGTH + http(PAGE)
    (folder / "record.warc.gz").write_bytes(packed(head, once * 4) + members([record(PAGE)]))
    (folder / "head.warc.gz").write_bytes(packed(b"WARC/1.0\r\nA: ", once * 4))
    (folder / "record.arc.gz").write_bytes(members([arc_head()]) + packed(ARC_HEAD, once * 4))
    head = b"WARC/1.0\r\nWARC-Type: metadata\r\n" + LENGTH
    (folder / "record.wat.gz").write_bytes(packed(head, once * 4))
    nested = b"[" + b"[]," * 1_300_000 + b"{}]"
    head = b"WARC/1.0\r\nWARC-Type: metadata\r\nContent-Length: %d\r\n\r\n" % len(nested)
    (folder / "json.wat.gz").write_bytes(gzip.compress(head + nested, 1))
    (folder / "line.txt.gz").write_bytes(packed(b"1\t", once * 4))
    block = b"".join(b"1\t1\n" for _ in range(1 << 18))
    (folder / "lines.txt.gz").write_bytes(gzip.compress(block * 64, 1))
    (folder / "vertices.txt").write_bytes(b"1\torg.a\n")
    (folder / "line.jsonl.gz").write_bytes(packed(b'{"id": "', once * 4))
    with tarfile.open(folder / "packed.tar", "w:gz") as tar:
        info = tarfile.TarInfo("0.jpg")
        info.size = N_BYTES // 4
        tar.addfile(info, BytesIO(zeros))
    (folder / "site" / "a.org").mkdir(parents=True)
    for name in ("x.html", "x.gif"):
        with (folder / "site" / "a.org" / name).open("wb") as file:
            file.write(b"<img src=x.gif alt=apple>")
            file.truncate(N_BYTES)


def read_bombs(folder: Path) -> Iterator[str]:
    """Read each file, and yield its rows or its error."""
    for path in sorted(folder.glob("*arc.gz")) + sorted(folder.glob("*.wat.gz")):
        reasons: list[str] = []
        for _, rows in read_archive(path, path.name, lambda url: None):
            reasons += rows["reason"].to_pylist() if "reason" in rows.column_names else []
        yield f"{path.name} {' '.join(reasons)}"
    known = folder / "vertices.txt"
    readers = {
        "line.txt.gz": lambda path: read_graph(known, path),
        "lines.txt.gz": lambda path: read_graph(known, path),
        "line.jsonl.gz": lambda path: iter(read_taxonomy(path).label_ids),
        "packed.tar": lambda path: read_webdataset(path, path.name, {"alt": "txt"}),
    }
    for name, read in readers.items():
        try:
            yield f"{name} {sum(1 for _ in read(folder / name))}"
        except InputError as error:
            yield f"{name} {error.message}"
    tables = dict(read_site(folder / "site", ["a.org/x.html"], Locator(folder, ["site"])))
    yield f"site {tables['images']['n_bytes'].to_pylist()}"


def memory_mb(field: str) -> int:
    match = re.search(rf"{field}:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(match[1]) >> 10 if match else 0


def report(folder: str) -> None:
    bombs = read_bombs(Path(folder))
    for _ in EXPECTED:
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak
        before = memory_mb("VmRSS")
        answer = next(bombs)
        needed = memory_mb("VmHWM") - before
        print(answer if needed < MOST_MB else f"{answer}: {needed} MB")


EXPECTED = [
    "bodies.warc.gz" + " too_large" * 5,
    "head.warc.gz truncated",
    "record.arc.gz too_large" + " truncated" * 4,
    "record.warc.gz too_large",
    "json.wat.gz bad_record",
    "record.wat.gz too_large",
    "line.txt.gz 4",
    "lines.txt.gz a file of a graph unpacks to more than 200 times its size",
    "line.jsonl.gz the taxonomy is too large",
    "packed.tar a WebDataset tar is damaged, compressed or empty",
    f"site [{N_BYTES}]",
]


@pytest.mark.skipif(sys.platform != "linux", reason="peaks of memory are read from /proc")
def test_bombs_are_refused_within_bounded_memory(tmp_path: Path) -> None:
    write_bombs(tmp_path)
    code = f"from {__name__} import report; report({str(tmp_path)!r})"
    paths = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": paths, "ARROW_DEFAULT_MEMORY_POOL": "system"},
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == EXPECTED
