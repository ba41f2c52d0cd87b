from __future__ import annotations

import numpy as np
from scipy.special import expit

from curation.scoring.reliability import Hierarchy, fit_rates


def shrunken_logits(hierarchy, correct, weight):
    """Return the logit of the rate of each entry's group, without the entry."""
    own_weight = weight[hierarchy.row]
    rates = fit_rates(hierarchy, correct, weight)
    return rates.logits_without(hierarchy.group, own_weight, own_weight * correct[hierarchy.row])


def entries_of(group):
    """Return entries in the leaves' groups: ten leaves below each of two parents, one pool."""
    n_groups = 20
    return Hierarchy(
        row=np.arange(len(group)),
        group=np.asarray(group),
        family=np.arange(n_groups) // 10,
        pool=np.zeros(2, np.int64),
    )


def test_rates_approach_the_truth_with_many_judgements():
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.1, 0.9, 20)
    group = np.repeat(np.arange(20), 2000)
    correct = (rng.random(len(group)) < truth[group]).astype(float)
    rate = expit(shrunken_logits(entries_of(group), correct, np.ones(len(group))))
    assert np.max(np.abs(rate - truth[group])) < 0.05


def test_few_judgements_are_shrunk_to_the_parent():
    rng = np.random.default_rng(1)
    group = rng.integers(0, 20, 400)
    family_rate = np.where(group < 10, 0.2, 0.8)
    correct = (rng.random(400) < family_rate).astype(float)
    rate = expit(shrunken_logits(entries_of(group), correct, np.ones(400)))
    assert np.mean(np.abs(rate - family_rate)) < 0.08
    raw = np.bincount(group, correct) / np.bincount(group)
    assert np.mean(np.abs(rate - family_rate)) < np.mean(np.abs(raw[group] - family_rate))


def test_one_weight_for_all_is_that_weight_for_each():
    rng = np.random.default_rng(4)
    entries, correct = entries_of(rng.integers(0, 20, 300)), rng.random(300)
    rates = fit_rates(entries, correct)
    each = shrunken_logits(entries, correct, np.ones(300))
    assert np.allclose(rates.logits_without(entries.group, 1.0, correct), each)
    single = rates.logits_without(entries.group, 1.0, correct.astype(np.float32))
    assert single.dtype == np.float32
    assert np.allclose(single, each, atol=1e-4)


def test_a_verdict_hardly_touches_its_own_rate():
    rng = np.random.default_rng(2)
    group = rng.integers(0, 20, 1000)
    correct = (rng.random(1000) < np.linspace(0.2, 0.8, 20)[group]).astype(float)
    before = shrunken_logits(entries_of(group), correct, np.ones(1000))
    correct[0] = 1 - correct[0]
    after = shrunken_logits(entries_of(group), correct, np.ones(1000))
    others = np.flatnonzero(group == group[0])[1:]
    # It moves the rate of all and the strength of the shrinking, which 1,000 entries share.
    assert abs(after[0] - before[0]) < 0.1 * np.min(np.abs(after[others] - before[others]))


def test_without_judgements_all_rates_are_equal():
    rate = shrunken_logits(entries_of([0, 5, 15]), np.zeros(3), np.zeros(3))
    assert np.allclose(rate, 0)


def test_candidates_without_weight_get_the_rate_of_their_group():
    group = np.repeat([0, 15], 500)
    weight = np.tile([1.0, 0.0], 500)
    correct = np.where(group == 0, 0.9, 0.1) * weight
    rate = expit(shrunken_logits(entries_of(group), correct, weight))
    assert np.all(np.abs(rate - np.where(group == 0, 0.9, 0.1)) < 0.02)


def test_no_entries_are_fine():
    assert len(shrunken_logits(entries_of(np.zeros(0, np.int64)), np.zeros(5), np.ones(5))) == 0
