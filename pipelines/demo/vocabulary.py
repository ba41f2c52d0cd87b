"""The labels of the miniature web, with their names, and the phrases that its pages are made of.

Only labels in `pipelines.demo.painting.SHAPES` are ever shown in a picture. Some names are shared
("bat", "orange", "star"), and some hold another label's name ("orange juice", "sun hat").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Entry:
    """One label of the taxonomy: names (the first is shown), labels above it, and a gloss."""

    label_id: str
    names: tuple[str, ...]
    parents: tuple[str, ...] = ()
    gloss: str = ""


ENTRIES = (
    Entry("food", ("food", "groceries"), (), "something that people eat or drink"),
    Entry("fruit", ("fruit", "fresh fruit"), ("food",), "the sweet part of a plant"),
    Entry("apple", ("apple", "eating apple"), ("fruit",), "a round red or green fruit"),
    Entry("banana", ("banana", "plantain"), ("fruit",), "a long curved yellow fruit"),
    Entry("orange", ("orange", "navel orange"), ("fruit",), "a round orange citrus fruit"),
    Entry("lemon", ("lemon",), ("fruit",), "an oval yellow citrus fruit with two tips"),
    Entry("drink", ("drink", "beverage"), ("food",), "something to drink"),
    Entry("orange_juice", ("orange juice", "O.J."), ("drink",), "a glass of pressed oranges"),
    Entry("vehicle", ("vehicle",), (), "something that carries people or goods"),
    Entry("road_vehicle", ("road vehicle", "motor vehicle"), ("vehicle",), "one with wheels"),
    Entry("car", ("car", "automobile"), ("road_vehicle",), "a small road vehicle for a few people"),
    Entry("bus", ("bus", "omnibus"), ("road_vehicle",), "a long road vehicle with many windows"),
    Entry("truck", ("truck", "lorry"), ("road_vehicle",), "a road vehicle for goods"),
    Entry("boat", ("boat",), ("vehicle",), "a vehicle on water"),
    Entry("sailboat", ("sailboat", "sailing boat"), ("boat",), "a boat with a mast and sails"),
    Entry("aircraft", ("aircraft",), ("vehicle",), "a vehicle in the air"),
    Entry("airplane", ("airplane", "aeroplane", "plane"), ("aircraft",), "an aircraft with wings"),
    Entry("animal", ("animal",), (), "a living thing that moves"),
    Entry("pet", ("pet", "house pet"), ("animal",), "an animal that lives with people"),
    Entry("fish", ("fish", "goldfish"), ("pet",), "an animal with fins that lives in water"),
    Entry("mammal", ("mammal",), ("animal",), "an animal with fur"),
    Entry("cat", ("cat", "kitten"), ("mammal", "pet"), "a small animal with pointed ears"),
    Entry("bat_animal", ("bat", "fruit bat"), ("mammal",), "a dark animal with wings of skin"),
    Entry("flyer", ("flying creature",), ("animal",), "a small animal that flies"),
    Entry("bird", ("bird", "songbird"), ("flyer",), "an animal with feathers and a beak"),
    Entry("butterfly", ("butterfly",), ("flyer",), "an insect with four large wings"),
    Entry("nature", ("nature",), (), "what grows, and what is seen above"),
    Entry("plant", ("plant",), ("nature",), "something that grows from the ground"),
    Entry("tree", ("tree",), ("plant",), "a tall plant with a trunk"),
    Entry("flower", ("flower", "blossom"), ("plant",), "the coloured part of a plant"),
    Entry("sky_thing", ("sky", "night sky"), ("nature",), "something that is seen above"),
    Entry("sun", ("sun",), ("sky_thing",), "a yellow disc with rays"),
    Entry("moon", ("moon", "crescent moon"), ("sky_thing",), "a pale sickle"),
    Entry("star", ("star",), ("sky_thing",), "a shape with five points"),
    Entry("cloud", ("cloud",), ("sky_thing",), "a white or grey heap of vapour"),
    Entry("household", ("household item",), (), "a thing used at home"),
    Entry("tableware", ("tableware",), ("household",), "a thing to eat or drink from"),
    Entry("mug", ("mug", "coffee mug", "cup"), ("tableware",), "a cup with a handle"),
    Entry("appliance", ("appliance",), ("household",), "a thing at home that needs power"),
    Entry("screen", ("T.V./screen", "television"), ("appliance",), "a flat screen on a foot"),
    Entry("accessory", ("accessory",), ("household",), "a thing to carry or to put on"),
    Entry("umbrella", ("umbrella", "parasol"), ("accessory",), "a canopy on a stick"),
    Entry("sun_hat", ("sun hat", "straw hat"), ("accessory",), "a hat with a wide brim"),
    Entry("sports_gear", ("sports gear",), ("household",), "a thing to play with"),
    Entry(
        "ball", ("ball", "football", "basketball"), ("sports_gear",), "a round thing to play with"
    ),
    Entry("bat_sport", ("bat", "baseball bat"), ("sports_gear",), "a wooden stick to hit with"),
    Entry("building", ("building",), (), "something with walls and a roof"),
    Entry("house", ("house", "cottage"), ("building",), "a building to live in"),
    Entry("company", ("company",), (), "a firm; no picture shows one"),
    Entry("apple_company", ("apple", "Apple Inc."), ("company",), "the maker of computers"),
    Entry("orange_company", ("orange", "Orange Mobile"), ("company",), "the telephone company"),
    Entry("person", ("person",), (), "somebody; no picture shows one"),
    Entry("celebrity", ("star", "movie star", "celebrity"), ("person",), "a well-known person"),
)
"""Every label, each after its parents."""

THEMES: Mapping[str, tuple[str, ...]] = {
    "orchard": ("apple", "banana", "orange", "lemon", "fruit", "orange_juice", "tree"),
    "motor": ("car", "bus", "truck", "road_vehicle", "car"),
    "travel": ("airplane", "sailboat", "bus", "sun_hat", "umbrella", "vehicle", "sun"),
    "paws": ("cat", "fish", "bird", "pet", "bat_animal", "butterfly", "animal"),
    "garden": ("flower", "tree", "butterfly", "bird", "plant", "sun"),
    "heavens": ("sun", "moon", "star", "cloud", "sky_thing"),
    "home": ("mug", "screen", "umbrella", "house", "house", "cat"),
    "league": ("ball", "bat_sport", "sports_gear", "star", "ball"),
    "breakfast": ("orange_juice", "mug", "apple", "banana", "food"),
    "digest": ("apple_company", "orange_company", "celebrity", "screen", "star", "car"),
}
"""What the pages of a host may be about, by the theme of the host; several times if often."""

SITE_WORDS = ("corner", "almanac", "notes", "letters", "world", "shelf", "journal", "pages")

TITLES = (
    "All about the {}",
    "{}: a short guide",
    "{} – what we learned this year",
    "My notes on the {}",
    "The {} diary",
    "Café talk: {}",
    "Start here: {}",
)
HEADINGS = ("Why we like the {}", "More about the {}", "{} in detail", "The {} through the year")
ALTS = ("{}", "photo of a {}", "picture: {}", "{} close-up", "a small {}", "{} & more")
CAPTIONS = (
    "A {} from last week.",
    "{}, taken in the morning.",
    "Our favourite {} so far",
    "This {} was sent in by a reader.",
    "{} (click to enlarge)",
)
SURROUNDINGS = (
    "Many readers ask us about the {}. We answer when it is not too busy.",
    "It began with a {} on the carpet, and the start was slow.",
    "If you see a {}, tell us; each month we pick the best category.",
    "Nothing beats a {} — unless the weather is bad.",
    "We compared one {} with another & wrote it down.",
)
FILLERS = (
    "Scattered notes follow; skip them if you are in a hurry.",
    "Last updated on a quiet afternoon.",
    "Thanks to all who wrote to us about the earlier edition.",
    "The archive holds all earlier articles.",
)
DULL_ALTS = ("photo", "image", "click to enlarge", "untitled")
SLOGANS = ("Share this {} recipe", "Win a {} in our weekly draw", "Subscribe to the {} letter")
ANCHORS = ("{}", "more on the {}", "our {} page", "{} here")
DULL_ANCHORS = ("read more", "click here", "next", "this article")

NAMES: Mapping[str, tuple[str, ...]] = {entry.label_id: entry.names for entry in ENTRIES}
PARENTS: Mapping[str, tuple[str, ...]] = {entry.label_id: entry.parents for entry in ENTRIES}


def above(label_id: str) -> tuple[str, ...]:
    """Return a label and all labels above it, nearest first.

    Examples
    --------
    >>> above("cat")
    ('cat', 'mammal', 'pet', 'animal')
    """
    found = [label_id]
    for label in found:
        found += [parent for parent in PARENTS[label] if parent not in found]
    return tuple(found)


def siblings(label_id: str) -> tuple[str, ...]:
    """Return the other labels with a parent in common, in the order of `ENTRIES`.

    Examples
    --------
    >>> siblings("car")
    ('bus', 'truck')
    """
    parents = set(PARENTS[label_id])
    return tuple(e.label_id for e in ENTRIES if parents & set(e.parents) and e.label_id != label_id)


def write(template: str, name: str) -> str:
    """Return the template with the name in it, and with the article that it asks for.

    Examples
    --------
    >>> write("Photo of a {}", "orange")
    'Photo of an orange'
    >>> write("{}, taken in the morning.", "sun hat")
    'Sun hat, taken in the morning.'
    """
    before, after = template.split("{}")
    if f" {before}".lower().endswith(" a ") and name[0].lower() in "aeiou":
        before = f"{before[:-1]}n "
    text = f"{before}{name}{after}"
    return text if before else f"{text[:1].upper()}{text[1:]}"


def pick_name(label_id: str, rng: np.random.Generator) -> str:
    """Return a name of a label, mostly the first."""
    names = NAMES[label_id]
    return names[0] if rng.random() < 0.7 else names[int(rng.integers(len(names)))]


def plural(name: str) -> str:
    """Return the plural of a name where adding an s makes it, else the name.

    Examples
    --------
    >>> [plural(name) for name in ("lemon", "bus", "goldfish")]
    ['lemons', 'bus', 'goldfish']
    """
    return f"{name}s" if name[-1] in "adegklmnrt" else name
