"""Made-up texts about 1,500 images of animals, with the truth that a person would see."""

from __future__ import annotations

import numpy as np
import pandas as pd

from labeling import Label, Taxonomy, build_taxonomy

KINDS = {"cat": "mammal", "dog": "mammal", "horse": "mammal", "robin": "bird", "eagle": "bird"}


def make_taxonomy() -> Taxonomy:
    """Return five animals and the two groups that they belong to."""
    groups = [Label(name, ((name, "en"),)) for name in ("mammal", "bird")]
    animals = [Label(name, ((name, "en"),), (kind,)) for name, kind in KINDS.items()]
    return build_taxonomy(groups + animals)


def make_texts(n_images: int = 1500, seed: int = 0) -> pd.DataFrame:
    """Return a row for each image: its URL, its page, an alt text, a title, and what it shows.

    Alt texts are right in seven of ten cases, titles in half of them.
    """
    rng = np.random.default_rng(seed)
    names = np.array(list(KINDS))
    shown = rng.choice(names, n_images)
    alt = np.where(rng.random(n_images) < 0.7, shown, rng.choice(names, n_images))
    title = np.where(rng.random(n_images) < 0.5, shown, rng.choice(names, n_images))
    folder = np.where(rng.random(n_images) < 0.9, shown, rng.choice(names, n_images))
    return pd.DataFrame(
        {
            "image": [f"https://img.example/{name}s/{i}.jpg" for i, name in enumerate(folder)],
            "page": [f"https://site{i}.example/" for i in range(n_images)],
            "alt": [f"photo {i} of a {name}" for i, name in enumerate(alt)],
            "title": [f"{name} number {i}" for i, name in enumerate(title)],
            "shown": shown,
        }
    )


def judge(pairs: pd.DataFrame, texts: pd.DataFrame, image_ids: pd.Series) -> pd.DataFrame:
    """Return drawn pairs as audits, judged by the truth: a person would look at each image."""
    shown = pd.Series(texts["shown"].to_numpy(), index=image_ids.to_numpy())
    animal = pairs["image_id"].map(shown[~shown.index.duplicated()])
    right = (pairs["label_id"] == animal) | (pairs["label_id"] == animal.map(KINDS))
    return pairs.assign(verdict=np.where(right, "yes", "no"), auditor="me")
