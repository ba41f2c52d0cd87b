"""A run of candidates and images that were made elsewhere, with ids of another kind."""

from __future__ import annotations

import csv
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

import pipelines
from curation.runs.run import Run
from curation.runs.stage import current, open_stage
from labeling.errors import InputError
from labeling.keys import ids
from labeling.schemas import AUDITS, CANDIDATES, IMAGES, IMPORTED_IMAGES, REJECTS, Batch
from pipelines.browsing.build import build, stages_of
from pipelines.browsing.index import Index
from pipelines.cli import main
from pipelines.page.lookup import files_of_images
from pipelines.page.pictures import picture_response
from pipelines.run.saved_config import load_config

Rows = list[dict[str, Any]]


def winnow(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def renamed(table: Batch) -> pa.Table:
    """Return a table with ids of images that are not the digests of their bytes."""
    names = pa.array([ids.digest(f"item {image}") for image in table["image_id"].to_pylist()])
    return table.set_column(0, "image_id", names)


def write_rows(path: Path, rows: Rows) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
        return path
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0]])
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def elsewhere(made_once: Path, shop: Path) -> Path:
    """Return the folder of the shop with candidates and audits of ids of its own."""
    folder, run = shop.parent, made_once / "selected"
    candidates = open_stage(run, "candidates").table(CANDIDATES)
    pq.write_table(renamed(candidates), folder / "candidates.parquet")
    pq.write_table(renamed(open_stage(run, "audits").table(AUDITS)), folder / "audits.parquet")
    return folder


@pytest.fixture
def rows(made_once: Path, elsewhere: Path) -> Rows:
    """Return the rows of a table of images, with digests."""
    images = open_stage(made_once / "labelled", "signals").table(IMAGES)
    paths = images["location"].to_pylist()
    digests = [hashlib.sha256((elsewhere / path).read_bytes()).hexdigest() for path in paths]
    names = renamed(images)["image_id"].to_pylist()
    columns = zip(names, paths, digests, strict=True)
    return [dict(zip(("image_id", "path", "sha256"), row, strict=True)) for row in columns]


@pytest.fixture
def begin(elsewhere: Path, tmp_path: Path) -> Callable[..., Result]:
    """Return a function that imports all, with a table of images."""

    def run(*options: object) -> Result:
        given = ("--candidates", elsewhere / "candidates.parquet")
        labels = ("--taxonomy", elsewhere / "taxonomy.jsonl")
        answers = elsewhere / "audits.parquet"
        return winnow("audit", "import", tmp_path / "run", answers, *given, *labels, *options)

    return run


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_imported_images_are_exported_and_trained_on(
    begin: Callable[..., Result], elsewhere: Path, rows: Rows, tmp_path: Path, suffix: str
) -> None:
    run = tmp_path / "run"
    result = begin("--images", write_rows(elsewhere / f"images{suffix}", rows))
    assert result.exit_code == 0, result.output
    assert open_stage(run, "images").counts["not_compared"] == 0
    selected = winnow("select", run)
    assert f"next: winnow export {run}" in selected.output, selected.output
    exported = winnow("export", run)
    assert exported.exit_code == 0, exported.output
    counts = open_stage(run, "shards").counts
    assert counts["train"] > 20 and set(counts["dropped"]) <= {"no_kept_label"}
    card = (open_stage(run, "shards").dir / "README.md").read_text()
    assert "that of the candidates" in card and "not checked" not in card
    small = ("train.width=8", "train.stem=small", "train.image_size=16", "train.steps=2")
    options = [word for setting in small for word in ("-o", setting)]
    assert winnow("train", run, *options).exit_code == 0
    assert winnow("report", run).exit_code == 0
    assert "data:image/jpeg" in (run / "report.html").read_text()
    assert Run(run).images.to_arrow().equals(open_stage(run, "images").table(IMPORTED_IMAGES))


