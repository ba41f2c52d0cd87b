from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from curation.runs.stage import open_stage
from curation.runs.staging import write_stage
from curation.shards.card import write_card
from curation.shards.samples import is_heldout
from curation.shards.shards import EXPORT_REASONS, export_shards
from labeling.errors import InputError
from labeling.keys.ids import digest, from_halves, to_halves
from labeling.schemas import CANDIDATES, EVIDENCE_ITEM, IMAGES, REJECTS, SELECTED
from labeling.taxonomy.taxonomy import Label, Taxonomy, build_taxonomy
from tests.curation.shards.test_tars import read_shard

ANIMALS = build_taxonomy(
    [
        Label("thing", (), (), None, 1),
        Label("animal", (), ("thing",), None, 2),
        Label("cat", (("cat", "en"),), ("animal",), None, 3),
        Label("dog", (("dog", "en"),), ("animal",), None, 4),
        Label("red", (), (), None, 5),
    ],
    "test",
)


def jpeg(number: int) -> bytes:
    out = io.BytesIO()
    colour = (number * 37 % 256, number * 91 % 256, number % 256)
    Image.new("RGB", (8 + number % 5, 8), colour).save(out, "JPEG")
    return out.getvalue()


@dataclass
class Run:
    """A small run: images on disk, candidates and a selection."""

    data_dir: Path
    images: pa.Table
    candidates: pa.Table
    selected: pa.Table
    taxonomy: Taxonomy = ANIMALS

    @property
    def image_ids(self) -> list[str]:
        return list(self.images["image_id"].to_pylist())

    def export(self, out_dir: Path, **options: Any) -> dict[str, Any]:
        out_dir.mkdir()
        return export_shards(
            *(self.selected, self.candidates, self.images, self.taxonomy, self.data_dir),
            out_dir,
            **options,
        )


def evidence(source: str, strength: float) -> dict[str, Any]:
    return {"source": source, "strength": strength, "n_pages": 2, "n_hosts": 1}


def make_run(data_dir: Path, kept: Mapping[int, Mapping[str, float]], n_images: int) -> Run:
    """Make a run where every image has all labels as candidates, and keeps those given."""
    data_dir.mkdir(exist_ok=True)
    ids = [digest(jpeg(i)) for i in range(n_images)]
    for i, image_id in enumerate(ids):
        (data_dir / f"{image_id}.jpg").write_bytes(jpeg(i))
    images = [{"image_id": i, "location": f"{i}.jpg", "n_bytes": 1} for i in ids]
    pairs = [(n, i, label) for n, i in enumerate(ids) for label in ANIMALS.label_ids]
    p_of = {(n, label): p for n, labels in kept.items() for label, p in labels.items()}
    candidates = [
        {
            "image_id": i,
            "label_id": label,
            "evidence": [evidence("alt", 0.25), evidence(f"of {label}", n / 10)],
            "silent": [],
            "ambiguity": 1,
        }
        for n, i, label in pairs
    ]
    selected = [
        {
            "image_id": i,
            "label_id": label,
            "p_correct": p_of.get((n, label), 0.1),
            "kept": (n, label) in p_of,
            "reason": "kept" if (n, label) in p_of else "below_threshold",
        }
        for n, i, label in pairs
    ]
    return Run(
        data_dir,
        pa.Table.from_pylist(images, schema=IMAGES.arrow),
        pa.Table.from_pylist(candidates, schema=CANDIDATES.arrow),
        pa.Table.from_pylist(selected, schema=SELECTED.arrow),
    )


def exported(out_dir: Path, prefix: str) -> dict[str, Mapping[str, Any]]:
    shards = sorted(out_dir.glob(f"{prefix}-*.tar"))
    return {sample.image_id: sample.json for shard in shards for sample in read_shard(shard)}


