"""A label model: the accuracy of votes without audits, with sources that err together.

It serves to choose the first audits; no precision is derived from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit, logit

from curation.agreement.source_dependence import Group, partitions
from labeling.keys.arrays import Floats, Ints, Ints32, Mask

N_ITERATIONS = 60
MAX_PATTERNS = 4096
"""Patterns that the model is fitted on; of more, an even sample by their counts."""

N_AT_ONCE = 1 << 20
"""Candidates that are correlated together: bounds the memory."""

MIN_VIEWS = 3
"""Groups of sources that are needed to learn from their agreement."""

P_VOTE = np.array([0.1, 0.4])
"""Prior share of wrong and of right labels that a source votes for."""

P_COMMON = 0.1
"""Prior share of labels with the common cause of a group."""

N_PRIOR = 200.0
"""Candidates that the priors of each source and each group count for."""


@dataclass(frozen=True, eq=False)
class Patterns:
    """Combinations of votes, and how often each occurs.

    Attributes
    ----------
    voted, silent
        ``bool[k, n_sources]``: the source votes for the label; it covers the image but does not
        vote. Each row has a vote: a pair without votes is never seen.
    count
        ``float64[k]``.
    """

    voted: Mask
    silent: Mask
    count: Floats


@dataclass(frozen=True, eq=False)
class LabelModel:
    """A right or wrong label, and in each group of sources a common cause of votes.

    Attributes
    ----------
    p_right
        Share of right labels among all pairs, seen and unseen.
    groups
        Column numbers of the sources; each source is in one group, alone or with others.
    p_common
        ``float64[n_groups, 2]``: probability of the group's cause for wrong and right labels.
    p_vote
        ``float64[2, 2, n_sources]``: probability that a source that covers the image votes for a
        label that is wrong or right, without and with the cause of its group.
    """

    p_right: float
    groups: tuple[Group, ...]
    p_common: Floats
    p_vote: Floats

    def log_odds(self, voted: Mask, silent: Mask) -> Floats:
        """Return the log-odds of a right label, ``float64[n]``."""
        joint, _ = self.log_joint(voted.astype(np.float64), silent.astype(np.float64))
        odds: Floats = joint[:, 1] - joint[:, 0]
        return odds

    def log_joint(self, voted: Floats, silent: Floats) -> tuple[Floats, Floats]:
        """Return the joint log-probability of votes and truth, and the posterior of the causes.

        Returns
        -------
        log_p, p_cause
            ``float64[k, 2]`` for wrong and right labels; ``float64[n_groups, k, 2]``, probability
            of the group's cause, given votes and truth.
        """
        log_yes, log_no = np.log(self.p_vote), np.log1p(-self.p_vote)
        joint = np.tile(np.log([1 - self.p_right, self.p_right]), (len(voted), 1))
        p_cause = np.empty((len(self.groups), len(voted), 2))
        for g, group in enumerate(self.groups):
            members = list(group)
            log_votes = np.tensordot(voted[:, members], log_yes[..., members], (1, 2))
            log_votes += np.tensordot(silent[:, members], log_no[..., members], (1, 2))
            log_votes += np.log(np.stack([1 - self.p_common[g], self.p_common[g]], axis=-1))
            of_group = np.logaddexp(log_votes[..., 0], log_votes[..., 1])
            p_cause[g] = np.exp(log_votes[..., 1] - of_group)
            joint += of_group
        return joint, p_cause


def count_patterns(voted: Mask, silent: Mask) -> tuple[Patterns, Ints]:
    """Return the distinct patterns, and the number of the pattern of each candidate.

    Examples
    --------
    >>> voted = np.array([[True, False], [True, True], [True, False]])
    >>> patterns, pattern = count_patterns(voted, ~voted)
    >>> patterns.count[pattern]
    array([2., 1., 2.])
    """
    return merge_patterns([Patterns(voted, silent, np.ones(len(voted)))])


def merge_patterns(parts: Sequence[Patterns]) -> tuple[Patterns, Ints]:
    """Return the distinct patterns of all parts; of each pattern of a part, its index in them."""
    columns = ([getattr(part, name) for part in parts] for name in ("voted", "silent", "count"))
    patterns = Patterns(*map(np.concatenate, columns))
    packed = np.packbits(np.hstack([patterns.voted, patterns.silent]), axis=1)
    # Without sources there is no byte to compare: one pattern, of one zero byte.
    packed = packed if packed.shape[1] else np.zeros((len(packed), 1), np.uint8)
    key = np.ascontiguousarray(packed).view(f"V{packed.shape[1]}").ravel()
    _, first, number = np.unique(key, return_index=True, return_inverse=True)
    count = np.bincount(number, patterns.count, len(first)).astype(np.float64)
    return Patterns(patterns.voted[first], patterns.silent[first], count), number


def vote_scores(patterns: Patterns, pattern: Ints | Ints32, share: Floats) -> Floats:
    """Score candidates: a third by the label model, two thirds by the share of votes.

    The model's log-odds are shrunk by the fourth power of their correlation with those of the
    share: a model that has found another cause than the truth disagrees with the votes, and gets
    less weight. With fewer than `MIN_VIEWS` sources there is no agreement to learn from, and the
    share is the score.

    Parameters
    ----------
    patterns
        Of all candidates.
    pattern
        ``int[n]``: number of each candidate's pattern.
    share
        ``float64[n]`` in (0, 1): share of the covering sources that vote for each candidate.

    Returns
    -------
    float64[n]
        In [0, 1], not a probability; rounded, so that it does not depend on the order in which a
        machine adds.

    Examples
    --------
    >>> voted = np.array([[True, True], [True, False], [False, True]])
    >>> patterns, pattern = count_patterns(voted, ~voted)
    >>> vote_scores(patterns, pattern, np.array([0.75, 0.5, 0.5]))
    array([0.75, 0.5 , 0.5 ])
    """
    if patterns.voted.shape[1] < MIN_VIEWS or len(patterns.count) < 2:
        return share
    log_odds = fit_label_model(patterns).log_odds(patterns.voted, patterns.silent)
    shrinkage = max(_correlation(log_odds, pattern, share), 0.0) ** 4
    score: Floats = expit(log_odds * shrinkage)[pattern]
    score += 2 * share
    score /= 3
    np.round(score, 6, out=score)
    return score


def _correlation(log_odds: Floats, pattern: Ints | Ints32, share: Floats) -> float:
    """Return the correlation of the log-odds of each candidate's pattern with those of its share.

    It is computed in parts, of which the copies are small.
    """
    n, parts = len(share), [slice(i, i + N_AT_ONCE) for i in range(0, len(share), N_AT_ONCE)]
    mean_a = sum(log_odds[pattern[part]].sum() for part in parts) / n
    mean_b = sum(logit(share[part]).sum() for part in parts) / n
    aa = ab = bb = 0.0
    for part in parts:
        a, b = log_odds[pattern[part]] - mean_a, logit(share[part]) - mean_b
        aa, ab, bb = aa + a @ a, ab + a @ b, bb + b @ b
    return float(ab / np.sqrt(aa * bb)) if aa > 0 and bb > 0 else 0.0


def fit_label_model(patterns: Patterns) -> LabelModel:
    """Fit the model by EM on the table of patterns, with the groups that explain them best.

    Sources that read the same text err together. Treated as independent, they make the model learn
    their common cause in place of the truth (Dawid & Skene 1979 on such votes ranks worse than
    chance). So the sources of a group share a hidden cause, such as the page's topic, beside the
    truth that all groups share. Candidates for the groups are the partitions along a dendrogram of
    odds ratios (`curation.agreement.source_dependence`) with `MIN_VIEWS` groups or more; the best
    by the Bayesian information criterion is taken. The likelihood is truncated at zero: EM adds,
    for each set of covering sources, the pairs without any vote.

    Parameters
    ----------
    patterns
        Of all candidates. The time depends on their number alone, up to `MAX_PATTERNS`.
    """
    sampled = _at_most(patterns, MAX_PATTERNS)
    fits = [
        _fit(sampled, groups)
        for groups in partitions(sampled.voted, sampled.silent, sampled.count, MIN_VIEWS)
    ]
    return max(fits, key=lambda fit: fit[1])[0]


def _at_most(patterns: Patterns, n: int) -> Patterns:
    if len(patterns.count) <= n:
        return patterns
    upto = np.cumsum(patterns.count)
    drawn = np.searchsorted(upto, (np.arange(n) + 0.5) / n * upto[-1], side="right")
    row, count = np.unique(drawn, return_counts=True)
    weight = count * upto[-1] / n
    return Patterns(patterns.voted[row], patterns.silent[row], weight)


def _fit(patterns: Patterns, groups: tuple[Group, ...]) -> tuple[LabelModel, float]:
    """Return the model of these groups, and its information criterion (larger is better)."""
    n_sources = patterns.voted.shape[1]
    grouped = np.array([len(group) > 1 for group in groups], bool)
    model = LabelModel(0.2, groups, np.full((len(groups), 2), P_COMMON), _prior(n_sources))
    model = replace(model, p_common=np.where(grouped[:, None], model.p_common, 1e-9))
    covering, cover, n_of_cover = _covers(patterns)
    votes = (
        np.vstack([patterns.voted, np.zeros_like(covering)]).astype(np.float64),
        np.vstack([patterns.silent, covering]).astype(np.float64),
    )
    n_seen = len(patterns.count)
    log_seen = np.zeros(n_seen)
    for _ in range(N_ITERATIONS):
        joint, p_cause = model.log_joint(*votes)
        log_p = np.logaddexp(joint[:, 0], joint[:, 1])
        p_unseen = np.minimum(np.exp(log_p[n_seen:]), 0.98)
        log_seen = log_p[:n_seen] - np.log1p(-p_unseen)[cover]
        weight = np.concatenate([patterns.count, n_of_cover * p_unseen / (1 - p_unseen)])
        right = np.exp(joint - log_p[:, None]) * weight[:, None]
        model = _maximise(model, votes, right, p_cause, grouped)
    n_parameters = 1 + 2 * n_sources + sum(2 + 2 * len(g) for g in groups if len(g) > 1)
    n = float(patterns.count.sum())
    return model, float(patterns.count @ log_seen) - n_parameters / 2 * float(np.log(max(n, 1)))


def _prior(n_sources: int) -> Floats:
    """Return the rates to start with, which are also the prior.

    A common cause turns half of the sources that would be silent into voters.
    """
    p = np.stack([P_VOTE, P_VOTE + (1 - P_VOTE) / 2], axis=1)
    return np.repeat(p[:, :, None], n_sources, axis=2)


def _covers(patterns: Patterns) -> tuple[Mask, Ints, Floats]:
    """Return the distinct sets of covering sources, that of each pattern, and their counts."""
    covering = patterns.voted | patterns.silent
    distinct, of_cover = count_patterns(covering, np.zeros_like(covering))
    n_of_cover = np.bincount(of_cover, patterns.count, len(distinct.count))
    return distinct.voted, of_cover, n_of_cover.astype(np.float64)


def _maximise(
    model: LabelModel,
    votes: tuple[Floats, Floats],
    right: Floats,
    p_cause: Floats,
    grouped: Mask,
) -> LabelModel:
    """Return the rates that fit best to the weights of each pattern's states (the M step)."""
    n_right = right.sum(axis=0)
    p_vote, p_common = _prior(votes[0].shape[1]), np.full_like(model.p_common, 1e-9)
    for g, group in enumerate(model.groups):
        members = list(group)
        state = np.stack([right * (1 - p_cause[g]), right * p_cause[g]], axis=-1)
        n_yes = np.tensordot(state, votes[0][:, members], (0, 0)) + N_PRIOR * p_vote[..., members]
        n_no = np.tensordot(state, votes[1][:, members], (0, 0))
        n_no += N_PRIOR * (1 - p_vote[..., members])
        p_vote[..., members] = np.clip(n_yes / (n_yes + n_no), 1e-3, 1 - 1e-3)
        if grouped[g]:
            n_caused = state[..., 1].sum(axis=0)
            p_common[g] = (n_caused + N_PRIOR * P_COMMON) / (n_right + N_PRIOR)
    p_right = float(np.clip(n_right[1] / n_right.sum(), 1e-3, 1 - 1e-3))
    return LabelModel(p_right, model.groups, p_common, p_vote)
