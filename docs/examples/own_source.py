"""A labeling source of your own beside the texts of pages.

Run it with `python docs/examples/own_source.py`.

A source is any function that gives a text about an image: the folder in its URL as here, a tag from
another program, the answer of a classifier. The audits decide how far it is believed, label by
label; there is nothing to tune.
"""

from __future__ import annotations

import re

import pandas as pd
from zoo import judge, make_taxonomy, make_texts

from curation import Kept, draw_audits, score, select
from labeling import signals_from_texts
from pipelines import candidates_from_signals


def folder_of(url: str) -> str:
    """Return the last folder of a URL; an empty text if the source has no opinion."""
    match = re.search(r"/([^/]+)/[^/]+$", url)
    return match[1] if match else ""


texts, taxonomy = make_texts(), make_taxonomy()
texts["folder"] = texts["image"].map(folder_of)
signals = {
    source: signals_from_texts(texts, text=source, page="page", source=source)
    for source in ("alt", "title", "folder")
}
texts["image_id"] = signals["alt"]["image_id"]


def select_from(*sources: str) -> Kept[pd.DataFrame]:
    """Keep as many candidates as can be proved to be right in eight of ten cases."""
    candidates = candidates_from_signals(pd.concat([signals[s] for s in sources]), taxonomy)
    audits = judge(draw_audits(candidates, 600, taxonomy=taxonomy, keep=0.2), texts)
    scores = score(candidates, audits, taxonomy)
    return select(scores, audits, precision=0.8, candidates=candidates, taxonomy=taxonomy)


print("texts of pages:  ", select_from("alt", "title"))
print("with the folder: ", select_from("alt", "title", "folder"))
