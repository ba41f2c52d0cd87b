from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from curation.audits.audits import answer, sample
from curation.scoring.features import FeatureTable, features
from curation.scoring.model import apply_scorer
from curation.scoring.scoring import Scores, score
from tests.conftest import fit_few
from tests.curation.worlds import World, cold_scores, make_world


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(1500, seed=3)


@pytest.fixture(scope="module")
def seen(world: World) -> np.ndarray:
    """Return which candidates are fitted on: those of every second image."""
    return features(world.candidates, world.taxonomy).image % 2 == 0


@pytest.fixture(scope="module")
def fitted(world: World, seen: np.ndarray) -> Scores:
    table = features(world.candidates.filter(pa.array(seen)), world.taxonomy)
    audits = answer(sample(table.pairs, cold_scores(table), 800, 0), world.truth)
    with pytest.MonkeyPatch.context() as patch:
        fit_few(patch)
        return score(table, audits)


def unseen_features(world: World, seen: np.ndarray, fitted: Scores) -> FeatureTable:
    rest = world.candidates.filter(pa.array(~seen))
    return features(rest, world.taxonomy, fitted.scorer.sources, fitted.scorer.label_statistics)


def top_third(p: np.ndarray, correct: np.ndarray) -> float:
    return correct[np.argsort(-p, kind="stable")[: len(p) // 3]].mean()


def test_unseen_candidates_are_ranked_as_well_as_fitted_ones(world, seen, fitted):
    p = apply_scorer(fitted.scorer, unseen_features(world, seen, fitted))

    on_unseen = top_third(p, world.correct[~seen])
    on_seen = top_third(fitted.p_correct, world.correct[seen])
    assert on_unseen == pytest.approx(on_seen, abs=0.04)
    assert p.mean() == pytest.approx(world.correct[~seen].mean(), abs=0.05)


def test_no_ancestor_is_less_probable_than_its_descendants(world, seen, fitted):
    table = unseen_features(world, seen, fitted)
    p = apply_scorer(fitted.scorer, table)
    assert np.all(p[table.relatives.above] >= p[table.relatives.below])


def test_scores_do_not_depend_on_the_candidates_beside_an_image(world, seen, fitted):
    table = unseen_features(world, seen, fitted)
    p = apply_scorer(fitted.scorer, table)
    first = table.image < 10
    few = world.candidates.filter(pa.array(~seen)).filter(pa.array(first))
    alone = features(few, world.taxonomy, fitted.scorer.sources, fitted.scorer.label_statistics)
    np.testing.assert_allclose(apply_scorer(fitted.scorer, alone), p[first], atol=1e-5)


def test_fitted_candidates_are_scored_alike(world, seen, fitted):
    table = features(world.candidates.filter(pa.array(seen)), world.taxonomy)
    p = apply_scorer(fitted.scorer, table)
    assert np.corrcoef(p, fitted.p_correct)[0, 1] > 0.98


@pytest.fixture(scope="module")
def boosted(world: World, seen: np.ndarray) -> Scores:
    """Return what trees were fitted for, fewer and in fewer rounds than in earnest."""
    table = features(world.candidates.filter(pa.array(seen)), world.taxonomy)
    audits = answer(sample(table.pairs, cold_scores(table), 600, 0), world.truth)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("curation.scoring.learners.MIN_BOOSTED", 500)
        fit_few(patch)
        patch.setattr("curation.scoring.learners.LEARNERS", ("boosting", "boosting"))
        return score(table, audits)


def test_boosted_scores_are_applied_as_they_were_fitted(world, seen, boosted):
    assert boosted.n_boosted == 10
    table = features(world.candidates.filter(pa.array(seen)), world.taxonomy)
    p = apply_scorer(boosted.scorer, table)
    assert np.corrcoef(p, boosted.p_correct)[0, 1] > 0.98
    few = unseen_features(world, seen, boosted).take(np.arange(3))
    assert np.isfinite(apply_scorer(boosted.scorer, few)).all()
    unseen = apply_scorer(boosted.scorer, unseen_features(world, seen, boosted))
    on_unseen = top_third(unseen, world.correct[~seen])
    assert on_unseen == pytest.approx(top_third(boosted.p_correct, world.correct[seen]), abs=0.04)
