from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from scipy.special import logit

from curation.audits.audits import N_BANDS, answer, bands, sample
from curation.intervals.judgements import Judgements, judgements
from curation.intervals.precision import precision_interval
from curation.pairs.pair_keys import find_pairs, pair_hash
from curation.scoring.features import N_FOLDS, FeatureTable, features
from curation.scoring.scoring import MIN_AUDITS, MIN_OF_EACH, Scores, score
from curation.scoring.self_training import group_table, self_train
from labeling.errors import InputError
from labeling.keys.ids import digest
from labeling.schemas import CANDIDATES, TRUTH
from labeling.taxonomy.taxonomy import Label, build_taxonomy
from tests.benchmarks.calibration_error import expected_calibration_error
from tests.curation.worlds import World, cold_scores, make_taxonomy, make_world


@functools.cache
def table_of(n_images: int, seed: int) -> tuple[World, FeatureTable]:
    world = make_world(n_images, seed)
    return world, features(world.candidates, world.taxonomy)


@functools.cache
def audited(n_images: int, n_audits: int, seed: int = 0) -> tuple[pa.Table, Scores]:
    world, table = table_of(n_images, seed)
    audits = answer(sample(table.pairs, cold_scores(table), n_audits, seed), world.truth)
    return audits, score(table, audits)


