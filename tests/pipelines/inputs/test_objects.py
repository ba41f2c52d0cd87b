"""Inputs in a bucket give what the same files in a folder give."""

from __future__ import annotations

import gzip
import hashlib
import io
import shutil
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from PIL import Image

import pipelines
from curation.runs.stage import current, open_stage
from curation.shards.images import read_image
from labeling.keys import ids
from labeling.objects import client, object_file
from labeling.objects.paths import path_of
from labeling.readers.table_files.tables import read_pairs
from labeling.schemas import AUDITS, CANDIDATES, IMAGES
from pipelines.delivery.export import export
from pipelines.inputs.splits import input_digests, splits_of
from pipelines.inspecting.check import check_inputs
from pipelines.inspecting.plan import plan
from pipelines.inspecting.status import status
from pipelines.jobs.label import label
from pipelines.passes.inputs import ReadInputs
from pipelines.run.config import Config, read_config, with_overrides
from pipelines.run.dependencies import taxonomy_files
from pipelines.run.saved_config import save_config
from tests.buckets import put, put_folder, use_server
from tests.labeling.warcs import Response, arc_head, arc_record, members, record, wacz, zstd_warc

CONFIG = """\
[taxonomy]
path = "labels/taxonomy.jsonl.gz"
[[site]]
path = "site"
[[site]]
path = "site.zip"
[[archive]]
path = "crawl"
[[signals]]
path = ["tables", "tables/*.csv.gz"]
image_path = "images/{image}"
[[webdataset]]
path = "pairs.tar"
[[graph]]
vertices = "graph/vertices.txt.gz"
edges = "graph/edges*.txt"
"""


def photo(shade: int) -> bytes:
    out = io.BytesIO()
    noise = np.random.default_rng(shade).integers(256, size=(40, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(out, "JPEG", quality=95)
    return out.getvalue()


def page(name: str) -> bytes:
    return f"<html><title>Fruit</title><img src='{name}' alt='a red apple'></html>".encode()


def responses(host: str) -> list[bytes]:
    """Return the records of a page and of its image."""
    image = Response(f"https://{host}/x.jpg", photo(len(host)), "image/jpeg")
    return [record(Response(f"https://{host}/", page("x.jpg"))), record(image)]


def zipped(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return out.getvalue()


def tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as file:
        for name, content in (("1.jpg", photo(1)), ("1.txt", b"an apple"), ("2.txt", b"alone")):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return out.getvalue()


def parquet() -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"image": ["1.jpg", "3.jpg"], "text": ["apple", "none here"]}), out)
    return out.getvalue()


def files() -> dict[str, bytes]:
    """Return the content of a data folder, by the paths of its files."""
    table = b"image,text\n1.jpg,apple\n2.jpg,a pear\nmissing.jpg,pear\n../x.jpg,pear\n"
    arc = [Response("https://arc.example/", page("x.jpg"))]
    arc += [Response("https://arc.example/x.jpg", photo(9), "image/jpeg")]
    return {
        "run.toml": CONFIG.encode(),
        "labels/taxonomy.jsonl.gz": gzip.compress(b'{"id": "apple"}\n{"id": "pear"}\n'),
        "site/one.example/index.html": page("a.jpg"),
        "site/one.example/a.jpg": photo(5),
        "site/one.example/notes.pdf": b"%PDF",
        "site/.git/x.html": b"",
        "site.zip": zipped(
            {"two.example/index.html": page("b.jpg"), "two.example/b.jpg": photo(6)}
        ),
        "crawl/a.warc.gz": members(responses("gzip.example")),
        "crawl/b.warc.zst": zstd_warc(responses("zstandard.example"), "compressed"),
        "crawl/c.wacz": wacz({"archive/c.warc.gz": members(responses("stored.example"))}),
        "crawl/d.wacz": wacz(
            {"archive/d.warc": b"".join(responses("deflated.example"))}, zipfile.ZIP_DEFLATED
        ),
        "crawl/e.arc.gz": members([arc_head(), *map(arc_record, arc)]),
        "crawl/cut.warc.gz": members(responses("cut.example"))[:-40],
        "tables/a.csv": table,
        "tables/b.csv.gz": gzip.compress(table),
        "tables/c.csv.zst": zstandard.ZstdCompressor().compress(table),
        "tables/d.parquet": parquet(),
        "tables/e.parquet": b"PAR1 but no more",
        "tables/readme.md": b"",
        **{f"images/{n}.jpg": photo(n) for n in (1, 2, 3)},
        "pairs.tar": tar(),
        "graph/vertices.txt.gz": gzip.compress(b"0\texample.one\n1\texample.two\n"),
        "graph/edges1.txt": b"0\t1\n",
        "graph/edges2.txt": b"1\t0\n",
    }


