"""Which label whoever writes about a picture names, and why that is now and then the wrong one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from pipelines.demo.records import Phrase, Plan, WorldSettings
from pipelines.demo.vocabulary import ENTRIES, PARENTS, THEMES, pick_name, plural, siblings, write

T = TypeVar("T")


def pick(choices: Sequence[T], rng: np.random.Generator) -> T:
    """Return one of the choices, all equally likely."""
    return choices[int(rng.integers(len(choices)))]


@dataclass(frozen=True, eq=False)
class Writers:
    """The people who write file names, alternative texts, captions and paragraphs.

    Attributes
    ----------
    rng
        Where chance comes from; every call moves it on.
    settings
        The rates of errors.
    log_odds
        Of having looked at the picture, for each source: ``float64[n_hosts]`` and, by label, a
        number to add.
    p_slip
        Chance that somebody who sees the label names a sibling of it.
    """

    rng: np.random.Generator
    settings: WorldSettings
    log_odds: Mapping[str, tuple[npt.NDArray[np.float64], Mapping[str, float]]]
    p_slip: Mapping[str, float]

    def name(self, source: str, plan: Plan, shown: tuple[str, ...]) -> str:
        """Return the label that a text of a source names beside a picture that shows `shown`."""
        if self.rng.random() < self._p_looked(source, plan.host, shown[0]):
            label = shown[0] if self.rng.random() < 0.8 else pick(shown, self.rng)
            label = self._slip(label)
        else:
            label = self._guess(plan)
        if PARENTS[label] and self.rng.random() < self.settings.p_parent_named:
            return pick(PARENTS[label], self.rng)
        return label

    def write(self, templates: Sequence[str], label_id: str) -> Phrase:
        """Return a phrase that names the label, in the plural now and then."""
        template = pick(templates, self.rng)
        name = pick_name(label_id, self.rng)
        may_be_many = template.startswith("{}") or "the {}" in template
        if may_be_many and self.rng.random() < 0.15:
            name = plural(name)
        return Phrase(write(template, name), (label_id,))

    def _p_looked(self, source: str, host: int, label_id: str) -> float:
        by_host, by_label = self.log_odds[source]
        return float(1 / (1 + np.exp(-by_host[host] - by_label[label_id])))

    def _slip(self, label_id: str) -> str:
        others = siblings(label_id)
        if others and self.rng.random() < self.p_slip[label_id]:
            return pick(others, self.rng)
        return label_id

    def _guess(self, plan: Plan) -> str:
        chance = self.rng.random()
        if chance < 0.65:
            return plan.topic
        return (
            pick(THEMES[plan.theme], self.rng) if chance < 0.9 else pick(ENTRIES, self.rng).label_id
        )


def gather_writers(rng: np.random.Generator, settings: WorldSettings) -> Writers:
    """Return writers whose care differs by source, host and label."""
    means = {
        "alt": settings.p_looked_alt,
        "caption": settings.p_looked_caption,
        "filename": settings.p_looked_filename,
        "surrounding": settings.p_looked_surrounding,
    }
    label_ids = [entry.label_id for entry in ENTRIES]
    log_odds = {}
    for source, mean in means.items():
        spreads = rng.normal(0, settings.looked_spread, settings.n_hosts + len(label_ids))
        by_host = np.log(mean / (1 - mean)) + spreads[: settings.n_hosts]
        by_label = dict(zip(label_ids, spreads[settings.n_hosts :].tolist(), strict=True))
        log_odds[source] = (by_host, by_label)
    slips = rng.beta(1, 1 / settings.p_slip - 1, len(label_ids)).tolist()
    return Writers(rng, settings, log_odds, dict(zip(label_ids, slips, strict=True)))
