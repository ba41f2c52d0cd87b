"""Quality of the labels found in titles of the fashion recipe, beside a naive search for names.

    python docs/recipes/fashion.py fashion_dev.tar.gz fashion
    python tests/benchmarks/titles.py fashion

Naive: every name as an exact word, in lower case. Ours: the mentions that do not modify
another, then candidates by the probability that audits taught (answered by the staff's attributes),
as many as reach the recall of the naive search. Counted by (photo, label) against the attributes
and the categories above them. The last line is JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa

from curation.pairs.pair_keys import find_pairs
from curation.runs.stage import open_stage
from labeling.keys import ids
from labeling.matching.matcher import compile_matcher
from labeling.matching.name_statistics import count_names, fit_statistics
from labeling.matching.surface_forms import MODIFIER, NameStatistics
from labeling.matching.texts import match_texts
from labeling.schemas import CANDIDATES, SELECTED
from labeling.taxonomy.published import read_taxonomy
from labeling.taxonomy.taxonomy import Taxonomy
from pipelines.delivery.truth import read_truth
from pipelines.inputs.tables import SignalsInput
from pipelines.jobs.label import label
from pipelines.run.config import AuditSettings, Config, TaxonomyInput
from pipelines.selecting.select import select

Pairs = set[tuple[str, str]]


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare labels from titles with naive ones.")
    parser.add_argument("folder", type=Path, help="what docs/recipes/fashion.py wrote")
    parser.add_argument("--audits", type=int, nargs="*", default=[500, 2000])
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    taxonomy = read_taxonomy(folder / "taxonomy.jsonl")
    truth_table = read_truth(folder / "truth.csv", taxonomy)
    truth = {(r["image_id"], r["label_id"]) for r in truth_table.to_pylist()}
    titles = read_titles(folder)
    result: dict[str, float] = {}
    naive = search(titles, taxonomy)
    print_quality(result, "naive", naive, truth)
    matcher = compile_matcher(taxonomy)
    statistics = fit_statistics(
        count_names(pa.array([t for _, t in titles]), matcher), matcher, taxonomy
    )
    for name, used, least in (
        ("every mention", NameStatistics(), 0.0),
        ("no modifiers", NameStatistics(), MODIFIER + 0.01),
        (
            "and no fixed phrases",
            NameStatistics(statistics.stop, statistics.phrases),
            MODIFIER + 0.01,
        ),
    ):
        print_quality(result, name, match(titles, taxonomy, used, least), truth)
    for n in arguments.audits:
        ranked = rank(folder, n)
        right = np.cumsum([pair in truth for pair in ranked])
        needed = int(np.searchsorted(right, len(naive & truth))) + 1
        print_quality(result, f"{n} audits", set(ranked[:needed]), truth)
    print(json.dumps({key: round(value, 4) for key, value in result.items()}))


def print_quality(result: dict[str, float], name: str, pairs: Pairs, truth: Pairs) -> None:
    right = len(pairs & truth)
    result[f"precision {name}"] = right / len(pairs)
    result[f"recall {name}"] = right / len(truth)
    print(
        f"{name:22} {len(pairs):6,} labels  precision {right / len(pairs):.4f}"
        f"  recall {right / len(truth):.4f}"
    )


def read_titles(folder: Path) -> list[tuple[str, str]]:
    with (folder / "products.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [(ids.digest((folder / r["image"]).read_bytes()), r["title"]) for r in rows]


def search(titles: list[tuple[str, str]], taxonomy: Taxonomy) -> Pairs:
    """Find every name as an exact word."""
    labels_of = defaultdict(list)
    for code, names in enumerate(taxonomy.names):
        for name, _ in names:
            labels_of[name.lower()].append(taxonomy.label_ids[code])
    word = {name: re.compile(rf"(?<!\w){re.escape(name)}(?!\w)") for name in labels_of}
    return {
        (image, label_id)
        for image, title in titles
        for name, labels in labels_of.items()
        if name in title.lower() and word[name].search(title.lower())
        for label_id in labels
    }


def match(
    titles: list[tuple[str, str]], taxonomy: Taxonomy, statistics: NameStatistics, least: float
) -> Pairs:
    """Find names by the matcher: mentions of a strength above `least` or of a shared name."""
    matches = match_texts(compile_matcher(taxonomy, statistics), pa.array([t for _, t in titles]))
    kept = matches.strength * np.where(matches.strength < 1, matches.ambiguity, 1) >= least
    return {
        (titles[row][0], taxonomy.label_ids[code])
        for row, code in zip(matches.row[kept].tolist(), matches.label[kept].tolist(), strict=True)
    }


def rank(folder: Path, n_audits: int) -> list[tuple[str, str]]:
    """Label the photos by their titles alone, audit, and rank the candidates by probability."""
    titles = SignalsInput(
        path="products.csv", source="alt", columns={"image": "image", "text": "title"}
    )
    config = Config(
        base=str(folder),
        taxonomy=TaxonomyInput(path="taxonomy.jsonl"),
        signals=(titles,),
        audit=AuditSettings(n=n_audits, truth="truth.csv"),
    )
    with tempfile.TemporaryDirectory() as scratch:
        run_dir = Path(scratch) / "run"
        label(config, run_dir)
        select(config, run_dir)
        scored = open_stage(run_dir, "selected").table(SELECTED)
        candidates = open_stage(run_dir, "candidates").table(CANDIDATES)
    assert (find_pairs(candidates, scored) >= 0).all()
    order = np.argsort(-scored["p_correct"].to_numpy(), kind="stable")
    images, labels = (scored[name].to_pylist() for name in ("image_id", "label_id"))
    return [(images[row], labels[row]) for row in order.tolist()]


if __name__ == "__main__":
    main()