@pytest.fixture
def both(bucket: str, tmp_path: Path) -> tuple[Config, Config]:
    """Return the settings of a data folder and of the same files in a bucket."""
    for name, content in files().items():
        file = tmp_path / "data" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    put_folder(tmp_path / "data", f"{bucket}/data")
    here = read_config(tmp_path / "data" / "run.toml")
    return here, read_config(tmp_path / "data" / "run.toml", {"base": f"{bucket}/data"})


def tables_of(config: Config) -> dict[str, list[pa.Table]]:
    """Return the tables of all inputs."""
    read = ReadInputs(config, taxonomy_files(config), None)
    tables: dict[str, list[pa.Table]] = {}
    for split in splits_of(config):
        for name, rows in read(split):
            tables.setdefault(name, []).append(rows)
    return {name: pa.concat_tables(rows) for name, rows in tables.items()}


def test_every_kind_of_input_is_read_from_a_bucket(both: tuple[Config, Config]) -> None:
    here, there = map(tables_of, both)
    assert here.keys() == there.keys()
    for name in here:
        assert here[name].equals(there[name]), name
    reasons = set(here["rejects"]["reason"].to_pylist())
    assert {"image_missing", "truncated", "bad_file", "no_image"} <= reasons
    images = [image for image in there["images"].to_pylist() if image["n_bytes"]]
    assert len({image["location"] for image in images}) >= 10
    for image in images:
        given = image["image_id"], image["location"]
        decoded = read_image(*given, path_of(both[1].base))
        assert decoded == read_image(*given, Path(both[0].base))


def test_plan_and_check_count_the_same(both: tuple[Config, Config]) -> None:
    tables = {"signals": [{"path": ["tables/*.csv*", "tables/d.parquet"]}]}
    here, there = (with_overrides(config, tables) for config in both)
    assert plan(here, None).inputs == plan(there, None).inputs
    assert plan(here, None).skipped == plan(there, None).skipped
    assert check_inputs(here) == check_inputs(there)


def test_addresses_in_paths_are_read_beside_files(
    both: tuple[Config, Config], tmp_path: Path
) -> None:
    here, there = both
    url = there.base
    mixed = read_config(
        tmp_path / "data" / "run.toml",
        {
            "archive": [{"path": [f"{url}/crawl/*.gz", "crawl/a.warc.gz"]}],
            "signals": [{"path": "tables/a.csv", "image_path": f"{url}/images/{{image}}"}],
            "taxonomy.path": f"{url}/labels/taxonomy.jsonl.gz",
        },
    )
    names = [split.arguments[1][0] for split in splits_of(mixed) if split.kind == "archive"]
    assert f"{url}/crawl/a.warc.gz" in names
    assert "crawl/a.warc.gz" in names
    images = tables_of(mixed)["images"].to_pylist()
    (located,) = [row for row in images if row["location"] == f"{url}/images/1.jpg"]
    assert located["image_id"] == ids.digest(photo(1))
    assert read_image(located["image_id"], located["location"], Path(here.base)).width == 40


def test_an_image_is_read_without_the_rest_of_its_archive(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = Response("https://a.example/x.jpg", photo(1), "image/jpeg")
    filler = [record(Response(f"https://a.example/{n}", bytes(500))) for n in range(2000)]
    archive = b"".join([*filler, record(image), *filler])
    put(f"{bucket}/a.warc", archive)
    n_read: list[int] = []

    def counted(url: str, start: int, stop: int, version: str | None) -> tuple[bytes, object]:
        content, facts = read_range(url, start, stop, version)
        n_read.append(len(content))
        return content, facts

    read_range = object_file.read_range
    monkeypatch.setattr(object_file, "read_range", counted)
    monkeypatch.setattr(object_file, "FIRST_BYTES", 16 << 10)
    location = f"a.warc#{sum(map(len, filler))}"
    assert read_image(ids.digest(photo(1)), location, path_of(bucket)).width == 40
    assert sum(n_read) < len(archive) / 20


def digests(folder: Path) -> dict[str, str]:
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.glob("*.parquet"))
    }


