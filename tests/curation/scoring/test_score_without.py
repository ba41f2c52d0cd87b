from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from curation.audits.audits import answer, sample
from curation.pairs.pair_keys import find_pairs
from curation.scoring.features import features
from curation.scoring.parts import parts_of_table, score_parts, score_parts_without
from curation.scoring.scoring import score_without
from labeling.errors import InputError
from tests.curation.worlds import cold_scores, make_world

WORLD = make_world(500, seed=3)
TABLE = features(WORLD.candidates, WORLD.taxonomy)
AUDITS = answer(sample(TABLE.pairs, cold_scores(TABLE), 300, 0), WORLD.truth)
IMAGES = pc.unique(WORLD.candidates["image_id"])
FOLD = (np.arange(len(IMAGES)) % 3).astype(np.int8)


def _without(audits: pa.Table, fold: np.ndarray = FOLD) -> np.ndarray:
    parts = parts_of_table(WORLD.candidates)
    return score_parts_without(parts, WORLD.taxonomy, audits, IMAGES, fold, 3)


def test_no_verdict_of_a_fold_has_a_part_in_its_scores() -> None:
    before = _without(AUDITS)
    of_fold = np.asarray(pc.index_in(AUDITS["image_id"], IMAGES), np.int64) % 3 == 1
    turned = pc.if_else(pc.equal(AUDITS["verdict"], "yes"), "no", "yes")
    verdict = pc.if_else(pa.array(of_fold), turned, AUDITS["verdict"])
    number = AUDITS.column_names.index("verdict")
    after = _without(AUDITS.set_column(number, AUDITS.schema.field("verdict"), verdict))
    assert np.array_equal(before[1], after[1])
    assert np.abs(before[0] - after[0]).max() > 0.05


def test_the_scores_rank_as_well_as_those_that_are_cross_fitted() -> None:
    crossed = score_parts(parts_of_table(WORLD.candidates), WORLD.taxonomy, AUDITS)[0]
    n_kept = len(crossed) // 3

    def right(p: np.ndarray) -> float:
        return float(WORLD.correct[np.argsort(-p)[:n_kept]].mean())

    for p in _without(AUDITS):
        assert ((p >= 0) & (p <= 1)).all()
        assert right(p) > right(crossed) - 0.05


def test_images_without_a_fold_teach_all_models() -> None:
    fold = np.where(np.arange(len(IMAGES)) < 200, FOLD, -1).astype(np.int8)
    p = _without(AUDITS, fold)
    assert p.shape == (3, len(WORLD.candidates)) and np.isfinite(p).all()


def test_scores_of_more_candidates_than_are_fitted_on(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _without(AUDITS)
    monkeypatch.setattr("curation.scoring.parts.MAX_FITTED", 2500)
    some = _without(AUDITS)
    assert some.shape == whole.shape
    assert np.corrcoef(some[0], whole[0])[0, 1] > 0.9


def test_a_fold_that_holds_nearly_all_audits_is_refused() -> None:
    fold = np.where(np.asarray(TABLE.image) < 20, 1, 0).astype(np.int8)
    with pytest.raises(InputError, match="too few audits"):
        score_without(TABLE, AUDITS, fold, 3)


def test_audits_of_images_without_a_fold_alone_are_refused() -> None:
    judged = np.unique(TABLE.image[find_pairs(TABLE.pairs, AUDITS) >= 0])
    fold = np.where(np.isin(TABLE.image, judged), -1, TABLE.image % 3).astype(np.int8)
    with pytest.raises(InputError, match="too few audits to learn from without those of a fold"):
        score_without(TABLE, AUDITS, fold, 3)
