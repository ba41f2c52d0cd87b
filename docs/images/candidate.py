"""Draw one candidate's way from record to shard: python docs/images/candidate.py winnow-demo."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.patches import FancyBboxPatch

from curation import Run, open_run

STEPS = [
    ("record", "a page, a row of a table, a sample", ""),
    ("signals", "one text about one image", "labeling.readers.sites"),
    (
        "evidence",
        "one source supports one pair",
        "labeling.matching.matcher, labeling.links.links, labeling.feedback.debias",
    ),
    ("candidates", "all evidence of one pair", "labeling.evidence.candidates"),
    ("scored", "p_correct, learned from audits", "curation.scoring.scoring"),
    ("selected", "kept or dropped, with the reason", "curation.selection.selection"),
    ("shards", "image and labels in one sample", "curation.shards.samples"),
]
"""A table or file, what a row of it is, and the module that makes it out of the one before."""


def values_of(run: Run) -> list[str]:
    """Return what each step holds of the kept candidate with the most sources."""
    selected = run.selected.to_pandas().query("reason == 'kept'")
    pairs = run.candidates.to_pandas().merge(selected, on=["image_id", "label_id"])
    pairs["n_sources"] = pairs["evidence"].map(len)
    pair = pairs.sort_values(["n_sources", "p_correct", "image_id"]).iloc[-1]
    signals = run.signals.to_pandas().query("image_id == @pair.image_id")
    texts = signals[signals.text.str.contains(pair.label_id) & (signals.source == "alt")]
    text = texts.loc[texts.text.str.len().idxmin()]  # the shortest fits into the box
    strongest = sorted(pair.evidence, key=lambda e: -e["strength"])[:3]
    return [
        f'{text.host}\n<img alt="{text.text}">',
        f"image {pair.image_id[:8]}…, {len(signals)} texts\n{text.source}: {text.text}",
        "\n".join(f"{e['source']}: {pair.label_id} {e['strength']:.2f}" for e in strongest),
        f"({pair.image_id[:8]}…, {pair.label_id})\n{pair.n_sources} sources for it,"
        f" {len(pair.silent)} silent",
        f"p_correct {pair.p_correct:.3f}",
        f"{pair.reason}",
        f"{pair.image_id[:8]}….jpg\n{pair.image_id[:8]}….json",
    ]


def draw(values: list[str], path: Path) -> None:
    """Write the picture: a row for each step, with its module on the arrow that leads to it."""
    figure, axes = plt.subplots(figsize=(9, 8.4))
    axes.set(xlim=(0, 9), ylim=(len(STEPS) * 1.2, 0))
    axes.axis("off")
    for number, ((name, meaning, module), value) in enumerate(zip(STEPS, values, strict=True)):
        top = number * 1.2
        box: Any = FancyBboxPatch(
            (0.1, top + 0.05), 8.7, 0.75, boxstyle="round,pad=0.04", fc="#f4f6f8", ec="#8796a5"
        )
        axes.add_patch(box)
        axes.text(0.25, top + 0.42, name, weight="bold", size=12, va="center")
        axes.text(2.0, top + 0.42, meaning, size=9.5, va="center", color="#333")
        axes.text(5.9, top + 0.42, value, size=8, va="center", family="monospace")
        if module:
            arrow = {"arrowstyle": "->", "color": "#2a6f97"}
            axes.annotate("", (1.0, top + 0.03), (1.0, top - 0.34), arrowprops=arrow)
            axes.text(1.15, top - 0.16, module, size=8, va="center", color="#2a6f97")
    figure.savefig(path, dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    draw(values_of(open_run(sys.argv[1])), Path(__file__).with_suffix(".png"))
