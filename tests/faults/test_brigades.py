"""Hostile users, up to 1 % of the active ones, and crowds of new ones.

Votes select a pair whose strength is at least `SELECTED`, more than one user alone can give it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from labeling.keys import ids
from labeling.schemas import CANDIDATES
from pipelines.jobs.label import label
from pipelines.run.config import read_config
from tests.labeling import brigades
from tests.labeling.brigades import Log, Site

SELECTED = 0.7

Attack = Callable[[Site, np.random.Generator, int, int], Log]


def before_and_after(attack: Attack, n: int, seed: int) -> tuple[Site, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    site = brigades.build_site(rng)
    hostile = attack(site, rng, n, 5000)
    before = brigades.strengths(site.honest, site)
    return site, before, brigades.strengths(site.honest + hostile, site)


@pytest.mark.parametrize("attack", [brigades.one_label, brigades.at_random, brigades.copy_cats])
def test_one_in_a_hundred_moves_no_wrong_pair_over_the_threshold(attack: Attack) -> None:
    site, before, after = before_and_after(attack, 10, seed=1)
    moved = (before < SELECTED) & (after >= SELECTED)
    assert not (moved & ~site.right).any()
    assert np.abs(after - before).max() < 0.15
    assert (after[before >= SELECTED + 0.05] > SELECTED - 0.1).all()


def test_a_crowd_of_new_users_in_one_minute_moves_nothing() -> None:
    _, before, after = before_and_after(brigades.crowd_of_new, 10_000, seed=2)
    assert not ((before < SELECTED) & (after >= SELECTED)).any()
    assert np.abs(after - before).max() < 0.1


def test_one_user_with_very_many_votes_moves_nothing() -> None:
    _, before, after = before_and_after(brigades.one_loud, 200_000, seed=3)
    assert not ((before < SELECTED) & (after >= SELECTED)).any()
    assert np.abs(after - before).max() < 0.1


def test_the_attacks_would_move_pairs_if_all_votes_were_alike() -> None:
    rng = np.random.default_rng(1)
    site = brigades.build_site(rng)
    for attack, n in ((brigades.one_label, 40), (brigades.crowd_of_new, 10_000)):
        log = site.honest + attack(site, rng, n, 5000)
        n_votes = np.bincount(log.image, minlength=len(site.image))
        share = (np.bincount(log.image, log.up, len(site.image)) + 1) / (n_votes + 2)
        assert ((share >= SELECTED) & ~site.right).sum() > 3


CONFIG = """\
[taxonomy]
path = "taxonomy.jsonl"
[[signals]]
path = "texts.csv"
columns = { image = "image", text = "text" }
[[feedback]]
path = "log-a.csv"
[[feedback]]
path = "log-b.csv"
"""


def test_a_run_counts_ignored_events_and_lists_the_bursts(tmp_path: Path) -> None:
    images = [f"https://i.org/{n}.jpg" for n in range(20)]
    (tmp_path / "taxonomy.jsonl").write_text('{"id": "cat"}\n{"id": "dog"}\n')
    texts = "".join(f"{image},a dog\n" for image in images)
    (tmp_path / "texts.csv").write_text("image,text\n" + texts)
    row = "{},{},cat,,{},{},{},{}\n".format
    start = 472_222 * 3600  # an hour of 2023
    shown = [row(f"i{n}", image, "impression", "u0", 1, start) for n, image in enumerate(images)]
    votes = [
        row(f"v{n}", images[n % 20], "up", f"u{n % 9}", "", start + n * 3600) for n in range(1, 60)
    ]
    crowd = [
        row(f"c{n}", images[7], "up", f"new{n}", "", start + 36_000 + n % 60) for n in range(300)
    ]
    replayed = [v.replace(",u3,", ",someone else,") for v in votes[:10]]
    header = "event_id,image,label,query,kind,user,position,time\n"
    (tmp_path / "log-a.csv").write_text(header + "".join(shown + votes[::2] + crowd[:200]))
    (tmp_path / "log-b.csv").write_text(header + "".join(crowd[200:] + votes[1::2] + replayed))
    (tmp_path / "run.toml").write_text(CONFIG)
    stage = label(read_config(tmp_path / "run.toml"), tmp_path / "run")
    assert stage.counts["replayed"] == len(replayed)
    assert stage.counts["before_image"] == 0
    assert stage.counts["bursts"] == 1
    (burst,) = stage.facts["bursts"]
    assert burst["label_id"] == "cat"
    assert (burst["n"], burst["n_new"], burst["usual"]) == (301, 300, 1.0)
    rows = stage.table(CANDIDATES).to_pylist()
    strength = {
        r["image_id"]: e["strength"]
        for r in rows
        for e in r["evidence"]
        if r["label_id"] == "cat" and e["source"] == "vote"
    }
    assert len(strength) == 20
    assert strength[ids.digest(images[7])] < 0.85
