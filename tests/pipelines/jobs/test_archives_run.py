"""A run whose only input besides the labels is a web archive."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from curation.runs.stage import Stage, open_stage
from curation.shards.images import BadImage, read_image
from labeling.keys import ids
from labeling.readers.web_archives.codings import MAX_BYTES
from labeling.schemas import CANDIDATES, IMAGES, REJECTS, SIGNALS
from pipelines.delivery.export import export
from pipelines.inspecting.plan import plan
from pipelines.inspecting.status import status
from pipelines.jobs.label import label
from pipelines.run.config import Config, read_config
from pipelines.selecting.select import select
from tests.labeling.warcs import Response, members, record

COLOURS = ("red", "green", "blue", "yellow")
N_IMAGES = 120


def photo(number: int) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    folder = tmp_path_factory.mktemp("archived")
    (folder / "web").mkdir()
    records, truth = [], ["image_id,label_id"]
    for number in range(N_IMAGES):
        named, shown = COLOURS[number % 4], COLOURS[(number + (number % 5 == 0)) % 4]
        site = f"http://a{number % 3}.org"
        html = f'<p><img src="/{number}.jpg" alt="a {named} thing"></p>'.encode()
        records.append(record(Response(f"{site}/{number}.html", html)))
        records.append(record(Response(f"{site}/{number}.jpg", photo(number), "image/jpeg")))
        truth.append(f"{ids.digest(photo(number))},{shown}")
    half = len(records) // 2
    (folder / "web" / "a.warc.gz").write_bytes(members(records[:half]))
    (folder / "web" / "b.warc").write_bytes(b"".join(records[half:])[:-9])
    labels = [json.dumps({"id": c, "names": [c], "parents": []}) for c in COLOURS]
    (folder / "taxonomy.jsonl").write_text("\n".join(labels))
    (folder / "truth.csv").write_text("\n".join(truth))
    (folder / "winnow.toml").write_text(
        '[taxonomy]\npath = "taxonomy.jsonl"\n[[archive]]\npath = "web"\n'
        "[label]\nmax_cut_share = 0.5\n"
        '[audit]\nn = 60\ntruth = "truth.csv"\n'
    )
    return read_config(folder / "winnow.toml")


def test_archives_go_all_the_way_to_shards(config: Config, tmp_path: Path) -> None:
    label(config, tmp_path)
    signals = open_stage(tmp_path, "signals")
    assert signals.table(REJECTS)["reason"].to_pylist() == ["truncated"]
    assert signals.counts["files"] == {"whole": 1, "cut": 1}
    assert signals.facts["cut_files"] == ["web/b.warc"]
    images = signals.table(IMAGES)
    assert len(images) == N_IMAGES
    select(config, tmp_path)
    counts = export(config, tmp_path, "selected").counts
    assert counts["in"] == counts["train"] + counts["heldout"] + sum(counts["dropped"].values())
    assert counts["train"] > 20
    assert set(counts["dropped"]) <= {"no_kept_label", "not_local"}
    archives = config.model_dump()["archive"]
    assert archives == ({"path": "web"},)


def test_another_archive_is_another_input(config: Config, tmp_path: Path) -> None:
    first = label(config, tmp_path).content
    assert label(config, tmp_path).content == first
    path = Path(config.base) / "web" / "c.warc"
    path.write_bytes(record(Response("http://c.org/", b"<img src=x.jpg alt='a red car'>")))
    assert label(config, tmp_path).content != first
    path.unlink()


def images_of(folder: Path, archives: dict[str, list[bytes]]) -> tuple[Stage, Stage]:
    """Return signals and candidates of archives, with a site and a table that show the images."""
    for name, records in archives.items():
        (folder / "web").mkdir(parents=True, exist_ok=True)
        (folder / "web" / name).write_bytes(members(records))
    (folder / "site" / "s.org").mkdir(parents=True)
    (folder / "site" / "s.org" / "p.html").write_text(
        '<p><img src="http://a.org/0.jpg" alt="a red box"><p><img src="/1.jpg" alt="a red jar">'
    )
    (folder / "texts.csv").write_text("image,text\nhttps://a.org/0.jpg,a red cup\n")
    labels = [json.dumps({"id": c, "names": [c], "parents": []}) for c in COLOURS]
    (folder / "taxonomy.jsonl").write_text("\n".join(labels))
    (folder / "winnow.toml").write_text(
        '[taxonomy]\npath = "taxonomy.jsonl"\n[[archive]]\npath = "web"\n'
        '[[site]]\npath = "site"\n[[signals]]\npath = "texts.csv"\n'
        "[label]\nmax_reject_share = 1\n"
    )
    label(read_config(folder / "winnow.toml"), folder / "run")
    return open_stage(folder / "run", "signals"), open_stage(folder / "run", "candidates")


def test_an_image_of_any_input_is_found_in_any_archive(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = record(Response("http://c.org/", b"<img src='//a.org/0.jpg' alt='a red car'>"))
    image = record(Response("http://a.org/0.jpg", photo(0), "image/jpeg"))
    too_large = record(Response("http://a.org/9.jpg", b"GIF89a" + bytes(MAX_BYTES), "image/gif"))
    dealt = {"a.warc.gz": [page], "b.warc.gz": [image, too_large]}
    signals, candidates = images_of(tmp_path / "dealt", dealt)
    together = {"a.warc.gz": [page, image, too_large]}
    signals_of_one, candidates_of_one = images_of(tmp_path / "together", together)
    assert signals.table(SIGNALS).equals(signals_of_one.table(SIGNALS))
    assert candidates.table(CANDIDATES).equals(candidates_of_one.table(CANDIDATES))
    reds = ("a red box", "a red cup", "a red car")
    red = {row["image_id"] for row in signals.table(SIGNALS).to_pylist() if row["text"] in reds}
    assert red == {ids.digest(photo(0))}
    assert signals.counts["images_without_bytes"] == 1
    assert signals.counts["rejects_by_reason"] == {"image_missing": 1, "too_large": 1}
    assert "1 image URLs without bytes" in capsys.readouterr().err
    assert "1 image URLs without bytes" in str(status(tmp_path / "dealt" / "run"))
    passes = plan(read_config(tmp_path / "dealt" / "winnow.toml"), None).passes
    assert (passes[0].name, passes[0].n_splits) == ("stored", 2)


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("../web/a.warc.gz#0", "not_local"),
        ("/etc/a.warc#0", "not_local"),
        ("http://a.org/a.warc#0", "not_local"),
        ("web/a.warc.gz#0", "content_changed"),
        ("web/a.warc.gz#1", "image_missing"),
        ("web/a.warc.gz#-1", "image_missing"),
        ("web/a.warc.gz#99999999999999999999999", "image_missing"),
        ("web/a.warc.gz#", "image_missing"),
        ("web#0", "image_missing"),
        ("taxonomy.jsonl#0", "image_missing"),
    ],
)
def test_hostile_locations_are_refused(config: Config, location: str, reason: str) -> None:
    with pytest.raises(BadImage) as error:
        read_image("0" * 32, location, Path(config.base))
    assert error.value.reason == reason