def test_each_label_comes_with_its_evidence_and_its_ancestors(tmp_path: Path) -> None:
    run = make_run(tmp_path / "data", {1: {"cat": 0.875, "dog": 0.75, "red": 0.5}}, n_images=3)
    counts = run.export(tmp_path / "out", holdout_share=0)
    samples = exported(tmp_path / "out", "train")
    image_id = run.image_ids[1]
    kept = [
        {
            "label_id": label,
            "p_correct": p,
            "implied": False,
            "evidence": [evidence("alt", 0.25), evidence(f"of {label}", 0.1)],
        }
        for label, p in (("cat", 0.875), ("dog", 0.75), ("red", 0.5))
    ]
    implied = [
        {"label_id": label, "p_correct": 0.875, "implied": True} for label in ("animal", "thing")
    ]
    assert samples == {
        image_id: {
            "image_id": image_id,
            "width": 9,
            "height": 8,
            "location": f"{image_id}.jpg",
            "labels": kept + implied,
            "unknown": [],
        }
    }
    names = ("labels_kept", "labels_implied", "labels")
    assert [counts[name] for name in names] == [3, 2, 5]


def test_a_kept_ancestor_keeps_its_own_probability(tmp_path: Path) -> None:
    run = make_run(tmp_path / "data", {0: {"cat": 0.75, "animal": 0.5}}, n_images=1)
    run.export(tmp_path / "out", holdout_share=0)
    (sample,) = exported(tmp_path / "out", "train").values()
    labels = {
        label["label_id"]: (label["p_correct"], label["implied"]) for label in sample["labels"]
    }
    assert labels == {"animal": (0.5, False), "cat": (0.75, False), "thing": (0.75, True)}
    assert sample["unknown"] == ["dog", "red"]


def without_first_unknown(folder: Path) -> Path:
    """Export more samples with empty lists than a reader infers the columns from."""
    run = make_run(folder / "images", {}, 40)
    order = sorted(range(40), key=lambda n: run.image_ids[n])
    all_labels = dict.fromkeys(ANIMALS.label_ids, 0.9)
    trained = [n for n in order if run.image_ids[n] >= "8"]
    kept = {n: all_labels if at < 8 else {"thing": 0.5} for at, n in enumerate(trained)}
    run = make_run(folder / "images", kept, 40)
    run.export(folder / "shards", holdout_share=0.5)
    write_card({"train": 1, "heldout": 1}, folder / "shards")
    return folder / "shards"


def features_of(shards: Path) -> dict[str, Any]:
    """Return the types of columns that the card gives."""
    front = yaml.safe_load((shards / "README.md").read_text().split("---\n")[1])
    return nested(front["dataset_info"]["features"])


def nested(features: list[dict[str, Any]]) -> dict[str, Any]:
    return {feature["name"]: kind(feature) for feature in features}


def kind(feature: dict[str, Any]) -> Any:
    if "dtype" in feature:
        return feature["dtype"]
    if "struct" in feature:
        return nested(feature["struct"])
    inner = feature["list"]
    return [inner if isinstance(inner, str) else nested(inner)]


def fits(value: Any, expected: Any) -> bool:
    """Return whether a value of JSON is of a type of the card."""
    if isinstance(expected, dict):
        return not set(value) - set(expected) and all(fits(value[k], expected[k]) for k in value)
    if isinstance(expected, list):
        return all(fits(item, expected[0]) for item in value)
    return type(value) is {"string": str, "int64": int, "float64": float, "bool": bool}[expected]


def test_the_card_gives_the_type_of_every_key(tmp_path: Path) -> None:
    shards = without_first_unknown(tmp_path)
    features = features_of(shards)
    assert (features.pop("jpg"), features.pop("__key__")) == ("image", "string")
    samples = exported(shards, "train") | exported(shards, "heldout")
    assert {key for facts in samples.values() for key in facts} == set(features["json"])
    keys = {key for facts in samples.values() for label in facts["labels"] for key in label}
    assert keys == set(features["json"]["labels"][0])
    assert all(fits(facts, features["json"]) for facts in samples.values())
    assert features["json"]["labels"][0]["evidence"][0].keys() == {
        field.name for field in EVIDENCE_ITEM
    }


