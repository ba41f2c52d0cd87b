from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from curation.audits.audits import answer
from curation.frames.audits import draw_audits, precision_interval
from curation.frames.scores import score
from curation.frames.selections import select
from curation.frames.thresholds import threshold_table
from labeling.errors import InputError, QualityError
from labeling.schemas import SCORED, SELECTED
from tests.conftest import fit_few
from tests.curation.worlds import make_world

WORLD = make_world(500, seed=3)


@pytest.fixture(scope="module", autouse=True)
def _few_fits() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        fit_few(monkeypatch)
        yield


@pytest.fixture(scope="module")
def audits() -> pa.Table:
    return answer(draw_audits(WORLD.candidates, 300, taxonomy=WORLD.taxonomy), WORLD.truth)


@pytest.fixture(scope="module")
def scores(audits: pa.Table) -> pa.Table:
    return score(WORLD.candidates, audits, WORLD.taxonomy, intervals=True)


def test_pandas_and_arrow_give_the_same(audits: pa.Table, scores: pa.Table) -> None:
    frame = score(WORLD.candidates.to_pandas(), audits.to_pandas(), WORLD.taxonomy)
    assert isinstance(frame, pd.DataFrame)
    assert pa.Table.from_pandas(frame).to_pydict() == scores.select(SCORED.arrow.names).to_pydict()
    of_frame, of_table = select(frame, audits.to_pandas()), select(scores, audits)
    assert isinstance(of_frame.table, pd.DataFrame)
    pd.testing.assert_frame_equal(of_frame.table, of_table.table.to_pandas())
    assert of_frame.interval == of_table.interval
    drawn = draw_audits(WORLD.candidates.to_pandas(), 300, taxonomy=WORLD.taxonomy)
    assert drawn["seq"].tolist() == list(range(300))
    assert drawn["image_id"].tolist() == audits["image_id"].to_pylist()


def test_scores_have_bounds_where_asked_for(scores: pa.Table) -> None:
    assert scores.column_names == ["image_id", "label_id", "p_correct", "p_low", "p_high"]
    low, high = np.asarray(scores["p_low"]), np.asarray(scores["p_high"])
    assert np.all(low <= high)


def test_a_selection_keeps_a_share_and_measures_it(audits: pa.Table, scores: pa.Table) -> None:
    kept = select(scores, audits, candidates=WORLD.candidates, taxonomy=WORLD.taxonomy)
    assert kept.table.schema.equals(SELECTED.arrow)
    assert kept.n_kept == round(len(scores) / 3) == sum(kept.table["kept"].to_pylist())
    right = WORLD.correct[np.asarray(kept.table["kept"], bool)].mean()
    assert kept.interval.low <= right <= kept.interval.high
    assert kept.precision == kept.interval.estimate
    best = select(scores, audits, per_image=1, taxonomy=WORLD.taxonomy)
    assert "implied" in best.table["reason"].to_pylist()
    kept = select(scores, audits, floor=0)
    table = kept.threshold_table.to_pandas()
    at = table[table["n_kept"] >= kept.n_kept].iloc[0]
    assert at["threshold"] == pytest.approx(kept.threshold, abs=0.01)


def test_a_precision_is_held_or_refused(audits: pa.Table, scores: pa.Table) -> None:
    kept = select(scores, audits, precision=0.6)
    assert WORLD.correct[np.asarray(kept.table["kept"], bool)].mean() >= 0.6
    with pytest.raises(QualityError, match="cannot be proved"):
        select(scores, audits, precision=0.999)


def test_audits_of_other_pairs_are_counted_and_a_label_without_audits_is_named(
    audits: pa.Table, scores: pa.Table
) -> None:
    kept = select(scores, audits)
    assert (kept.n_other_audits, kept.composition) == (0, {})
    labels = scores["label_id"].to_pandas()
    frequent = labels.value_counts().index[0]
    others = audits.filter(pa.array(audits["label_id"].to_pandas() != frequent))
    kept = select(scores, others, keep=0.9)
    assert kept.composition["parts_that_differ"][0]["part"] == frequent
    assert 0 < kept.composition["kept_unseen"] < 0.5
    assert "the audits do not represent the scores" in repr(kept)
    fewer = select(scores.filter(pa.array(labels != frequent)), audits)
    assert fewer.n_other_audits == len(audits) - len(others) > 0
    assert f"{fewer.n_other_audits} audits are of other pairs" in repr(fewer)


