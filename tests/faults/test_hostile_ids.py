"""Ids of hostile form never reach a file name.

What is written into shards and read out of them is tested in tests/curation/shards/test_shards.py.
"""

from __future__ import annotations

import csv
import io
import json
import re
import tarfile
from pathlib import Path

import pyarrow as pa
import pytest

from curation.runs.stage import open_stage
from labeling.errors import InputError
from labeling.keys.urls import url_id
from labeling.readers.webdatasets import read_webdataset
from labeling.schemas import CANDIDATES, FEEDBACK, HEX_ID, IMAGES, LINKS, PLACEMENTS, SIGNALS
from labeling.taxonomy.published import read_taxonomy
from pipelines.jobs.label import label
from pipelines.run.config import read_config

HOSTILE = (
    "../../x",
    "/abs",
    "a/b",
    "a\\b",
    "con",
    "x.y",
    ".",
    "..",
    "__meta__",
    "x" * 300,
    "new\nline",
    "nul\x00byte",
    "\u202egnp",
    "a b",
    "-rf",
    "%2e%2e%2f",
    "~root",
    "0" * 31 + "G",
)
COLUMNS = ["event_id", "image", "label", "query", "kind", "user", "position", "time"]


@pytest.mark.parametrize("label_id", [*HOSTILE, "", "x" * 129, "a\n"])
def test_label_ids_are_plain_or_refused(tmp_path: Path, label_id: str) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(json.dumps({"id": label_id}))
    if re.fullmatch(r"[A-Za-z0-9_:\-]{1,128}", label_id):
        assert read_taxonomy(path).label_ids == (label_id,)
        return
    with pytest.raises(InputError, match="characters that are not allowed"):
        read_taxonomy(path)


def write_rows(path: Path, rows: list[list[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def test_pages_images_users_and_events_of_any_name_become_digests(tmp_path: Path) -> None:
    labels = [{"id": "con", "names": ["cat"]}, {"id": "twin", "names": ["c\u0430t"]}]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, labels)))
    names = [name for name in HOSTILE if "\x00" not in name]
    images = [f"https://a.org/{name}" for name in names]
    texts = [[image, "a cat", page] for image, page in zip(images, names, strict=True)]
    write_rows(tmp_path / "texts.csv", [["image", "text", "page"], *texts])
    write_rows(tmp_path / "links.csv", [["src", "dst"], *([a, b] for a in names for b in names)])
    events = [[name, images[0], "con", "", "up", name, "", "0"] for name in names]
    write_rows(tmp_path / "feedback.csv", [COLUMNS, *events])
    (tmp_path / "run.toml").write_text(
        '[taxonomy]\npath = "t.jsonl"\n[[signals]]\npath = "texts.csv"\n'
        'columns = { image = "image", text = "text", page = "page" }\n'
        '[[links]]\npath = "links.csv"\n[[feedback]]\npath = "feedback.csv"\n'
    )
    stage = label(read_config(tmp_path / "run.toml"), tmp_path / "run")
    assert set(stage.table(CANDIDATES)["image_id"].to_pylist()) == set(map(url_id, images))
    assert len(stage.facts["odd_names"]) == 2
    signals = open_stage(tmp_path / "run", "signals")
    assert len(signals.table(SIGNALS)) == len(names)
    assert sorted(signals.table(FEEDBACK)["user_id"].to_pylist()) == sorted(names)
    pages = set(map(url_id, names))
    assert set(signals.table(PLACEMENTS)["page_id"].to_pylist()) == pages
    assert set(signals.table(LINKS)["src_page"].to_pylist()) == pages
    written = [path.relative_to(tmp_path / "run") for path in (tmp_path / "run").rglob("*")]
    plain = re.compile(r"(CURRENT|\.lock|[a-z0-9]+|[a-z]+\.json|[a-z]+-\d{5}-of-\d{5}\.parquet)")
    folders = re.compile(r"(signals|candidates|\.staging)")
    assert all(plain.fullmatch(p.name) or folders.fullmatch(p.name) for p in written), written


@pytest.mark.parametrize("name", [*(n for n in HOSTILE if "\x00" not in n), "é/ü"])
def test_members_of_a_tar_are_read_by_their_offset(tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / "0.tar", "w") as tar:
        for ending, content in ((".jpg", b"pixels"), (".txt", b"a cat")):
            member = tarfile.TarInfo(name + ending)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    tables = dict(read_webdataset(tmp_path / "0.tar", "in/0.tar", {"alt": "txt"}))
    images: pa.Table = tables["images"]
    assert [path.name for path in tmp_path.rglob("*")] == ["0.tar"]
    if "." in name.rpartition("/")[2]:  # the ending is what follows the first dot
        assert tables["rejects"]["reason"].to_pylist() == ["no_image"]
        return
    assert re.match(HEX_ID, images["image_id"][0].as_py())
    assert re.fullmatch(r"in/0\.tar#\d+\+6", images["location"][0].as_py())
    assert images.schema == IMAGES.arrow