def best_third(table, scores):
    kept = np.zeros(len(scores), bool)
    kept[np.lexsort((pair_hash(table.pairs), -scores))[: len(scores) // 3]] = True
    return kept


def precision_at_a_third(world, table, scores):
    return world.correct[best_third(table, scores)].mean()


@pytest.mark.parametrize("seed", range(3))
def test_the_cold_start_is_no_worse_than_counting_votes(seed):
    world, table = table_of(3000, seed)
    votes = precision_at_a_third(world, table, table.column("n_votes"))
    assert precision_at_a_third(world, table, cold_scores(table)) > votes + 0.02


@pytest.mark.parametrize("seed", range(3))
def test_the_cold_start_is_no_worse_than_votes_if_strengths_are_noise(seed):
    """There, the noisy-or of the strengths alone is five points worse than counting votes."""
    world, table = table_of(3000, seed)
    strength = np.where(table.voted, np.random.default_rng(seed).random(table.voted.shape), 0)
    values = table.values.copy()
    values[:, table.names.index("noisy_or")] = 1 - np.prod(1 - strength, axis=1)
    values[:, [table.names.index(f"{source}.strength") for source in table.sources]] = strength
    noisy = dataclasses.replace(table, values=values)
    votes = precision_at_a_third(world, table, table.column("n_votes"))
    assert precision_at_a_third(world, table, cold_scores(noisy)) > votes - 0.01
    assert precision_at_a_third(world, table, noisy.column("noisy_or")) < votes - 0.03


def test_the_cold_start_rises_with_votes_and_falls_with_silence():
    world = make_world(300)
    table = features(world.candidates, world.taxonomy)
    row = int(np.flatnonzero(table.silent.any(axis=1) & (table.voted.sum(axis=1) > 1))[0])
    before = cold_scores(table)
    assert np.all(before >= 0)
    table.silent[row, np.flatnonzero(table.silent[row])[0]] ^= True
    without_silence = cold_scores(table)
    assert without_silence[row] > before[row]
    others = np.delete(without_silence - before, row)
    assert np.abs(others).max() < 0.01


def test_500_audits_beat_votes_and_cold_start():
    """Measured: .40 of all are right; votes .56, cold start .59, 500 audits .80."""
    world, table = table_of(6000, 0)
    _, scores = audited(6000, 500)
    votes = precision_at_a_third(world, table, table.column("n_votes"))
    cold = precision_at_a_third(world, table, cold_scores(table))
    learnt = precision_at_a_third(world, table, scores.p_correct)
    assert learnt > votes + 0.18
    assert learnt > cold + 0.15


@pytest.mark.slow
def test_2000_audits_beat_500():
    """Measured: .80 and .88."""
    world, table = table_of(6000, 0)
    few, many = (audited(6000, n)[1].p_correct for n in (500, 2000))
    gain = precision_at_a_third(world, table, many) - precision_at_a_third(world, table, few)
    assert gain > 0.03


def test_soft_labels_gain_over_the_audits_alone(monkeypatch):
    world, table = table_of(6000, 0)
    audits, _ = audited(6000, 500)
    row = find_pairs(audits, table.pairs)
    judged = Judgements(row, world.correct[row], np.ones(500))
    grouped, unseen = group_table(table), np.setdiff1d(np.arange(len(table)), row)
    precision = []
    for n_rounds in (0, 3):
        monkeypatch.setattr("curation.scoring.self_training.N_ROUNDS", n_rounds)
        p = self_train(grouped, judged, 0.3).p[unseen]
        precision.append(world.correct[unseen][np.argsort(-p)[: len(p) // 3]].mean())
    assert precision[1] > precision[0] + 0.06


def test_probabilities_are_calibrated():
    """Measured: .02 with 500 audits."""
    world, _ = table_of(6000, 0)
    p = audited(6000, 500)[1].p_correct
    assert p.dtype == np.float32
    assert np.all((p >= 0) & (p <= 1))
    assert expected_calibration_error(p, world.correct) < 0.05


@pytest.mark.usefixtures("few_fits")
def test_no_score_is_fitted_to_its_own_verdict():
    """Turning round all verdicts of a fold moves its scores by the level of all folds alone."""
    world, table = table_of(800, 0)
    audits, scores = audited(800, 200)
    in_fold = table.fold[find_pairs(audits, table.pairs)] == 3
    assert in_fold.sum() > 10
    turned = pc.if_else(pc.equal(audits["verdict"], "yes"), "no", "yes")
    verdict = pc.if_else(pa.array(in_fold), turned, audits["verdict"])
    other = score(table, audits.set_column(2, audits.schema.field("verdict"), verdict))
    change = logit(other.p_correct) - logit(scores.p_correct)
    assert np.ptp(change[table.fold == 3]) < 1e-4
    assert np.ptp(change[table.fold == 4]) > 0.1


@pytest.mark.usefixtures("few_fits")
def test_equal_evidence_gives_equal_scores_in_all_folds():
    """A fold with more right ones than others is not ranked below them."""
    taxonomy = build_taxonomy([Label("cat", (("cat", "en"),), (), None, 0)], "test")
    item = {"source": "alt", "strength": 1.0, "n_pages": 1, "n_hosts": 1}
    rows = [
        {"image_id": image, "label_id": "cat", "evidence": [item], "silent": [], "ambiguity": 1}
        for image in sorted(digest(str(i)) for i in range(600))
    ]
    table = features(pa.Table.from_pylist(rows, schema=CANDIDATES.arrow), taxonomy, ["alt"])
    drawn = sample(table.pairs, np.zeros(600), 120, 0)
    truth = table.pairs.filter(pa.array(np.random.default_rng(0).random(600) < 0.5))
    p_correct = score(table, answer(drawn, truth)).p_correct
    assert len(set(table.fold)) == N_FOLDS
    assert np.ptp(p_correct) < 1e-3


@pytest.mark.slow
def test_the_estimated_precision_is_not_biased_upward():
    """Over seeds, against a model that is judged by the audits that it learnt from."""
    world, table = table_of(800, 0)
    cold, grouped = cold_scores(table), group_table(table)
    band = bands(table.pairs, cold).astype(int)
    honest, naive, hits = [], [], 0
    for seed in range(5):
        audits = answer(sample(table.pairs, cold, 300, seed), world.truth)
        judged = judgements(audits, table.pairs)
        row, p_inclusion = judged.row, judged.p_inclusion
        p_naive = self_train(grouped, judged, 0.3).p
        for scores, errors in ((score(table, audits).p_correct, honest), (p_naive, naive)):
            kept = best_third(table, scores)
            inside, truth = kept[row], world.correct[kept].mean()
            interval = precision_interval(
                world.correct[row][inside],
                p_inclusion[inside],
                stratum=band[row][inside],
                n_kept=np.bincount(band[kept], minlength=N_BANDS),
            )
            errors.append(interval.estimate - truth)
            hits += errors is honest and interval.low <= truth <= interval.high
    assert abs(np.mean(honest)) < 0.025
    assert np.mean(naive) > 0.05
    assert hits >= 4


def test_training_for_some_images_gives_the_probabilities_of_training_for_all():
    world, table = table_of(800, 0)
    row = np.random.default_rng(0).choice(len(table), 200, replace=False)
    judged = Judgements(row, world.correct[row], np.ones(200))
    grouped = group_table(table)
    near = grouped.take(np.flatnonzero(np.isin(table.image, table.image[row])))
    assert len(near.row) < len(table) / 2
    every, some = self_train(grouped, judged, 0.3).p, self_train(grouped, judged, 0.3, near).p
    assert np.allclose(some, every[near.row], atol=1e-5)


def test_no_ancestor_is_less_probable_than_its_descendants():
    _, table = table_of(6000, 0)
    p, relatives = audited(6000, 500)[1].p_correct, table.relatives
    assert len(relatives.below) > 10_000
    assert np.all(p[relatives.above] >= p[relatives.below])


@pytest.mark.usefixtures("few_fits")
def test_scores_are_deterministic_and_do_not_depend_on_the_order_of_rows():
    world, table = table_of(800, 0)
    audits, scores = audited(800, 200)
    again = score(features(world.candidates, world.taxonomy), audits)
    assert np.array_equal(again.p_correct, scores.p_correct)
    rng = np.random.default_rng(0)
    order = rng.permutation(len(table))
    shuffled = features(world.candidates.take(order), world.taxonomy)
    reordered = audits.take(rng.permutation(audits.num_rows))
    p = score(shuffled, reordered).p_correct
    assert np.allclose(p, scores.p_correct[order], atol=1e-4)


@pytest.mark.usefixtures("few_fits")
def test_audits_that_were_learned_from_are_counted():
    _, table = table_of(800, 0)
    audits, _ = audited(800, 200)
    first = audits.slice(0, 4).to_pylist()
    extra = [
        {**first[0], "verdict": "unsure", "seq": 1000},
        {**first[1], "verdict": "yes", "seq": 1001},
        {**first[1], "verdict": "no", "seq": 1002},
        {**first[2], "image_id": "f" * 32, "seq": 1003},
    ]
    scores = score(table, pa.concat_tables([audits, pa.Table.from_pylist(extra, audits.schema)]))
    assert scores.n_audits == 199
    assert len(scores.choices) == 10


@pytest.mark.parametrize("n_audits", [0, MIN_AUDITS - 1])
def test_too_few_audits_are_refused(n_audits):
    world, table = table_of(800, 0)
    audits = answer(sample(table.pairs, cold_scores(table), n_audits, 0), world.truth)
    with pytest.raises(InputError, match="too few audits") as caught:
        score(table, audits)
    assert str(MIN_AUDITS) in caught.value.help


@pytest.mark.usefixtures("few_fits")
@pytest.mark.parametrize("n_wrong", [0, MIN_OF_EACH - 1])
def test_audits_of_one_verdict_are_refused(n_wrong):
    _, table = table_of(800, 0)
    audits, _ = audited(800, 200)
    right = audits.filter(pc.equal(audits["verdict"], "yes"))
    wrong = audits.filter(pc.equal(audits["verdict"], "no")).slice(0, n_wrong)
    with pytest.raises(InputError, match="too few audits"):
        score(table, pa.concat_tables([right, wrong]))


def test_one_source_and_a_flat_taxonomy_are_enough():
    """Then there is no silence, no parent and no child; only siblings and rates can help."""
    rng = np.random.default_rng(0)
    n_labels, n = 5, 2000
    taxonomy = make_taxonomy(n_roots=n_labels, n_middle=0, n_leaves=0)
    label, strength = rng.integers(0, n_labels, n), rng.random(n)
    correct = rng.random(n) < 0.2 + 0.4 * strength + 0.08 * label
    candidates = pa.Table.from_pylist(
        [
            {
                "image_id": digest(str(i)),
                "label_id": f"r{label[i]}",
                "evidence": [
                    {"source": "alt", "strength": strength[i], "n_pages": 1, "n_hosts": 1}
                ],
                "silent": [],
                "ambiguity": 1,
            }
            for i in range(n)
        ],
        schema=CANDIDATES.arrow,
    )
    table = features(candidates, taxonomy)
    truth = table.pairs.filter(pa.array(correct)).cast(TRUTH.arrow)
    audits = answer(sample(table.pairs, cold_scores(table), 300, 0), truth)
    kept = best_third(table, score(table, audits).p_correct)
    assert correct[kept].mean() > correct.mean() + 0.12


def test_audits_of_one_image_are_refused():
    """No fold but its own has anything to learn from."""
    taxonomy = make_taxonomy()
    candidates = pa.Table.from_pylist(
        [
            {
                "image_id": digest("one"),
                "label_id": label_id,
                "evidence": [{"source": "alt", "strength": 0.5, "n_pages": 1, "n_hosts": 1}],
                "silent": [],
                "ambiguity": 1,
            }
            for label_id in taxonomy.label_ids
        ],
        schema=CANDIDATES.arrow,
    )
    table = features(candidates, taxonomy)
    audits = answer(
        sample(table.pairs, cold_scores(table), 100, 0), table.pairs.slice(0, 30).cast(TRUTH.arrow)
    )
    with pytest.raises(InputError, match="a few images"):
        score(table, audits)


def test_the_fewest_audits_are_enough():
    world, table = table_of(800, 0)
    audits = answer(sample(table.pairs, cold_scores(table), MIN_AUDITS, 0), world.truth)
    assert np.isfinite(score(table, audits).p_correct).all()
