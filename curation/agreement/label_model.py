"""What votes tell of candidates without any audit, by a model of how sources err together.

It serves to choose the first audits; what it says is never a precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit, logit

from curation.agreement.source_dependence import partitions
from labeling.keys.arrays import Floats, Ints, Mask

Group = tuple[int, ...]

N_ITERATIONS = 60
MAX_PATTERNS = 4096
"""Patterns that are fitted on; of more, an even sample by their counts."""

MIN_VIEWS = 3
"""Groups of sources that must agree by themselves for anything to be learnt from agreement."""

P_SPEAKS = np.array([0.1, 0.4])
"""How often a source names a wrong and a right label, before anything is known of it."""

P_COMMON = 0.1
N_PRIOR = 200.0
"""Candidates that these count for, for each source and each group."""


@dataclass(frozen=True, eq=False)
class Patterns:
    """How often each combination of votes occurs.

    Attributes
    ----------
    spoke, silent
        ``bool[k, n_sources]``: the source names the label; it covers the image but does not. In
        each row some source speaks: a pair that nobody names is never seen.
    count
        ``float64[k]``.
    """

    spoke: Mask
    silent: Mask
    count: Floats


@dataclass(frozen=True, eq=False)
class LabelModel:
    """A right or wrong label, and in each group of sources a cause that moves them together.

    Attributes
    ----------
    p_right
        Share of right ones among all pairs, seen and unseen.
    groups
        Sources by their place; each is in one group, alone or with others.
    p_common
        ``float64[n_groups, 2]``: how often the group's cause is there for wrong and right labels.
    p_speaks
        ``float64[2, 2, n_sources]``: how often a source that covers the image names a label that is
        wrong or right, without and with the cause of its group.
    """

    p_right: float
    groups: tuple[Group, ...]
    p_common: Floats
    p_speaks: Floats

    def log_odds(self, spoke: Mask, silent: Mask) -> Floats:
        """Return the log-odds of a right label, ``float64[n]``."""
        joint, _ = self.log_joint(spoke.astype(np.float64), silent.astype(np.float64))
        odds: Floats = joint[:, 1] - joint[:, 0]
        return odds

    def log_joint(self, spoke: Floats, silent: Floats) -> tuple[Floats, Floats]:
        """Return the joint log-probability of votes and truth, and what it says of the causes.

        Returns
        -------
        log_p, p_cause
            ``float64[k, 2]`` for wrong and right labels; ``float64[n_groups, k, 2]``, how probable
            the group's cause is, given votes and truth.
        """
        log_yes, log_no = np.log(self.p_speaks), np.log1p(-self.p_speaks)
        joint = np.tile(np.log([1 - self.p_right, self.p_right]), (len(spoke), 1))
        caused = np.empty((len(self.groups), len(spoke), 2))
        for g, group in enumerate(self.groups):
            own = list(group)
            log_votes = np.tensordot(spoke[:, own], log_yes[..., own], (1, 2))
            log_votes += np.tensordot(silent[:, own], log_no[..., own], (1, 2))
            log_votes += np.log(np.stack([1 - self.p_common[g], self.p_common[g]], axis=-1))
            of_group = np.logaddexp(log_votes[..., 0], log_votes[..., 1])
            caused[g] = np.exp(log_votes[..., 1] - of_group)
            joint += of_group
        return joint, caused


def count_patterns(spoke: Mask, silent: Mask) -> tuple[Patterns, Ints]:
    """Return the patterns of candidates, and which of them each candidate has.

    Examples
    --------
    >>> spoke = np.array([[True, False], [True, True], [True, False]])
    >>> patterns, pattern = count_patterns(spoke, ~spoke)
    >>> patterns.count[pattern]
    array([2., 1., 2.])
    """
    return merge_patterns([Patterns(spoke, silent, np.ones(len(spoke)))])


def merge_patterns(parts: Sequence[Patterns]) -> tuple[Patterns, Ints]:
    """Return the patterns of all parts, and the place of each part's each pattern among them."""
    columns = ([getattr(part, name) for part in parts] for name in ("spoke", "silent", "count"))
    patterns = Patterns(*map(np.concatenate, columns))
    packed = np.packbits(np.hstack([patterns.spoke, patterns.silent]), axis=1)
    if packed.shape[1] == 0:
        packed = np.zeros((len(packed), 1), np.uint8)
    key = np.ascontiguousarray(packed).view(f"V{packed.shape[1]}").ravel()
    _, first, row = np.unique(key, return_index=True, return_inverse=True)
    count = np.bincount(row, patterns.count, len(first)).astype(np.float64)
    return Patterns(patterns.spoke[first], patterns.silent[first], count), row


def belief(patterns: Patterns) -> Floats:
    """Return how far each pattern of votes is believed: a third by the model.

    Two thirds are the share of the covering sources that speak, shrunk to 1/2. The model's log-odds
    are shrunk by the fourth power of their correlation with those of the share: a model that has
    taken something else for the truth has drifted away from the votes, and is believed the less.
    With fewer than `MIN_VIEWS` sources agreement tells nothing, and the share decides alone.

    Returns
    -------
    float64[k]
        In [0, 1], no probability; rounded, so that it does not hang on how a machine adds up.

    Examples
    --------
    >>> spoke = np.array([[True, True], [True, False]])
    >>> belief(Patterns(spoke, ~spoke, np.array([3.0, 5.0])))
    array([0.75, 0.5 ])
    """
    n_speaking, n_silent = patterns.spoke.sum(axis=1), patterns.silent.sum(axis=1)
    share: Floats = (n_speaking + 1) / (n_speaking + n_silent + 2)
    if patterns.spoke.shape[1] < MIN_VIEWS or len(share) < 2:
        return share
    found = fit_label_model(patterns).log_odds(patterns.spoke, patterns.silent)
    trust = max(_correlation(found, logit(share), patterns.count), 0.0) ** 4
    believed: Floats = np.round((2 * share + expit(found * trust)) / 3, 6)
    return believed