def test_hugging_face_datasets_read_the_folder(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets", reason="the library datasets is not installed")
    shards = without_first_unknown(tmp_path)
    loaded = datasets.load_dataset(str(shards), cache_dir=str(tmp_path / "cache"))
    for part in ("train", "heldout"):
        assert list(loaded[part]["__key__"]) == list(exported(shards, part))
    assert loaded["heldout"][0]["json"]["labels"] == []
    assert loaded["train"][-1]["json"]["labels"][0]["label_id"] == "thing"
    assert loaded["train"][-1]["json"]["unknown"]


def test_labels_are_listed_with_their_images(tmp_path: Path) -> None:
    run = make_run(tmp_path / "data", {0: {"cat": 0.9}, 1: {"dog": 0.9}, 2: {"red": 0.9}}, 4)
    run.export(tmp_path / "out", holdout_share=0)
    assert json.loads((tmp_path / "out" / "labels.json").read_text()) == {
        "label_ids": ["animal", "cat", "dog", "red", "thing"],
        "n_images": [2, 1, 1, 1, 2],
    }


def test_the_order_of_rows_and_chunks_changes_no_byte(tmp_path: Path) -> None:
    run = make_run(tmp_path / "data", {n: {"cat": 0.5, "red": 0.25} for n in range(0, 30, 2)}, 30)
    run.export(tmp_path / "a")
    rng = np.random.default_rng(0)
    for name in ("images", "candidates", "selected"):
        table = getattr(run, name)
        shuffled = table.take(rng.permutation(len(table)))
        setattr(run, name, pa.concat_tables([shuffled.slice(0, 7), shuffled.slice(7)]))
    run.export(tmp_path / "b")
    names = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert names == sorted(p.name for p in (tmp_path / "b").iterdir())
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_held_out_images_are_never_trained_on(tmp_path: Path) -> None:
    run = make_run(tmp_path / "data", {n: {"cat": 0.5} for n in range(0, 60, 2)}, 60)
    counts = run.export(tmp_path / "out", holdout_share=0.4)
    train, heldout = (exported(tmp_path / "out", prefix) for prefix in ("train", "heldout"))
    ids = np.array(run.image_ids)
    held = is_heldout(run.images["image_id"], 0.4)
    assert 10 < held.sum() < 40
    assert set(heldout) == set(ids[held])
    assert set(train) == set(ids[::2][~held[::2]])
    assert {json.dumps([s["labels"], s["unknown"]]) for s in heldout.values()} == {"[[], []]"}
    assert (counts["train"], counts["heldout"]) == (len(train), len(heldout))
    assert counts["dropped"] == {"no_kept_label": int((~held[1::2]).sum())}
    sizes = json.loads((tmp_path / "out" / "sizes.json").read_text())
    assert sizes == {"train-000000.tar": len(train), "heldout-000000.tar": len(heldout)}


@given(st.lists(st.integers(0, 2**64 - 1), max_size=20), st.floats(0, 1))
def test_held_out_are_those_below_the_share(high: list[int], share: float) -> None:
    halves = np.array([[h, 7] for h in high], np.uint64).reshape(-1, 2)
    expected = [(h >> 32) / 2**32 < share for h in high]
    assert is_heldout(halves, share).tolist() == expected
    assert is_heldout(from_halves(halves), share).tolist() == expected
    assert (to_halves(from_halves(halves)) == halves).all()


def test_every_image_is_written_rejected_or_counted_once(tmp_path: Path) -> None:
    run = make_run(tmp_path / "data", {n: {"cat": 0.5} for n in range(12)}, n_images=14)
    locations = run.images["location"].to_pylist()
    changes = {
        "image_missing": ["gone.jpg", "."],
        "not_local": ["https://example.org/x.jpg", "/etc/passwd", "a/../../x.jpg", "data:x", "\0"],
        "content_changed": [locations[8]],
        "format_not_allowed": ["page.jpg"],
        "bad_image": ["cut.jpg"],
    }
    page, cut = b"<html>", jpeg(3)[:-90]
    (run.data_dir / "page.jpg").write_bytes(page)
    (run.data_dir / "cut.jpg").write_bytes(cut)
    new = [location for paths in changes.values() for location in paths]
    locations[: len(new)] = new
    run.images = run.images.set_column(1, "location", pa.array(locations))
    for content, name in ((page, "page.jpg"), (cut, "cut.jpg")):
        run = rename_image(run, run.image_ids[locations.index(name)], digest(content))
    counts = run.export(tmp_path / "out", holdout_share=0)
    expected = {reason: len(paths) for reason, paths in changes.items()}
    assert counts["dropped"] == expected | {"no_kept_label": 2}
    assert list(counts["dropped"]) == [r for r in EXPORT_REASONS if r in counts["dropped"]]
    assert (counts["in"], counts["train"]) == (14, 2)
    rejects = pq.read_table(tmp_path / "out" / "rejects-00000.parquet")
    assert rejects.schema == REJECTS.arrow
    assert {(r["reason"], r["value"]) for r in rejects.to_pylist()} == {
        (reason, path) for reason, paths in changes.items() for path in paths
    }


def rename_image(run: Run, old: str, new: str) -> Run:
    def renamed(table: pa.Table) -> pa.Table:
        ids = [new if i == old else i for i in table["image_id"].to_pylist()]
        return table.set_column(0, table.schema.field(0), pa.array(ids))

    return Run(run.data_dir, *map(renamed, (run.images, run.candidates, run.selected)))


def test_an_image_that_the_table_lacks_is_missing(tmp_path: Path) -> None:
    run = make_run(tmp_path / "data", {0: {"cat": 0.5}, 1: {"cat": 0.5}}, n_images=2)
    run.images = run.images.slice(0, 1)
    counts = run.export(tmp_path / "out", holdout_share=0)
    assert (counts["in"], counts["train"], counts["dropped"]) == (2, 1, {"image_missing": 1})


def test_an_empty_run_makes_an_empty_set(tmp_path: Path) -> None:
    run = make_run(tmp_path / "data", {}, n_images=0)
    counts = run.export(tmp_path / "out")
    assert counts["in"] == counts["out"] == 0
    names = ["labels.json", "rejects-00000.parquet", "sizes.json"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == names
    assert (tmp_path / "out" / "sizes.json").read_text() == "{}\n"


def test_tables_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path / "data", {0: {"cat": 0.5}}, n_images=1)
    whole = run.candidates
    run.candidates = whole.filter(pa.array([i != "cat" for i in whole["label_id"].to_pylist()]))
    with pytest.raises(InputError, match="not among the candidates"):
        run.export(tmp_path / "a", holdout_share=0)
    run.candidates = whole
    run.taxonomy = build_taxonomy([Label("cat", (), (), None, 1)], "test")
    with pytest.raises(InputError, match="not in the taxonomy"):
        run.export(tmp_path / "b", holdout_share=0)
    run.images = pa.concat_tables([run.images, run.images])
    with pytest.raises(InputError, match="occurs twice"):
        run.export(tmp_path / "c", holdout_share=0)


def test_progress_counts_every_image_that_is_written_or_rejected(tmp_path: Path) -> None:
    run = make_run(tmp_path / "data", {n: {"cat": 0.5} for n in range(0, 20, 3)}, n_images=20)
    (run.data_dir / run.images["location"][0].as_py()).unlink()
    calls: list[tuple[int, int]] = []
    tables = (run.selected, run.candidates, run.images)
    counts = export_shards(
        *tables,
        ANIMALS,
        run.data_dir,
        tmp_path,
        progress=lambda n_done, n_images: calls.append((n_done, n_images)),
    )
    n_used = counts["in"] - counts["dropped"]["no_kept_label"]
    assert counts["dropped"]["image_missing"] == 1
    assert calls == [(n, n_used) for n in range(1, n_used + 1)]


def test_counts_are_as_a_manifest_wants_them(tmp_path: Path) -> None:
    run = make_run(tmp_path / "data", {n: {"cat": 0.5} for n in range(0, 20, 3)}, n_images=20)
    tables = (run.selected, run.candidates, run.images)
    with write_stage(tmp_path / "run", "shards", inputs={}, config={}) as work:
        work.counts |= export_shards(*tables, ANIMALS, run.data_dir, work.dir)
    stage = open_stage(tmp_path / "run", "shards")
    assert stage.counts["in"] == 20
    assert stage.table(REJECTS).num_rows == 0
    assert len(stage.paths(".tar", "train-")) == 1
