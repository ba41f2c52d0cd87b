"""A seeded world of candidates whose sources err together, with its Bayes-optimal scores.

Errors come in three kinds, as on real pages. A page has a topic, which all sources that read the
page name, whatever the image shows. A site has boilerplate, which its templates put beside every
image. An author takes one label for its sibling, in several texts at once. How good a source is
differs from label to label.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.special import betaln, expit, logsumexp

from labeling.keys.ids import digest
from labeling.schemas import CANDIDATES
from labeling.taxonomy.taxonomy import Label, Taxonomy, build_taxonomy

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

SOURCES = ("alt", "caption", "filename", "heading", "page", "surrounding", "title", "vote")
COVERAGE = np.array([0.75, 0.30, 0.80, 0.60, 0.90, 0.90, 0.95, 0.25])
HIT = np.array([0.50, 0.60, 0.35, 0.25, 0.35, 0.35, 0.25, 0.85])
MISS = np.array([0.08, 0.08, 0.07, 0.04, 0.08, 0.08, 0.04, 0.50])
READS_PAGE = np.array([False, False, False, True, True, True, True, False])
TEMPLATE = np.array([False, False, False, True, False, False, True, False])
BY_AUTHOR = np.array([True, True, True, False, False, False, False, False])
ON_PAGE, IN_TEMPLATE, MISTAKEN = 3.0, 4.0, 1.5
RIGHT_STRENGTH, WRONG_STRENGTH = (4.5, 3.5), (4.0, 4.0)
RIGHT_PAGES, WRONG_PAGES, SAME_HOST = 1.0, 0.8, 0.6
SHIFT = 1.0
"""Spread of a source's quality between labels, in logits."""


@dataclass(frozen=True, eq=False)
class CorrelatedWorld:
    """Candidates with their truth.

    Attributes
    ----------
    candidates
        Table of `labeling.schemas.CANDIDATES`, ``n`` rows.
    taxonomy
        Three levels of labels.
    correct
        ``bool[n]``.
    bayes
        ``float64[n]``: the probability of each pair to be right, given its own sources and every
        number of the world. No score that looks at the pair alone ranks better.
    voted, silent
        ``bool[n, 8]``: which of `SOURCES` name the label; which cover the image and do not.
    """

    candidates: pa.Table
    taxonomy: Taxonomy
    correct: Flags
    bayes: Floats
    voted: Flags
    silent: Flags


def make_correlated_world(n_images: int, seed: int) -> CorrelatedWorld:
    """Make about nine candidates an image, some four in ten right."""
    rng = np.random.default_rng(seed)
    taxonomy = _labels(8, 6, 5)
    pairs, states = _draw_pairs(taxonomy, n_images, rng)
    image, label = np.divmod(pairs, len(taxonomy))
    covers = rng.random((n_images, len(SOURCES))) < COVERAGE
    shift = rng.normal(0, SHIFT, (2, len(taxonomy), len(SOURCES)))
    voted = rng.random((len(pairs), len(SOURCES))) < _p_votes(states, label, shift)
    voted &= covers[image]
    seen = voted.any(axis=1)
    prior = _prior(states, label, len(taxonomy))
    image, label, voted, states = image[seen], label[seen], voted[seen], states[seen]
    silent = covers[image] & ~voted
    correct = states[:, 0]
    evidence = _draw_evidence(voted, correct, rng)
    ids = np.array(sorted(digest(f"{seed}/{i}") for i in range(n_images)))
    candidates = pa.table(
        {
            "image_id": ids[image],
            "label_id": np.array(taxonomy.label_ids)[label],
            "evidence": _listed(voted, pa.StructArray.from_arrays(
                [_names(voted), *map(pa.array, evidence)],
                fields=list(CANDIDATES.arrow.field("evidence").type.value_type),
            )),
            "silent": _listed(silent, _names(silent)),
            "ambiguity": (1 + label % 3).astype(np.int16),
        }
    ).cast(CANDIDATES.arrow)  # fmt: skip
    bayes = _bayes(voted, silent, label, shift, prior, _evidence_ratio(voted, *evidence))
    return CorrelatedWorld(candidates, taxonomy, correct, bayes, voted, silent)


def _labels(n_roots: int, n_middle: int, n_leaves: int) -> Taxonomy:
    labels = []
    for r in range(n_roots):
        labels.append(Label(f"r{r}", ((f"root {r}", "en"),), (), None, 1))
        for m in range(n_middle):
            labels.append(Label(f"r{r}_{m}", (), (f"r{r}",), None, 1))
            labels += [
                Label(f"r{r}_{m}_{leaf}", (), (f"r{r}_{m}",), None, 1) for leaf in range(n_leaves)
            ]
    return build_taxonomy(labels, "world")


