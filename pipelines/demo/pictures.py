"""The choice of pictures for the pages of a miniature web, and the names of their files."""

from __future__ import annotations

import re
import unicodedata

import numpy as np

from labeling.keys.ids import digest
from pipelines.demo.draft import Draft
from pipelines.demo.records import PagePlan, Phrase
from pipelines.demo.shapes import SHAPES
from pipelines.demo.vocabulary import NAMES, THEMES, above, pick, siblings

DRAWN = tuple(label_id for label_id in NAMES if label_id in SHAPES)
"""The labels that pictures show, in the order of the taxonomy."""

_LEAVES = {label_id: tuple(d for d in DRAWN if label_id in above(d)) for label_id in NAMES}


def choose_file(plan: PagePlan, draft: Draft) -> int:
    """Return a file of a new picture, or of one that this or another host already shows."""
    main = _choose_main(plan, draft.rng)
    if draft.showing.get(main) and draft.happens(0.06):
        picture = pick(draft.showing[main], draft.rng)
    else:
        picture = draft.add_picture(_add_others(main, plan.host.theme, draft.rng))
    known = draft.file_of.get((plan.host.number, picture))
    if known is not None:
        return known
    return draft.add_file(plan.host.number, picture, _name_file(plan, picture, draft))


def _choose_main(plan: PagePlan, rng: np.random.Generator) -> str:
    if _LEAVES[plan.topic] and rng.random() < plan.p_topic_shown:
        return pick(_LEAVES[plan.topic], rng)
    chance = rng.random()
    near = [sibling for sibling in siblings(plan.topic) if sibling in SHAPES]
    if near and chance < 0.3:
        return pick(near, rng)
    return _choose_from_theme(plan.host.theme, rng) if chance < 0.65 else pick(DRAWN, rng)


def _add_others(main: str, theme: str, rng: np.random.Generator) -> tuple[str, ...]:
    """Return the main label and up to two others."""
    labels = [main]
    for _ in range(int(rng.choice(3, p=(0.55, 0.3, 0.15)))):
        other = _choose_from_theme(theme, rng) if rng.random() < 0.35 else pick(DRAWN, rng)
        if other not in labels:
            labels.append(other)
    return tuple(labels)


def _choose_from_theme(theme: str, rng: np.random.Generator) -> str:
    return pick(_LEAVES[pick(THEMES[theme], rng)] or DRAWN, rng)


def _name_file(plan: PagePlan, picture: int, draft: Draft) -> Phrase:
    host, number = plan.host, len(draft.world.files)
    if host.naming == "hash":
        return Phrase(f"{digest(f'{host.name}/{number}')[:16]}.jpg")
    if host.naming == "camera" or draft.happens(0.1):
        ending = "JPG" if draft.happens(0.3) else "jpg"
        return Phrase(f"IMG_{1000 + number}.{ending}")
    label = draft.meant("filename", plan, draft.world.pictures[picture])
    words = slug(draft.phrase(("{}", "my {}", "{} large"), label).text, host.separator)
    return Phrase(f"{words}{host.separator}{number}.jpg", (label,))


def slug(text: str, separator: str) -> str:
    """Return a text as the name of a file or a host.

    Examples
    --------
    >>> slug("Café talk: T.V./screen", "-")
    'cafe-talk-t-v-screen'
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", separator, plain).strip(separator)
