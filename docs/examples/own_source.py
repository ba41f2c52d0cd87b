"""A labeling source of your own beside the texts of pages.

    python docs/examples/own_source.py

A source is any function that gives a text about an image: the folder in its URL as here, a tag from
another program, the answer of a classifier. The audits decide how far it is believed, label by
label; nothing has to be tuned.
"""

from __future__ import annotations

import re

import pandas as pd
from zoo import judge, make_taxonomy, make_texts

from curation import Kept, draw_audits, score, select
from labeling import signals_from_texts
from pipelines import candidates_from_signals

texts, taxonomy = make_texts(), make_taxonomy()


def folder_of(url: str) -> str:
    """Return the last folder of a URL; an empty text where the source does not know."""
    match = re.search(r"/([^/]+)/[^/]+$", url)
    return match[1] if match else ""


def selection(signals: pd.DataFrame) -> Kept[pd.DataFrame]:
    """Keep as many candidates as can be proved to be right in eight of ten cases."""
    candidates = candidates_from_signals(signals, taxonomy)
    pairs = draw_audits(candidates, 600, taxonomy=taxonomy, keep=0.2)
    audits = judge(pairs, texts, alt["image_id"])
    scores = score(candidates, audits, taxonomy)
    return select(scores, audits, precision=0.8, candidates=candidates, taxonomy=taxonomy)


alt = signals_from_texts(texts, text="alt", page="page", source="alt")
title = signals_from_texts(texts, text="title", page="page", source="title")
of_pages = pd.concat([alt, title])

with_folder = texts.assign(folder=texts["image"].map(folder_of))
folder = signals_from_texts(with_folder, text="folder", page="page", source="folder")

print("texts of pages:  ", selection(of_pages))
print("with the folder: ", selection(pd.concat([of_pages, folder])))
