"""The labels of the miniature web, and the phrases that its pages are made of.

Only labels in `pipelines.demo.shapes.SHAPES` are ever shown in a picture. Some names are shared
("bat", "orange", "star"), and some contain another label's name ("orange juice", "sun hat").
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")

TAXONOMY = Path(__file__).with_name("taxonomy.jsonl")
"""Every label, each after its parents."""

_LABELS: list[dict[str, Any]] = list(map(json.loads, TAXONOMY.read_text("utf-8").splitlines()))
NAMES: Mapping[str, tuple[str, ...]] = {
    label["id"]: tuple(name["name"] for name in label["names"]) for label in _LABELS
}
"""The names of each label, the one that is shown first."""

PARENTS: Mapping[str, tuple[str, ...]] = {label["id"]: tuple(label["parents"]) for label in _LABELS}

_PHRASES = json.loads(Path(__file__).with_name("phrases.json").read_text("utf-8"))
THEMES: Mapping[str, Sequence[str]] = _PHRASES.pop("themes")
"""The topics of a host's pages by the theme of the host, repeated if frequent."""

PHRASES: Mapping[str, Sequence[str]] = _PHRASES
"""Templates with ``{}`` in the place of a name, or texts without a name, by their use."""


def above(label_id: str) -> tuple[str, ...]:
    """Return a label and all labels above it, nearest first.

    Examples
    --------
    >>> above("cat")
    ('cat', 'mammal', 'pet', 'animal')
    """
    labels = [label_id]
    for label in labels:  # the loop reaches the parents that it appends
        labels += [parent for parent in PARENTS[label] if parent not in labels]
    return tuple(labels)


def siblings(label_id: str) -> tuple[str, ...]:
    """Return the other labels with a parent in common, in the order of the taxonomy.

    Examples
    --------
    >>> siblings("car")
    ('bus', 'truck')
    """
    parents = set(PARENTS[label_id])
    return tuple(other for other in PARENTS if parents & set(PARENTS[other]) and other != label_id)


def fill(template: str, name: str) -> str:
    """Return a template with a name in it, and with the article that the name needs.

    Examples
    --------
    >>> fill("Photo of a {}", "orange")
    'Photo of an orange'
    >>> fill("{}, taken in the morning.", "sun hat")
    'Sun hat, taken in the morning.'
    """
    before, after = template.split("{}")
    if f" {before}".lower().endswith(" a ") and name[0].lower() in "aeiou":
        before = f"{before[:-1]}n "
    text = f"{before}{name}{after}"
    return text if before else f"{text[:1].upper()}{text[1:]}"


def plural(name: str) -> str:
    """Return the plural of a name where adding an s makes it, else the name.

    Examples
    --------
    >>> [plural(name) for name in ("lemon", "bus", "goldfish")]
    ['lemons', 'bus', 'goldfish']
    """
    return f"{name}s" if name[-1] in "adegklmnrt" else name


def pick(choices: Sequence[T], rng: np.random.Generator) -> T:
    """Return one of the choices, all equally likely."""
    return choices[int(rng.integers(len(choices)))]


def pick_name(label_id: str, rng: np.random.Generator) -> str:
    """Return a name of a label, mostly the first."""
    names = NAMES[label_id]
    return names[0] if rng.random() < 0.7 else pick(names, rng)
