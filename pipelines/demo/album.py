"""The pictures of a miniature web, what they show and how their files are named."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

import numpy as np

from labeling.keys.ids import digest
from pipelines.demo.painting import SHAPES
from pipelines.demo.records import Host, ImageFile, Phrase, Picture, Plan
from pipelines.demo.vocabulary import ENTRIES, THEMES, above, siblings
from pipelines.demo.writers import Writers, pick

DRAWN = tuple(entry.label_id for entry in ENTRIES if entry.label_id in SHAPES)
"""The labels that pictures show, in the order of the taxonomy."""

_LEAVES = {e.label_id: tuple(d for d in DRAWN if e.label_id in above(d)) for e in ENTRIES}


@dataclass
class Album:
    """The pictures and their files, as they are added."""

    pictures: list[Picture] = field(default_factory=list)
    files: list[ImageFile] = field(default_factory=list)
    showing: dict[str, list[int]] = field(default_factory=dict)
    file_of: dict[tuple[int, int], int] = field(default_factory=dict)

    def add_picture(self, label_ids: tuple[str, ...]) -> int:
        """Add a picture and return its place."""
        self.pictures.append(Picture(label_ids))
        for label_id in label_ids[:1]:
            self.showing.setdefault(label_id, []).append(len(self.pictures) - 1)
        return len(self.pictures) - 1

    def add_file(self, host: int, picture: int, name: Phrase) -> int:
        """Add a file and return its place."""
        self.files.append(ImageFile(host, picture, name))
        self.file_of[host, picture] = len(self.files) - 1
        return len(self.files) - 1


def choose_file(plan: Plan, host: Host, album: Album, writers: Writers) -> int:
    """Return a file of a new picture, or of one that was shown before, here or elsewhere."""
    rng = writers.rng
    main = _choose_main(plan, rng)
    if album.showing.get(main) and rng.random() < writers.settings.p_reused:
        picture = pick(album.showing[main], rng)
    else:
        picture = album.add_picture(_choose_company(main, plan.theme, rng))
    if (plan.host, picture) in album.file_of:
        return album.file_of[plan.host, picture]
    name = _name_file(plan, host, album.pictures[picture].label_ids, len(album.files), writers)
    return album.add_file(plan.host, picture, name)


def _choose_main(plan: Plan, rng: np.random.Generator) -> str:
    if _LEAVES[plan.topic] and rng.random() < plan.p_topic_shown:
        return pick(_LEAVES[plan.topic], rng)
    chance = rng.random()
    near = [s for s in siblings(plan.topic) if s in SHAPES]
    if near and chance < 0.3:
        return pick(near, rng)
    return _choose_from_theme(plan.theme, rng) if chance < 0.65 else pick(DRAWN, rng)


def _choose_company(main: str, theme: str, rng: np.random.Generator) -> tuple[str, ...]:
    """Return the main label and up to two others."""
    labels = [main]
    for _ in range(int(rng.choice(3, p=(0.55, 0.3, 0.15)))):
        other = _choose_from_theme(theme, rng) if rng.random() < 0.35 else pick(DRAWN, rng)
        if other not in labels:
            labels.append(other)
    return tuple(labels)


def _choose_from_theme(theme: str, rng: np.random.Generator) -> str:
    return pick(_LEAVES[pick(THEMES[theme], rng)] or DRAWN, rng)


def _name_file(
    plan: Plan, host: Host, shown: tuple[str, ...], number: int, writers: Writers
) -> Phrase:
    if host.naming == "hash":
        return Phrase(f"{digest(f'{host.name}/{number}')[:16]}.jpg")
    if host.naming == "camera" or writers.rng.random() < 0.1:
        ending = "JPG" if writers.rng.random() < 0.3 else "jpg"
        return Phrase(f"IMG_{1000 + number}.{ending}")
    label = writers.name("filename", plan, shown)
    words = slug(writers.write(("{}", "my {}", "{} large"), label).text, host.separator)
    return Phrase(f"{words}{host.separator}{number}.jpg", (label,))


def slug(text: str, separator: str) -> str:
    """Return a text as it stands in a file name.

    Examples
    --------
    >>> slug("Café talk: T.V./screen", "-")
    'cafe-talk-t-v-screen'
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", separator, plain).strip(separator)
