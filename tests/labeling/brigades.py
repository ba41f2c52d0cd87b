"""A log of honest votes on pairs with known truth, and the hostile ones that may be added to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from labeling.feedback import bursts, debias, feedback
from labeling.keys import ids

DAY = 86_400


@dataclass(frozen=True)
class Log:
    """Columns of a log of votes; `user` numbers are distinct for distinct people."""

    user: np.ndarray
    image: np.ndarray
    label: np.ndarray
    up: np.ndarray
    time: np.ndarray

    def __add__(self, other: Log) -> Log:
        names = self.__dataclass_fields__
        return Log(*(np.concatenate([getattr(self, n), getattr(other, n)]) for n in names))


@dataclass(frozen=True)
class Site:
    """Honest votes, and which of its pairs (image, label) are right."""

    honest: Log
    image: np.ndarray
    label: np.ndarray
    right: np.ndarray


def build_site(
    rng: np.random.Generator,
    n_users: int = 1000,
    n_pairs: int = 2000,
    n_votes: int = 20_000,
    n_labels: int = 40,
    days: int = 60,
) -> Site:
    """Return a site whose users are right four times in five, each to their own degree."""
    image, label = np.arange(n_pairs), rng.integers(n_labels, size=n_pairs)
    right = rng.random(n_pairs) < 0.5
    skill = rng.beta(8, 2, n_users)
    key = np.unique(rng.integers(n_users * n_pairs, size=n_votes))
    user, pair = key // n_pairs, key % n_pairs
    up = right[pair] == (rng.random(len(key)) < skill[user])
    time = rng.integers(days * DAY, size=len(key))
    return Site(Log(user, image[pair], label[pair], up, time), image, label, right)


def one_label(site: Site, rng: np.random.Generator, n_users: int, first: int) -> Log:
    """Every hostile user votes for one label on all images that are wrongly named with it."""
    target = np.flatnonzero((site.label == 0) & ~site.right)
    return _all_on(site, rng, n_users, first, target)


def at_random(site: Site, rng: np.random.Generator, n_users: int, first: int) -> Log:
    """Hostile users vote on 50 pairs each by the toss of a coin."""
    pair = np.concatenate([rng.choice(len(site.image), 50, replace=False) for _ in range(n_users)])
    user = first + np.repeat(np.arange(n_users), 50)
    time = rng.integers(site.honest.time.max(), size=len(pair))
    return Log(user, site.image[pair], site.label[pair], rng.random(len(pair)) < 0.5, time)


def copy_cats(site: Site, rng: np.random.Generator, n_users: int, first: int) -> Log:
    """Hostile users repeat 40 honest votes each, then vote for the same 10 wrong pairs."""
    honest = site.honest
    copied = rng.integers(len(honest.user), size=(n_users, 40))
    user = first + np.repeat(np.arange(n_users), 40)
    row = copied.ravel()
    late = honest.time[row] + rng.integers(60, 600, size=len(row))
    copies = Log(user, honest.image[row], honest.label[row], honest.up[row], late)
    target = rng.choice(np.flatnonzero(~site.right), 10, replace=False)
    return copies + _all_on(site, rng, n_users, first, target)


def crowd_of_new(site: Site, rng: np.random.Generator, n_users: int, first: int) -> Log:
    """As many new users vote once each, in one minute, for one label."""
    target = np.flatnonzero((site.label == 1) & ~site.right)
    pair = rng.choice(target, n_users)
    time = 30 * DAY + rng.integers(60, size=n_users)
    user = first + np.arange(n_users)
    return Log(user, site.image[pair], site.label[pair], np.ones(n_users, bool), time)


def one_loud(site: Site, rng: np.random.Generator, n_votes: int, first: int) -> Log:
    """One user votes for wrong pairs, over and over."""
    pair = rng.choice(np.flatnonzero(~site.right), n_votes)
    time = rng.integers(60 * DAY, size=n_votes)
    user = np.full(n_votes, first)
    return Log(user, site.image[pair], site.label[pair], np.ones(n_votes, bool), time)


def strengths(log: Log, site: Site) -> np.ndarray:
    """Return the strength that votes give to each pair of the site; 0.5 without votes."""
    interactions = feedback.interactions(to_events(log))
    rows = debias.evidence(interactions, fit(interactions)).to_pydict()
    strength_of_pair = np.full(len(site.image), 0.5)
    by_id = {id_of("image", int(n)): int(n) for n in site.image}
    for image, strength in zip(rows["image_id"], rows["strength"], strict=True):
        strength_of_pair[by_id[image]] = strength
    return strength_of_pair


def fit(interactions: pa.Table) -> debias.FeedbackModel:
    """Fit to a whole log at once."""
    interactions = feedback.mark_early(interactions)
    time = interactions["time"].to_numpy()
    span = (int(time.min()), int(time.max())) if len(time) else (0, 0)
    candidates = bursts.candidates(bursts.sum_by_hour(interactions))
    return debias.fit(
        interactions,
        debias.count_positions(interactions),
        debias.count_early(interactions),
        candidates,
        span,
    )


def to_events(log: Log) -> pa.Table:
    """Return the log as `labeling.feedback.feedback.EVENTS`."""
    n = len(log.user)
    columns = {
        "event": ids.halves_to_binary(np.stack([np.arange(n), np.zeros(n)], 1).astype(np.uint64)),
        "user": _ids("user", log.user),
        "image_id": _ids("image", log.image),
        "label": log.label.astype(np.int32),
        "kind": np.where(log.up, "up", "down"),
        "position": pa.nulls(n, pa.int32()),
        "time": log.time,
        "ambiguity": np.ones(n, np.int16),
    }
    return pa.table(columns, schema=feedback.EVENTS)


def id_of(kind: str, number: int) -> bytes:
    return bytes.fromhex(ids.digest(f"{kind} {number}"))


def _ids(kind: str, numbers: np.ndarray) -> pa.Array:
    distinct, index = np.unique(numbers, return_inverse=True)
    return pa.array([id_of(kind, int(n)) for n in distinct], ids.BINARY).take(pa.array(index))


def _all_on(
    site: Site, rng: np.random.Generator, n_users: int, first: int, target: np.ndarray
) -> Log:
    user = first + np.repeat(np.arange(n_users), len(target))
    pair = np.tile(target, n_users)
    time = rng.integers(site.honest.time.max(), size=len(pair))
    return Log(user, site.image[pair], site.label[pair], np.ones(len(pair), bool), time)
