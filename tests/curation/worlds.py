"""A seeded world with known truth: candidates whose errors are correlated, as on real pages."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from curation.agreement.label_model import count_patterns, vote_scores
from curation.scoring.cold import evidence_amount, source_statistics, vote_share
from curation.scoring.features import FeatureTable
from labeling.keys.ids import digest
from labeling.schemas import CANDIDATES, TRUTH
from labeling.taxonomy.taxonomy import Label, Taxonomy, build_taxonomy

# name: coverage, rate for right labels, rate for wrong ones, does it read the page's topic?
SOURCES = {
    "alt": (0.75, 0.40, 0.14, False),
    "caption": (0.30, 0.50, 0.12, False),
    "filename": (0.80, 0.25, 0.12, False),
    "heading": (0.60, 0.20, 0.08, True),
    "page": (0.90, 0.25, 0.14, True),
    "surrounding": (0.90, 0.25, 0.14, True),
    "title": (0.95, 0.20, 0.08, True),
    "vote": (0.25, 0.80, 0.70, False),
}


@dataclass(frozen=True, eq=False)
class World:
    taxonomy: Taxonomy
    candidates: pa.Table
    correct: np.ndarray
    truth: pa.Table


def make_taxonomy(n_roots: int = 4, n_middle: int = 5, n_leaves: int = 4) -> Taxonomy:
    """Return ``n_roots * (1 + n_middle * (1 + n_leaves))`` labels on three levels."""
    labels = [Label(f"r{r}", ((f"root {r}", "en"),), (), None, 1) for r in range(n_roots)]
    for r in range(n_roots):
        for m in range(n_middle):
            labels.append(Label(f"r{r}_{m}", (), (f"r{r}",), None, 1))
            labels += [
                Label(f"r{r}_{m}_{leaf}", (), (f"r{r}_{m}",), None, 1) for leaf in range(n_leaves)
            ]
    return build_taxonomy(labels, "world")


@functools.cache
def make_world(n_images: int = 6000, seed: int = 0) -> World:
    """Make about eight candidates an image, four in ten of them right.

    Each image has one or two leaf labels (true with all their ancestors) and a page with a topic,
    often another label: sources that read the page name the topic together, whatever the image
    shows. Authors take siblings for each other, in several of their texts at once. How good a
    source is differs from label to label.
    """
    rng = np.random.default_rng(seed)
    taxonomy = make_taxonomy()
    truth, topic, pairs = _draw_images(taxonomy, n_images, rng)
    image, label = pairs // len(taxonomy), (pairs % len(taxonomy)).astype(np.int64)
    correct, topical = np.isin(pairs, truth), np.isin(pairs, topic)
    voted, covers = _draw_votes(image, label, correct, topical, n_images, len(taxonomy), rng)
    kept = voted.any(axis=1)
    image, label, correct = image[kept], label[kept], correct[kept]
    voted, silent = voted[kept], (covers[image] & ~voted[kept])
    ids = np.array(sorted(digest(f"{seed}/{i}") for i in range(n_images)))
    label_ids = np.array(taxonomy.label_ids)
    candidates = pa.table(
        {
            "image_id": ids[image],
            "label_id": label_ids[label],
            "evidence": _evidence(voted, correct, rng),
            "silent": _names(silent),
            "ambiguity": (1 + label % 3).astype(np.int16),
        }
    ).cast(CANDIDATES.arrow)
    true_pairs = {
        "image_id": ids[truth // len(taxonomy)],
        "label_id": label_ids[truth % len(taxonomy)],
    }
    return World(taxonomy, candidates, correct, pa.table(true_pairs).cast(TRUTH.arrow))


def cold_scores(table: FeatureTable) -> np.ndarray:
    """Return the scores without audits of all candidates together: see `Pool.cold`."""
    patterns, pattern = count_patterns(table.voted, table.silent)
    usual = source_statistics(table)
    votes = vote_scores(patterns, pattern, vote_share(table, usual))
    return evidence_amount(table, usual) * votes


def _draw_images(taxonomy, n_images, rng):
    """Return the codes (image * n_labels + label) of truth, of page topics and of all pairs."""
    leaves = np.flatnonzero([not c for c in taxonomy.children])
    sibling = np.array(
        [
            rng.choice([c for c in taxonomy.children[taxonomy.parents[x][0]] if c != x])
            for x in leaves
        ]
    )
    popular = rng.dirichlet(np.full(len(leaves), 0.8))
    main = rng.choice(len(leaves), n_images, p=popular)
    other = rng.choice(len(leaves), n_images, p=popular)
    second = np.where(rng.random(n_images) < 0.3, other, main)
    elsewhere = rng.choice(len(leaves), n_images, p=popular)
    topic = np.where(rng.random(n_images) < 0.4, main, elsewhere)
    stray = rng.choice(len(leaves), (2, n_images), p=popular)
    wrong = [leaves[topic], sibling[main], leaves[stray[0]], leaves[stray[1]]]
    right = [leaves[main], leaves[second]]
    truth = _with_ancestors(right, taxonomy)
    return (
        truth,
        _with_ancestors([leaves[topic]], taxonomy),
        _with_ancestors(right + wrong, taxonomy),
    )


def _with_ancestors(leaves, taxonomy):
    above = np.array([a if len(a) == 2 else (0, 0) for a in taxonomy.ancestors])
    image = np.arange(len(leaves[0])) * len(taxonomy)
    codes = [image + column for leaf in leaves for column in (leaf, above[leaf, 0], above[leaf, 1])]
    return np.unique(np.concatenate(codes))


def _draw_votes(image, label, correct, topical, n_images, n_labels, rng):
    coverage, hit, miss, reads_page = (np.array(x) for x in zip(*SOURCES.values(), strict=True))
    covers = rng.random((n_images, len(SOURCES))) < coverage
    shift = rng.normal(0, 1.0, (2, n_labels, len(SOURCES)))
    focused = (rng.random(n_images) < 0.6)[image]
    confused = (rng.random(n_images) < 0.3)[image]
    rate = np.where(correct[:, None], hit, miss)
    logit = np.log(rate / (1 - rate)) + shift[correct.astype(int), label]
    on_page = (topical & focused)[:, None] & reads_page
    author = (confused & ~correct)[:, None] & ~reads_page
    logit = logit + 3.0 * on_page + 1.5 * author
    voted = rng.random(rate.shape) < 1 / (1 + np.exp(-logit))
    return voted & covers[image], covers


def _evidence(voted, correct, rng):
    row, source = np.nonzero(voted)
    right = correct[row]
    names = np.array(list(SOURCES))[source]
    strength = rng.beta(np.where(right, 4.5, 4), np.where(right, 3.5, 4))
    vote = names == "vote"
    strength[vote] = rng.beta(np.where(right, 5, 3.5), np.where(right, 3.5, 4))[vote]
    n_pages = 1 + rng.poisson(np.where(right, 1.0, 0.8))
    n_hosts = 1 + rng.binomial(n_pages - 1, 0.6)
    items = pa.StructArray.from_arrays(
        [
            pa.array(names),
            pa.array(strength.astype(np.float32)),
            pa.array(n_pages.astype(np.int32)),
            pa.array(n_hosts.astype(np.int32)),
        ],
        fields=list(CANDIDATES.arrow.field("evidence").type.value_type),
    )
    return pa.ListArray.from_arrays(_offsets(voted), items)


def _names(mask):
    return pa.ListArray.from_arrays(
        _offsets(mask), pa.array(np.array(list(SOURCES))[np.nonzero(mask)[1]])
    )


def _offsets(mask):
    return pa.array(np.concatenate([[0], np.cumsum(mask.sum(axis=1))]).astype(np.int32))
