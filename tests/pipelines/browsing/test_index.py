"""The index of a run, compared with its tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from curation.report.tuning import tuning
from curation.runs.stage import open_stage
from labeling.errors import InputError
from labeling.schemas import CANDIDATES, IMAGES, SELECTED, SIGNALS
from pipelines.browsing.build import FOLDER, build, is_built, stages_of
from pipelines.browsing.edges import N_EDGE
from pipelines.browsing.index import Index
from pipelines.browsing.labels import LabelTable
from pipelines.browsing.pairs import Scope
from pipelines.run.config import Config, read_config, with_overrides
from pipelines.selecting.select import select
from pipelines.selecting.tuning import as_selected, read_tuning, request_of_run


@pytest.fixture
def config(shop: Path) -> Config:
    return read_config(shop)


@pytest.fixture
def index(config: Config, selected: Path) -> Index:
    build(config, selected)
    stages = stages_of(selected)
    assert stages is not None
    return Index(selected, stages)


def test_pairs_are_those_of_the_selection_by_label_the_most_probable_first(
    index: Index, selected: Path
) -> None:
    rows = open_stage(selected, "selected").table(SELECTED).to_pandas()
    for label_id, of_label in rows.groupby("label_id"):
        scope = index.scope(index.taxonomy.code(str(label_id)), False)
        numbers = scope.numbers(np.arange(scope.size)).tolist()
        shown = [index.pair(n) | {"image_id": index.image_id(n)} for n in numbers]
        assert [pair["p"] for pair in shown] == sorted((p["p"] for p in shown), reverse=True)
        expected = of_label.set_index("image_id")["reason"].to_dict()
        assert {pair["image_id"]: pair["reason"] for pair in shown} == expected


def test_an_image_has_its_labels_evidence_texts_and_location(index: Index, selected: Path) -> None:
    candidates = open_stage(selected, "candidates").table(CANDIDATES)
    images = open_stage(selected, "signals").table(IMAGES).to_pandas().set_index("image_id")
    signals = open_stage(selected, "signals").table(SIGNALS).to_pandas()
    for image_id in candidates["image_id"].unique().to_pylist()[::40]:
        rows = [row for row in candidates.to_pylist() if row["image_id"] == image_id]
        labels = index.labels_of_image(image_id)
        assert {pair["label_id"]: pair["evidence"] for pair in labels} == {
            row["label_id"]: row["evidence"] for row in rows
        }
        assert all(index.image_id(pair["number"]) == image_id for pair in labels)
        file = index.file(image_id)
        assert file is not None and file == (image_id, images["location"][image_id])
        texts = signals[signals["image_id"] == image_id][["source", "text"]].drop_duplicates()
        assert index.texts_of_image(image_id) == texts.to_dict("records")


def test_other_shares_of_all_and_of_some_labels_are_those_of_selections(
    index: Index, config: Config, selected: Path
) -> None:
    stage = open_stage(selected, "selected")
    stored, everything = read_tuning(stage), Scope(index.pairs, range(len(index.pairs.labels)))
    table = everything.tuning()
    assert stored is not None
    assert table == {name: stored[name] for name in table} | {"labels": []}
    request = request_of_run(as_selected(config, stage), selected)
    label = np.asarray(request.scored["label_id"])
    top = next(code for code, below in enumerate(index.taxonomy.children) if below)
    ancestors = index.taxonomy.ancestors
    below = [code for code, above in enumerate(ancestors) if top in above or code == top]
    ids = [index.taxonomy.label_ids[code] for code in below]
    nameless = {"labels": []}
    assert index.tuning(top, True) == tuning(request, np.isin(label, ids)) | nameless
    is_of_top = label == index.taxonomy.label_ids[top]
    assert index.tuning(top, False) == tuning(request, is_of_top) | nameless


def test_pairs_at_the_threshold_are_the_nearest_to_it(index: Index) -> None:
    scope = Scope(index.pairs, range(len(index.pairs.labels)))
    p = np.asarray(index.pairs.p)
    for number in (5, 60, 150):
        sides = scope.edges(number)
        stored = {name: side.tolist() for name, side in sides._asdict().items()}
        assert index.pairs.sets["edges"][number] == stored
        is_kept, threshold = scope.kept(number), index.pairs.sets["thresholds"][number]
        is_above = is_kept & (p >= np.float32(threshold))
        assert p[sides.above].tolist() == sorted(p[is_above].tolist())[:N_EDGE]
        assert p[sides.worst].tolist() == sorted(p[is_kept & ~is_above].tolist())[:N_EDGE]
        assert p[sides.below].tolist() == sorted(p[~is_kept].tolist(), reverse=True)[:N_EDGE]
        assert is_above[sides.above].all() and not is_kept[sides.below].any()


def test_labels_are_counted_sorted_and_filtered(index: Index, selected: Path) -> None:
    rows = open_stage(selected, "selected").table(SELECTED).to_pandas()
    kept = rows.groupby("label_id")["kept"].agg(["size", "sum"])
    table = LabelTable(index.pairs, index.taxonomy)
    page = table.page("n_kept", True, "", False, 0)
    assert {row["label_id"]: (row["n"], row["n_kept"]) for row in page["rows"]} == {
        label_id: (n, n_kept) for label_id, n, n_kept in kept.itertuples()
    }
    n_kept = [row["n_kept"] for row in page["rows"]]
    assert n_kept == sorted(n_kept, reverse=True)
    first = page["rows"][0]["label_id"]
    assert table.page("name", False, first.upper(), False, 0)["n"] >= 1
    assert all(row["is_few"] for row in table.page("n", False, "", True, 0)["rows"])
    precision = [row["precision"] for row in table.page("precision", True, "", False, 0)["rows"]]
    known = [each for each in precision if each is not None]
    assert known and precision == sorted(known, reverse=True) + [None] * (
        len(precision) - len(known)
    )
    assert table.page("n", True, "", False, 10**6)["rows"] == []
    with pytest.raises(InputError, match="no such column"):
        table.page("p", True, "", False, 0)


def test_another_selection_gets_another_index_and_the_old_one_goes(
    index: Index, config: Config, selected: Path
) -> None:
    select(with_overrides(config, {"select.keep": 0.2}), selected)
    stages = stages_of(selected)
    assert stages is not None and not is_built(selected, stages)
    build(config, selected)
    assert is_built(selected, stages)
    assert sum(path.is_dir() for path in (selected / FOLDER).iterdir()) == 2
    assert Index(selected, stages).version != index.version


def test_a_run_without_a_selection_has_no_index(config: Config, labelled: Path) -> None:
    assert stages_of(labelled) is None
    build(config, labelled)
    assert not (labelled / FOLDER).exists()


@pytest.mark.parametrize("number", [-1, 10**9])
def test_pairs_that_do_not_exist_are_refused(index: Index, number: int) -> None:
    with pytest.raises(InputError, match="no such pair"):
        index.image_id(number)
