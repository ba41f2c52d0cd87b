from __future__ import annotations

import tarfile
from pathlib import Path

import pandas as pd

from curation.runs.stage import Stage, open_stage
from curation.shards.images import read_image
from labeling.schemas import CANDIDATES, IMAGES
from pipelines.jobs.label import label
from pipelines.run.config import read_config


def pairs_of(stage: Stage) -> set[tuple[str, str]]:
    return {(r["image_id"], r["label_id"]) for r in stage.table(CANDIDATES).to_pylist()}


def test_tars_become_candidates_and_their_images_can_be_read_again(
    shop: Path, tmp_path: Path
) -> None:
    products = pd.read_csv(shop.parent / "products.csv").drop_duplicates("image")
    (tmp_path / "tars").mkdir()
    with tarfile.open(tmp_path / "tars" / "00000.tar", "w") as tar:
        for number, row in enumerate(products.itertuples()):
            tar.add(shop.parent / str(row.image), f"{number:05d}.png")
            (tmp_path / "text").write_text(str(row.title), encoding="utf-8")
            tar.add(tmp_path / "text", f"{number:05d}.txt")
    (tmp_path / "taxonomy.jsonl").write_bytes((shop.parent / "taxonomy.jsonl").read_bytes())
    config = tmp_path / "run.toml"
    config.write_text('[taxonomy]\npath = "taxonomy.jsonl"\n[[webdataset]]\npath = "tars"\n')
    candidates = label(read_config(config), tmp_path / "run")
    alone = '[taxonomy]\npath = "taxonomy.jsonl"\n[[signals]]\npath = "products.csv"\n'
    text = alone + 'columns = { image = "image", text = "title" }\n'
    (shop.parent / "alone.toml").write_text(text, encoding="utf-8")
    plain = label(read_config(shop.parent / "alone.toml"), tmp_path / "plain")
    assert pairs_of(candidates) == pairs_of(plain)
    images = open_stage(tmp_path / "run", "signals").table(IMAGES).to_pandas()
    assert set(images["image_id"]) == {image for image, _ in pairs_of(plain)}
    for image in images.itertuples():
        assert ".tar#" in str(image.location)
        assert read_image(str(image.image_id), str(image.location), tmp_path).width > 1