def _draw_pairs(taxonomy: Taxonomy, n_images: int, rng: np.random.Generator) -> tuple[Longs, Flags]:
    """Return pairs (``image * n_labels + label``) and ``bool[n, 4]``: whether each is right, on the
    page, in the site's template, an author's mistake."""
    leaves = np.flatnonzero([not children for children in taxonomy.children])
    confused = np.array(
        [rng.choice([c for c in taxonomy.children[taxonomy.parents[x][0]] if c != x])
         for x in leaves]
    )  # fmt: skip
    popular = rng.dirichlet(np.full(len(leaves), 0.7))

    def draw(n: int) -> Longs:
        return rng.choice(len(leaves), n, p=popular)

    main = draw(n_images)
    second = np.where(rng.random(n_images) < 0.3, draw(n_images), main)
    topic = np.where(rng.random(n_images) < 0.4, main, draw(n_images))
    n_sites = n_images // 100
    site = rng.integers(0, n_sites, n_images)
    template = draw(n_sites)[site]
    right = _with_ancestors([leaves[main], leaves[second]], taxonomy)
    pairs = {
        "right": right,
        "topic": _with_ancestors([leaves[topic]], taxonomy),
        "template": _with_ancestors([leaves[template]], taxonomy),
        "mistake": _with_ancestors([confused[main]], taxonomy),
        "stray": _with_ancestors([leaves[draw(n_images)], leaves[draw(n_images)]], taxonomy),
    }
    every = np.unique(np.concatenate(list(pairs.values())))
    image = every // len(taxonomy)
    focused, boilerplate = (rng.random(n_images) < 0.6)[image], (rng.random(n_sites) < 0.5)[site]
    mistaken = (rng.random(n_images) < 0.4)[image]
    is_right = np.isin(every, right)
    states = np.column_stack(
        [
            is_right,
            np.isin(every, pairs["topic"]) & focused,
            np.isin(every, pairs["template"]) & boilerplate[image],
            np.isin(every, pairs["mistake"]) & mistaken & ~is_right,
        ]
    )
    return every, states


def _with_ancestors(leaves: list[Longs], taxonomy: Taxonomy) -> Longs:
    above = np.array([a if len(a) == 2 else (0, 0) for a in taxonomy.ancestors])
    image = np.arange(len(leaves[0])) * len(taxonomy)
    codes = [image + column for leaf in leaves for column in (leaf, above[leaf, 0], above[leaf, 1])]
    return np.unique(np.concatenate(codes))


def _p_votes(states: Flags, label: Longs, shift: Floats) -> Floats:
    """Return the probability of each covering source to name the label, ``[n, 8]``."""
    right = states[:, :1]
    logit = np.where(right, np.log(HIT / (1 - HIT)), np.log(MISS / (1 - MISS)))
    logit = logit + shift[states[:, 0].astype(np.int64), label]
    logit += ON_PAGE * (states[:, 1:2] & READS_PAGE)
    logit += IN_TEMPLATE * (states[:, 2:3] & TEMPLATE)
    logit += MISTAKEN * (states[:, 3:4] & BY_AUTHOR)
    p: Floats = expit(logit)
    return p


def _prior(states: Flags, label: Longs, n_labels: int) -> Floats:
    """Return how often each of the 16 states occurs with each label, ``[16, n_labels]``."""
    code = states @ (1 << np.arange(4))
    counts = np.bincount(code * n_labels + label, minlength=16 * n_labels).reshape(16, n_labels)
    smooth = counts + counts.sum(axis=1, keepdims=True) / counts.sum()
    prior: Floats = smooth / smooth.sum(axis=0)
    return prior


def _draw_evidence(
    voted: Flags, correct: Flags, rng: np.random.Generator
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return strength, pages and hosts of each vote."""
    right = correct[np.nonzero(voted)[0]]
    a, b = (np.where(right, *both) for both in zip(RIGHT_STRENGTH, WRONG_STRENGTH, strict=True))
    strength = rng.beta(a, b).astype(np.float32)
    n_pages = 1 + rng.poisson(np.where(right, RIGHT_PAGES, WRONG_PAGES))
    n_hosts = 1 + rng.binomial(n_pages - 1, SAME_HOST)
    return strength, n_pages.astype(np.int32), n_hosts.astype(np.int32)


def _evidence_ratio(
    voted: Flags,
    strength: npt.NDArray[np.float32],
    n_pages: npt.NDArray[np.int32],
    n_hosts: npt.NDArray[np.int32],
) -> Floats:
    """Return the log-likelihood ratio of a pair's strengths and pages; hosts add nothing."""
    x = np.clip(strength.astype(np.float64), 1e-6, 1 - 1e-6)
    (a, b), (c, d) = RIGHT_STRENGTH, WRONG_STRENGTH
    ratio = (a - c) * np.log(x) + (b - d) * np.log1p(-x) - betaln(a, b) + betaln(c, d)
    ratio += (n_pages - 1) * np.log(RIGHT_PAGES / WRONG_PAGES) - (RIGHT_PAGES - WRONG_PAGES)
    return np.bincount(np.nonzero(voted)[0], ratio, len(voted))


def _bayes(
    voted: Flags, silent: Flags, label: Longs, shift: Floats, prior: Floats, ratio: Floats
) -> Floats:
    """Return the posterior of "right", summed over what page, template and author did."""
    log_joint = np.empty((16, len(label)))
    for code, (mistaken, template, page, right) in enumerate(
        itertools.product((False, True), repeat=4)
    ):
        state = np.tile([right, page, template, mistaken], (len(label), 1))
        p = _p_votes(state, label, shift)
        log_likelihood = np.sum(np.log(np.where(voted, p, np.where(silent, 1 - p, 1.0))), axis=1)
        log_joint[code] = (
            np.log(np.maximum(prior[code, label], 1e-12)) + log_likelihood + right * ratio
        )
    posterior: Floats = np.exp(logsumexp(log_joint[1::2], axis=0) - logsumexp(log_joint, axis=0))
    return posterior


def _names(mask: Flags) -> pa.Array:
    return pa.array(SOURCES).take(pa.array(np.nonzero(mask)[1]))


def _listed(mask: Flags, items: pa.Array) -> pa.ListArray:
    offsets = np.concatenate([[0], np.cumsum(mask.sum(axis=1))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), items)