def test_networks_look_at_imported_images(
    begin: Callable[..., Result], elsewhere: Path, rows: Rows, tmp_path: Path
) -> None:
    begin("--images", write_rows(elsewhere / "images.csv", rows))
    small = ("train.width=8", "train.stem=small", "train.image_size=16", "train.steps=20")
    options = [word for setting in (*small, "train.batch_size=16") for word in ("-o", setting)]
    looked = winnow("look", tmp_path / "run", *options)
    assert looked.exit_code == 0, looked.output
    assert open_stage(tmp_path / "run", "look").facts["folds_by"] == "content"
    assert open_stage(tmp_path / "run", "look").counts["out"] == len(rows)


def test_images_may_come_later_and_their_data_folder_is_kept(
    begin: Callable[..., Result], elsewhere: Path, rows: Rows, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    assert "next: winnow select" in begin().output
    winnow("select", run)
    refused = winnow("export", run)
    assert refused.exit_code == 3
    assert "the run has no images" in refused.output and "with --images" in refused.output
    given = winnow("audit", "import", run, "--images", write_rows(elsewhere / "i.csv", rows))
    assert given.exit_code == 0 and given.stdout == f"images  {len(rows)}\n", given.output
    assert f"next: winnow export {run}" in winnow("status", run).output
    assert begin().exit_code == 0
    assert winnow("export", run).exit_code == 0


def test_without_digests_the_card_states_that_the_content_was_not_checked(
    begin: Callable[..., Result], elsewhere: Path, rows: Rows, tmp_path: Path
) -> None:
    plain = [{name: row[name] for name in ("image_id", "path")} for row in rows]
    result = begin("--images", write_rows(elsewhere / "images.csv", plain))
    assert "were not compared" in result.output
    winnow("select", tmp_path / "run")
    winnow("export", tmp_path / "run")
    card = (open_stage(tmp_path / "run", "shards").dir / "README.md").read_text()
    assert f"The content of {len(rows)} images was not checked" in card


def test_a_file_that_changes_after_its_import_is_not_exported(
    begin: Callable[..., Result], elsewhere: Path, rows: Rows, tmp_path: Path
) -> None:
    plain = [{name: row[name] for name in ("image_id", "path")} for row in rows]
    table = write_rows(elsewhere / "images.csv", plain)
    run = tmp_path / "run"
    begin("--images", table)
    winnow("select", run)
    shutil.copy(elsewhere / rows[1]["path"], elsewhere / rows[0]["path"])
    (elsewhere / rows[2]["path"]).unlink()
    stale = winnow("status", run).stdout
    assert "stale: images: images have changed" in stale
    exported = winnow("export", run, "-o", "export.holdout_share=0.9")
    assert exported.exit_code == 0, exported.output
    dropped = open_stage(run, "shards").counts["dropped"]
    assert dropped["content_changed"] <= 1 and dropped["image_missing"] <= 1
    again = winnow("audit", "import", run, "--images", table)
    assert "1 have the bytes of another" in again.output
    assert "1 rows not used: image_missing" in again.output


def test_each_row_that_is_not_used_is_counted_with_its_reason(
    begin: Callable[..., Result], elsewhere: Path, rows: Rows, tmp_path: Path
) -> None:
    (elsewhere / "empty.jpg").touch()
    (elsewhere / "copy.jpg").write_bytes((elsewhere / rows[9]["path"]).read_bytes())
    rows[0]["path"] = "nowhere.jpg"
    rows[1]["path"] = "../run/config.json"
    rows[2]["path"] = ""
    rows[3]["path"], rows[3]["sha256"] = "empty.jpg", ""
    rows[4]["sha256"] = "abc"
    rows[5]["sha256"] = rows[6]["sha256"]
    rows[7]["sha256"] = rows[7]["sha256"].upper()
    rows[8] |= {"path": "copy.jpg", "sha256": rows[9]["sha256"]}
    rows[10] |= {"path": "https://a.org/10.jpg", "sha256": ""}
    other = {"image_id": "0" * 32, "path": "nowhere.jpg", "sha256": ""}
    table = [*rows, rows[11], other, other | {"image_id": "no id"}]
    result = begin("--images", write_rows(elsewhere / "images.csv", table))
    assert result.exit_code == 0, result.output
    stage = open_stage(tmp_path / "run", "images")
    assert stage.counts["dropped"] == {
        "bad_sha256": 1,
        "content_changed": 1,
        "empty_image": 1,
        "image_missing": 2,
        "no_image": 1,
        "unknown_image": 2,
        "repeated": 1,
    }
    assert stage.counts["in"] == stage.counts["out"] + sum(stage.counts["dropped"].values())
    assert stage.counts["images_without_bytes"] == 1
    assert stage.counts["without_row"] == 6
    assert stage.counts["same_bytes"] == 1
    assert len(stage.table(REJECTS)) == 6
    winnow("select", tmp_path / "run", "--keep", "1")
    winnow("export", tmp_path / "run")
    dropped = open_stage(tmp_path / "run", "shards").counts["dropped"]
    assert dropped["same_bytes"] == 1 and dropped["not_local"] == 1


def test_two_files_of_other_bytes_for_one_image_are_refused(
    begin: Callable[..., Result], elsewhere: Path, rows: Rows, tmp_path: Path
) -> None:
    double = {"image_id": rows[0]["image_id"], "path": rows[1]["path"], "sha256": ""}
    result = begin("--images", write_rows(elsewhere / "images.csv", [*rows, double]))
    assert result.exit_code == 3
    assert rows[0]["path"] in result.output and rows[1]["path"] in result.output
    assert current(tmp_path / "run", "images") is None
    double["sha256"] = rows[0]["sha256"]  # shows that it is not the one
    result = begin("--images", write_rows(elsewhere / "images.csv", [*rows, double]))
    assert result.exit_code == 0
    assert open_stage(tmp_path / "run", "images").counts["dropped"] == {"content_changed": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("image_id,file\n", "path"),
        ("image_id,path\n" + "0" * 32 + ",a.jpg\n", "would be empty"),
        ("image_id,path\n", "no rows"),
        ("", "no header"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(
    begin: Callable[..., Result], elsewhere: Path, tmp_path: Path, content: str, message: str
) -> None:
    (elsewhere / "images.csv").write_text(content)
    result = begin("--images", elsewhere / "images.csv")
    assert result.exit_code == 3
    assert message in result.output
    assert current(tmp_path / "run", "images") is None


def test_a_run_with_images_of_its_own_refuses_others(
    selected: Path, elsewhere: Path, rows: Rows
) -> None:
    table = write_rows(elsewhere / "images.csv", rows)
    with pytest.raises(InputError, match="images of its own"):
        pipelines.audit_import(selected, images=table)


def test_ids_that_are_digests_need_no_other(made_once: Path, shop: Path, tmp_path: Path) -> None:
    labelled = open_stage(made_once / "labelled", "candidates")
    images = open_stage(made_once / "labelled", "signals").table(IMAGES)
    table = shop.parent / "images.parquet"
    pq.write_table(
        images.select(["image_id", "location"]).rename_columns(["image_id", "path"]), table
    )
    (shop.parent / "none.csv").write_text("image_id,label_id,verdict\n")
    (path,) = labelled.table_paths(CANDIDATES)
    pipelines.audit_import(
        tmp_path / "run", shop.parent / "none.csv", candidates=path, images=table
    )
    stage = open_stage(tmp_path / "run", "images")
    assert stage.counts["not_compared"] == 0
    read = stage.table(IMPORTED_IMAGES)
    assert pc.all(pc.equal(read["image_id"], read["content_id"])).as_py()
    assert winnow("audit", "sample", tmp_path / "run").exit_code == 0
    sheet = (tmp_path / "run" / "audit-sheet.csv").read_text()
    assert "images/" in sheet


def test_the_page_shows_imported_images(
    begin: Callable[..., Result], elsewhere: Path, rows: Rows, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    begin("--images", write_rows(elsewhere / "images.csv", rows))
    assert winnow("select", run).exit_code == 0
    config = load_config(run)
    build(config, run)
    stages = stages_of(run)
    assert stages is not None
    index = Index(run, stages)
    location = {row["image_id"]: row["path"] for row in rows}
    files = files_of_images(run, {row["image_id"] for row in rows})
    for number in range(20):
        image_id = index.image_id(number)
        file = index.file(image_id)
        assert file == files[image_id] and file.location == location[image_id]
        assert picture_response(file, config, "grid").media_type == "image/jpeg"
        assert index.texts_of_image(image_id) == []
