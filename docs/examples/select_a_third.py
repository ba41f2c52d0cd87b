"""From a table of alt texts to the most reliable third of the labels.

Run it with `python docs/examples/select_a_third.py`.
"""

from __future__ import annotations

import pandas as pd
from zoo import judge, make_taxonomy, make_texts

from curation import draw_audits, score, select
from labeling import signals_from_texts
from pipelines import candidates_from_signals

# Your own data: pd.read_csv("texts.csv"), and read_taxonomy("labels.jsonl") from labeling.
texts, taxonomy = make_texts(), make_taxonomy()

# 1. Each column of texts is a labeling source; a candidate is an (image, label) that one names.
alt = signals_from_texts(texts, text="alt", page="page", source="alt")
title = signals_from_texts(texts, text="title", page="page", source="title")
candidates = candidates_from_signals(pd.concat([alt, title]), taxonomy)

# 2. A person looks at the images of a few hundred candidates: is the label right, yes or no?
texts["image_id"] = alt["image_id"]
audits = judge(draw_audits(candidates, 400, taxonomy=taxonomy), texts)

# 3. Learn from the audits how probable each candidate is, and keep the best third.
scores = score(candidates, audits, taxonomy)
kept = select(scores, audits, keep=1 / 3, candidates=candidates, taxonomy=taxonomy)

print(f"{len(texts):,} images, {len(candidates):,} candidates, {len(audits)} audits")
print(f"kept {kept.n_kept:,} with a probability of {kept.threshold:.2f} or more")
print(f"precision {kept.precision:.3f} ({kept.interval.low:.3f} to {kept.interval.high:.3f})")
selected = kept.table[kept.table["kept"]]
print(selected["label_id"].value_counts().to_string())
