from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image

from labeling.html.page import Page, read_page
from labeling.keys.ids import digest
from labeling.keys.urls import serialised
from labeling.readers.image_files import Locator
from labeling.taxonomy.published import read_taxonomy
from pipelines.demo.files import write_world
from pipelines.demo.vocabulary import NAMES
from pipelines.demo.world import World, WorldSettings, make_world

SETTINGS = WorldSettings(
    n_hosts=8,
    n_pages=50,
    n_figures=150,
    n_users=30,
    n_searches=20,
    n_votes=100,
    n_brigade_votes=100,
)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(5, SETTINGS)


@pytest.fixture(scope="module")
def folder(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out_dir = tmp_path_factory.mktemp("world")
    write_world(world, out_dir)
    return out_dir


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): digest(p.read_bytes()) for p in files}


def _read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def _read_pages(world: World, folder: Path) -> list[Page]:
    urls = [world.page_url(n) for n in range(len(world.pages))]
    return [
        read_page((folder / "site" / url.removeprefix("https://")).read_bytes(), url)
        for url in urls
    ]


def test_a_seed_decides_every_byte_whatever_the_hash_seed(folder: Path, tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[2]);"
        "from tests.pipelines.demo.test_files import SETTINGS, make_world, write_world;"
        "write_world(make_world(5, SETTINGS), pathlib.Path(sys.argv[1]))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    command = [sys.executable, "-c", program, str(tmp_path), str(Path(__file__).parents[3])]
    subprocess.run(command, check=True, env=environment)
    assert _digests(tmp_path) == _digests(folder)


def test_another_seed_gives_other_files(folder: Path, tmp_path: Path) -> None:
    write_world(make_world(6, SETTINGS), tmp_path)
    other, here = _digests(tmp_path), _digests(folder)
    assert other["truth.csv"] != here["truth.csv"]
    assert other["feedback.csv"] != here["feedback.csv"]
    assert other["taxonomy.jsonl"] == here["taxonomy.jsonl"]


def test_the_taxonomy_can_be_read(folder: Path) -> None:
    taxonomy = read_taxonomy(folder / "taxonomy.jsonl")
    assert set(taxonomy.label_ids) == set(NAMES)
    assert taxonomy.display_name(taxonomy.code("screen")) == "T.V./screen"


def test_truth_holds_the_labels_of_every_readable_image(world: World, folder: Path) -> None:
    expected = set()
    for number, file in enumerate(world.files):
        if file.state == "whole":
            located = Locator(folder, ["site"]).locate(world.image_url(number))
            assert located is not None
            assert located.n_bytes > 0
            labels = world.pictures[file.picture]
            expected |= {(located.image_id, label_id) for label_id in labels}
    rows = [(row["image_id"], row["label_id"]) for row in _read_csv(folder / "truth.csv")]
    assert rows == sorted(expected)


def test_pictures_can_be_decoded_except_those_cut_short(world: World, folder: Path) -> None:
    states = []
    for file in world.files:
        path = folder / "site" / world.hosts[file.host].name / "images" / file.name.text
        states.append(file.state)
        if file.state == "missing":
            assert not path.exists()
        elif file.state == "cut":
            with pytest.raises(OSError, match="truncated"):
                Image.open(io.BytesIO(path.read_bytes())).load()
        else:
            Image.open(io.BytesIO(path.read_bytes())).load()
    assert states.count("cut") == SETTINGS.n_cut_files
    assert states.count("missing") == SETTINGS.n_missing_files


def test_pages_refer_to_the_pictures_and_texts_of_the_world(world: World, folder: Path) -> None:
    for page, read in zip(world.pages, _read_pages(world, folder), strict=True):
        host = world.hosts[page.host]
        figures = [figure for section in page.sections for figure in section.figures]
        images = read.images[1 if host.logo is not None else 0 :]
        assert [i.url for i in images] == [world.image_url(figure.file) for figure in figures]
        for figure, image in zip(figures, images, strict=True):
            texts = {text.source: text.text for text in image.texts}
            assert texts["title"] == page.title.text
            assert texts.get("alt", "") == (figure.alt.text if figure.alt else "")
            if host.tidy:
                assert texts.get("caption", "") == (figure.caption.text if figure.caption else "")


def test_links_lead_to_the_pages_of_the_world(world: World, folder: Path) -> None:
    for page, read in zip(world.pages, _read_pages(world, folder), strict=True):
        home, *links = read.links
        assert home[0] == f"https://{world.hosts[page.host].name}/"
        expected = [(world.page_url(target), anchor.text) for target, anchor in page.links]
        read_links = [(link.url, link.text) for link in links]
        assert read_links == [(serialised(url), text) for url, text in expected]


def test_one_page_is_in_the_charset_that_it_declares(world: World, folder: Path) -> None:
    contents = [p.read_bytes() for p in sorted((folder / "site").rglob("*.html"))]
    old = [content for content in contents if b'charset="windows-1252"' in content]
    assert len(old) == 1
    assert "©" in old[0].decode("windows-1252")
    with pytest.raises(UnicodeDecodeError):
        old[0].decode("utf-8")
    assert all(content.decode("utf-8") for content in contents if content not in old)


def test_feedback_is_a_table_of_the_events(world: World, folder: Path) -> None:
    rows = _read_csv(folder / "feedback.csv")
    urls = {world.image_url(n): file.picture for n, file in enumerate(world.files)}
    assert len(rows) == len(world.events)
    for row, event in zip(rows, world.events, strict=True):
        assert urls[row["image"]] == event.picture
        assert (row["event_id"], row["kind"], row["user"]) == (
            event.event_id,
            event.kind,
            event.user,
        )
        assert (row["label"] == "") != (row["query"] == "")
        assert datetime.fromisoformat(row["time"]).timestamp() == event.time