def test_a_bucket_and_a_folder_are_labelled_alike(
    shop: Path,
    labelled: Path,
    bucket: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    put_folder(shop.parent, f"{bucket}/shop")
    config = read_config(shop, {"base": f"{bucket}/shop"})
    there = label(config, tmp_path / "there")
    here = current(labelled, "candidates")
    assert here is not None
    assert digests(here.dir) == digests(there.dir)
    assert label(config, tmp_path / "there").dir == there.dir  # reused
    save_config(config, tmp_path / "there")
    put(f"{bucket}/shop/images/0.jpg", b"another")
    assert status(tmp_path / "there").stages[0].stale == ("images have changed: images/0.jpg",)
    with monkeypatch.context() as patch:
        use_server(patch, "http://127.0.0.1:9")
        client._client.cache_clear()
        assert [stage.state for stage in status(tmp_path / "there").stages] == ["current"] * 2
    assert "not compared with the inputs: the object store cannot" in capsys.readouterr().err
    client._client.cache_clear()
    before = input_digests(config, splits_of(config))
    put(f"{bucket}/shop/links.csv", b"src,dst\n")
    after = input_digests(config, splits_of(config))
    assert [name for name in before if before[name] != after[name]] == ["links.csv"]


def test_shards_hold_the_images_of_a_bucket(
    shop: Path, selected: Path, bucket: str, tmp_path: Path
) -> None:
    put_folder(shop.parent, f"{bucket}/shop")
    shutil.copytree(selected, tmp_path / "here")
    here = export(read_config(shop), tmp_path / "here", "selected")
    config = read_config(shop, {"base": f"{bucket}/shop"})
    shutil.rmtree(shop.parent)
    there = export(config, selected, "selected")
    assert [tar.read_bytes() for tar in sorted(here.dir.glob("*.tar"))] == [
        tar.read_bytes() for tar in sorted(there.dir.glob("*.tar"))
    ]
    assert there.counts == here.counts
    assert there.counts["out"] > 100


def test_a_table_of_images_may_name_objects(
    shop: Path, selected: Path, bucket: str, tmp_path: Path
) -> None:
    put_folder(shop.parent, f"{bucket}/shop")
    images = open_stage(selected, "signals").table(IMAGES)
    paths = [f"{bucket}/shop/{name}" for name in images["location"].to_pylist()]
    table = pa.table({"image_id": images["image_id"], "path": [*paths[:-1], f"{bucket}/nowhere"]})
    pq.write_table(table, tmp_path / "images.parquet")
    (candidates,) = open_stage(selected, "candidates").table_paths(CANDIDATES)
    pq.write_table(open_stage(selected, "audits").table(AUDITS), tmp_path / "audits.parquet")
    run = tmp_path / "imported"
    audits, given = tmp_path / "audits.parquet", tmp_path / "images.parquet"
    pipelines.audit_import(run, audits, candidates=candidates, images=given)
    counts = open_stage(run, "images").counts
    assert counts["dropped"] == {"image_missing": 1} and counts["not_compared"] == 0
    pipelines.select(run)
    shards = pipelines.export(run)
    assert shards.counts["out"] > 100
    assert {*shards.counts["dropped"]} <= {"no_kept_label", "image_missing"}


def test_an_object_may_be_replaced_between_two_commands(shop: Path, bucket: str) -> None:
    put_folder(shop.parent, f"{bucket}/shop")
    tables = {"signals": [{"path": "*.csv"}], "feedback": [], "links": []}
    config = read_config(shop, {"base": f"{bucket}/shop", **tables})
    before = pipelines.plan(config)
    put(f"{bucket}/shop/products.csv", b"image,text\n" * 1000)
    assert pipelines.plan(config).inputs != before.inputs
    put(f"{bucket}/shop/links.csv", b"image_id,label_id\n")
    assert len(read_pairs(path_of(f"{bucket}/shop/links.csv"))) == 0