def _correlation(a: Floats, b: Floats, weight: Floats) -> float:
    (aa, ab), (_, bb) = np.cov(a, b, aweights=weight)
    return float(ab / np.sqrt(aa * bb)) if aa > 0 and bb > 0 else 0.0


def fit_label_model(patterns: Patterns) -> LabelModel:
    """Fit the model by EM on the table of patterns, with the groups that explain them best.

    Sources that read the same text err together: taken for independent witnesses, they drag the
    model to whatever they have in common (Dawid & Skene 1979 on such votes ranks worse than
    chance). So the sources of a group share a hidden cause, such as the page's topic, besides the
    truth that all groups share. Groups are sought along a dendrogram of the pairs' odds ratios
    (`curation.agreement.source_dependence`), and the best by the Bayesian information criterion is
    taken, as long as `MIN_VIEWS` groups are left. The likelihood is truncated at zero: EM adds, for
    each set of covering sources, the pairs that none of them named.

    Parameters
    ----------
    patterns
        Of all candidates. The time depends on their number alone, up to `MAX_PATTERNS`.
    """
    sampled = _at_most(patterns, MAX_PATTERNS)
    fits = [
        _fit(sampled, groups)
        for groups in partitions(sampled.spoke, sampled.silent, sampled.count, MIN_VIEWS)
    ]
    return max(fits, key=lambda fit: fit[1])[0]


def _at_most(patterns: Patterns, n: int) -> Patterns:
    if len(patterns.count) <= n:
        return patterns
    upto = np.cumsum(patterns.count)
    drawn = np.searchsorted(upto, (np.arange(n) + 0.5) / n * upto[-1], side="right")
    row, count = np.unique(drawn, return_counts=True)
    weight = count * upto[-1] / n
    return Patterns(patterns.spoke[row], patterns.silent[row], weight)


def _fit(patterns: Patterns, groups: tuple[Group, ...]) -> tuple[LabelModel, float]:
    """Return the model of these groups, and its information criterion (larger is better)."""
    n_sources = patterns.spoke.shape[1]
    grouped = np.array([len(group) > 1 for group in groups], bool)
    model = LabelModel(0.2, groups, np.full((len(groups), 2), P_COMMON), _prior(n_sources))
    model = replace(model, p_common=np.where(grouped[:, None], model.p_common, 1e-9))
    covering, cover, n_of_cover = _covers(patterns)
    votes = (
        np.vstack([patterns.spoke, np.zeros_like(covering)]).astype(np.float64),
        np.vstack([patterns.silent, covering]).astype(np.float64),
    )
    n_seen = len(patterns.count)
    log_seen = np.zeros(n_seen)
    for _ in range(N_ITERATIONS):
        joint, caused = model.log_joint(*votes)
        log_p = np.logaddexp(joint[:, 0], joint[:, 1])
        p_unseen = np.minimum(np.exp(log_p[n_seen:]), 0.98)
        log_seen = log_p[:n_seen] - np.log1p(-p_unseen)[cover]
        weight = np.concatenate([patterns.count, n_of_cover * p_unseen / (1 - p_unseen)])
        right = np.exp(joint - log_p[:, None]) * weight[:, None]
        model = _maximise(model, votes, right, caused, grouped)
    n_parameters = 1 + 2 * n_sources + sum(2 + 2 * len(g) for g in groups if len(g) > 1)
    n = float(patterns.count.sum())
    return model, float(patterns.count @ log_seen) - n_parameters / 2 * float(np.log(max(n, 1)))


def _prior(n_sources: int) -> Floats:
    """Return the rates to begin with and to shrink to: a cause makes half of the silent speak."""
    p = np.stack([P_SPEAKS, P_SPEAKS + (1 - P_SPEAKS) / 2], axis=1)
    return np.repeat(p[:, :, None], n_sources, axis=2)


def _covers(patterns: Patterns) -> tuple[Mask, Ints, Floats]:
    """Return the distinct sets of covering sources, that of each pattern, and their counts."""
    covering = patterns.spoke | patterns.silent
    distinct, of_cover = count_patterns(covering, np.zeros_like(covering))
    n_of_cover = np.bincount(of_cover, patterns.count, len(distinct.count))
    return distinct.spoke, of_cover, n_of_cover.astype(np.float64)


def _maximise(
    model: LabelModel,
    votes: tuple[Floats, Floats],
    right: Floats,
    caused: Floats,
    grouped: Mask,
) -> LabelModel:
    """Return the rates that fit best to the weights of each pattern's states."""
    n_right = right.sum(axis=0)
    p_speaks, p_common = _prior(votes[0].shape[1]), np.full_like(model.p_common, 1e-9)
    for g, group in enumerate(model.groups):
        own = list(group)
        state = np.stack([right * (1 - caused[g]), right * caused[g]], axis=-1)
        n_yes = np.tensordot(state, votes[0][:, own], (0, 0)) + N_PRIOR * p_speaks[..., own]
        n_no = np.tensordot(state, votes[1][:, own], (0, 0)) + N_PRIOR * (1 - p_speaks[..., own])
        p_speaks[..., own] = np.clip(n_yes / (n_yes + n_no), 1e-3, 1 - 1e-3)
        if grouped[g]:
            n_caused = state[..., 1].sum(axis=0)
            p_common[g] = (n_caused + N_PRIOR * P_COMMON) / (n_right + N_PRIOR)
    p_right = float(np.clip(n_right[1] / n_right.sum(), 1e-3, 1 - 1e-3))
    return LabelModel(p_right, model.groups, p_common, p_speaks)