def test_groups_and_floors_need_their_tables(audits: pa.Table, scores: pa.Table) -> None:
    kept = select(scores, audits, by="level", taxonomy=WORLD.taxonomy)
    assert kept.groups[0]["group"].startswith("level")
    assert select(scores, audits, floor=1).n_kept == kept.n_kept
    both = select(scores, audits, by="level", floor=0, taxonomy=WORLD.taxonomy)
    assert both.n_kept == kept.n_kept
    with pytest.raises(InputError, match="need the taxonomy"):
        select(scores, audits, by="label")
    with pytest.raises(InputError, match="source-pattern need the candidates"):
        select(scores, audits, by="source-pattern")
    with pytest.raises(InputError, match="without the taxonomy"):
        select(scores, audits, candidates=WORLD.candidates)
    with pytest.raises(InputError, match="not those of the scores"):
        some = WORLD.candidates.slice(0, 3)
        select(scores, audits, candidates=some, taxonomy=WORLD.taxonomy)


def test_scores_of_ones_own_are_audited_and_measured_by_their_own_bands() -> None:
    rng = np.random.default_rng(0)
    p = np.clip(WORLD.correct * 0.5 + rng.random(len(WORLD.correct)) * 0.5, 0, 1)
    given_scores = WORLD.candidates.select(["image_id", "label_id"])
    given_scores = given_scores.append_column("p_correct", pa.array(p, pa.float32()))
    audits = answer(draw_audits(given_scores, 200), WORLD.truth)
    shuffled = given_scores.take(pa.array(rng.permutation(len(given_scores))))
    first, second = select(given_scores, audits, keep=0.2), select(shuffled, audits, keep=0.2)
    assert first.interval == second.interval
    assert first.precision > 0.95


def test_the_precision_of_a_set_of_pairs_is_measured(audits: pa.Table, scores: pa.Table) -> None:
    every = precision_interval(audits)
    assert every.low <= WORLD.correct.mean() <= every.high
    kept = select(scores, audits).table.to_pandas()
    inside = precision_interval(audits, kept[kept["kept"]])
    assert inside.n_audits < every.n_audits
    assert inside.estimate > every.estimate + 0.1
    with pytest.raises(InputError, match="confidence"):
        precision_interval(audits, confidence=95)


def test_a_table_that_lacks_a_column_is_refused_with_those_expected(audits: pa.Table) -> None:
    with pytest.raises(InputError, match="columns are missing") as caught:
        threshold_table(WORLD.candidates, audits)
    assert caught.value.facts["missing"] == "p_correct"
    assert caught.value.facts["expected"] == "image_id, label_id, p_correct"
    assert "evidence" in str(caught.value.facts["found"])
    with pytest.raises(InputError, match="scores is not a table"):
        threshold_table([0.5], audits)


def test_a_value_that_is_missing_or_of_another_type_is_refused(
    audits: pa.Table, scores: pa.Table
) -> None:
    frame = scores.to_pandas()
    with pytest.raises(InputError, match="1 of .* values of p_correct are null"):
        select(frame.assign(p_correct=frame["p_correct"].where(frame.index > 0)), audits)
    with pytest.raises(InputError, match="column p_correct has the wrong type"):
        select(frame.assign(p_correct="high"), audits)


def test_results_show_themselves_in_few_rows(audits: pa.Table, scores: pa.Table) -> None:
    kept = select(scores, audits)
    assert repr(kept).startswith(f"<Kept {kept.n_kept:,} of {len(scores):,} candidates: precision")
    assert f"<td>{kept.n_kept:,}</td>" in kept._repr_html_()
    table = kept.threshold_table
    assert repr(table) == f"<ThresholdTable of {len(scores):,} candidates and 300 audits>"
    assert table._repr_html_().count("<tr>") == 21
