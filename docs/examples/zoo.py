"""The data of the other examples: made-up texts about 1,500 images of animals, and their truth."""

from __future__ import annotations

import numpy as np
import pandas as pd

from labeling import Label, Taxonomy, build_taxonomy

GROUPS = {"cat": "mammal", "dog": "mammal", "horse": "mammal", "robin": "bird", "eagle": "bird"}


def make_taxonomy() -> Taxonomy:
    """Return five animals and the two groups that they belong to."""
    groups = [Label(name, ((name, "en"),)) for name in ("mammal", "bird")]
    animals = [Label(name, ((name, "en"),), (group,)) for name, group in GROUPS.items()]
    return build_taxonomy(groups + animals)


def make_texts(n_images: int = 1500, seed: int = 0) -> pd.DataFrame:
    """Return a row for each image: its URL, its page, an alt text, a title, and what it shows.

    Seven of ten alt texts are right, half of the titles, and nine of ten folders in the URLs; the
    others name any animal.
    """
    rng = np.random.default_rng(seed)
    animals = np.array(list(GROUPS))
    shown = rng.choice(animals, n_images)
    alt, title, folder = (
        np.where(rng.random(n_images) < share, shown, rng.choice(animals, n_images))
        for share in (0.7, 0.5, 0.9)
    )
    return pd.DataFrame(
        {
            "image": [f"https://img.example/{name}s/{i}.jpg" for i, name in enumerate(folder)],
            "page": [f"https://site{i}.example/" for i in range(n_images)],
            "alt": [f"photo {i} of a {name}" for i, name in enumerate(alt)],
            "title": [f"{name} number {i}" for i, name in enumerate(title)],
            "shown": shown,
        }
    )


def judge(pairs: pd.DataFrame, texts: pd.DataFrame) -> pd.DataFrame:
    """Return drawn pairs with the verdicts of a person, here by the truth.

    Your own judge needs the image: `pairs.merge(texts, on="image_id").to_csv("sheet.csv")`.
    """
    shown = pairs["image_id"].map(texts.set_index("image_id")["shown"])
    is_right = (pairs["label_id"] == shown) | (pairs["label_id"] == shown.map(GROUPS))
    return pairs.assign(verdict=np.where(is_right, "yes", "no"), auditor="me")
