"""A miniature web in the making: its pictures so far, and the habits of its authors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pipelines.demo.records import ImageFile, PagePlan, Phrase, World, WorldSettings
from pipelines.demo.vocabulary import (
    NAMES,
    PARENTS,
    THEMES,
    above,
    fill,
    pick,
    pick_name,
    plural,
    siblings,
)

_P_LOOKED = {"alt": 0.6, "caption": 0.85, "filename": 0.95, "surrounding": 0.25}
"""Chance that the author of a text of an average host and label looked at the picture."""


@dataclass(frozen=True, eq=False)
class Draft:
    """A web in the making, with the habits of its authors.

    Attributes
    ----------
    world
        The web so far.
    rng
        Generator of all random choices: the order of the calls decides the web.
    settings
        The size of the web.
    log_odds
        Of having looked at the picture, for each source: ``float64[n_hosts]`` and, by label, a
        number to add.
    p_slip
        Chance that an author who sees the label names a sibling of it, by label.
    showing
        The pictures whose main label it is, by label.
    file_of
        The file of a picture on a host, by the numbers of both.
    """

    world: World
    rng: np.random.Generator
    settings: WorldSettings
    log_odds: Mapping[str, tuple[npt.NDArray[np.float64], Mapping[str, float]]]
    p_slip: Mapping[str, float]
    showing: dict[str, list[int]] = field(default_factory=dict)
    file_of: dict[tuple[int, int], int] = field(default_factory=dict)

    def happens(self, probability: float) -> bool:
        """Return true with this probability."""
        return bool(self.rng.random() < probability)

    def add_picture(self, label_ids: tuple[str, ...]) -> int:
        """Add a picture and return its number."""
        self.world.pictures.append(label_ids)
        number = len(self.world.pictures) - 1
        for label_id in label_ids[:1]:
            self.showing.setdefault(label_id, []).append(number)
        return number

    def add_file(self, host: int, picture: int, name: Phrase) -> int:
        """Add a file and return its number."""
        self.world.files.append(ImageFile(host, picture, name))
        number = self.file_of[host, picture] = len(self.world.files) - 1
        return number

    def shows(self, picture: int, label_id: str) -> bool:
        """Return whether a picture shows a label or one below it."""
        return any(label_id in above(shown) for shown in self.world.pictures[picture])

    def meant(self, source: str, plan: PagePlan, shown: tuple[str, ...]) -> str:
        """Return the label that the author of a text beside a picture that shows `shown` means.

        Sources err together: authors who did not look at the picture guess from the page. Those
        who looked may slip, or name a parent.
        """
        by_host, by_label = self.log_odds[source]
        p_looked = 1 / (1 + np.exp(-by_host[plan.host.number] - by_label[shown[0]]))
        if self.happens(p_looked):
            label = shown[0] if self.happens(0.8) else pick(shown, self.rng)
            others = siblings(label)
            if others and self.happens(self.p_slip[label]):
                label = pick(others, self.rng)
        else:
            label = self._guess(plan)
        if PARENTS[label] and self.happens(0.12):
            return pick(PARENTS[label], self.rng)
        return label

    def phrase(self, templates: Sequence[str], label_id: str) -> Phrase:
        """Return a phrase that names the label, in the plural now and then."""
        template = pick(templates, self.rng)
        name = pick_name(label_id, self.rng)
        can_be_plural = template.startswith("{}") or "the {}" in template
        if can_be_plural and self.happens(0.15):
            name = plural(name)
        return Phrase(fill(template, name), (label_id,))

    def _guess(self, plan: PagePlan) -> str:
        chance = self.rng.random()
        if chance < 0.65:
            return plan.topic
        return pick(THEMES[plan.host.theme] if chance < 0.9 else tuple(NAMES), self.rng)


def new_draft(seed: int, settings: WorldSettings) -> Draft:
    """Return an empty web, with authors whose care differs by source, host and label."""
    rng = np.random.Generator(np.random.PCG64(seed))
    log_odds = {}
    for source, mean in _P_LOOKED.items():
        spreads = rng.normal(0, 0.8, settings.n_hosts + len(NAMES))
        by_host = np.log(mean / (1 - mean)) + spreads[: settings.n_hosts]
        by_label = dict(zip(NAMES, spreads[settings.n_hosts :].tolist(), strict=True))
        log_odds[source] = (by_host, by_label)
    p_slip = rng.beta(1, 1 / 0.12 - 1, len(NAMES)).tolist()  # 0.12 on average
    habits = log_odds, dict(zip(NAMES, p_slip, strict=True))
    return Draft(World(seed), rng, settings, *habits)
