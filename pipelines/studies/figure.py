"""The picture of a study: performance over the number of images, as in Sun et al. 2017, figure 4.

A row of panels for each measure and a panel for each label set, with a line for each depth; or,
with a single depth, one panel with a line for each label set.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from curation.report.figures import PAPER, page_svg, style
from pipelines.studies.summary import name_of_measure, name_of_set

Facts = Mapping[str, Any]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
"""Told apart by all eyes (Okabe & Ito 2008); markers tell them apart without colour."""

MARKERS = ("o", "s", "^", "D", "v", "P")
TITLE = "Performance over the number of images"

_GAP = 0.07
"""Distance of two labels at the ends of lines, as a share of the panel's height."""


def draw_study(facts: Facts, out_dir: Path) -> None:
    """Write ``study.png`` and ``study.svg``.

    Parameters
    ----------
    facts
        As `pipelines.studies.results.study_facts` returns them.
    """
    with style():
        _figure(facts).savefig(out_dir / "study.png", dpi=160, metadata={"Software": None})
        _figure(facts).savefig(out_dir / "study.svg", metadata={"Date": None})


def study_svg(facts: Facts) -> str:
    """Return the picture as SVG that is part of a page and follows its light or dark theme."""
    with style():
        return page_svg(_figure(facts), TITLE)


def _figure(facts: Facts) -> Figure:
    measures = list(dict.fromkeys((line["task"], line["measure"]) for line in facts["lines"]))
    by_depth = len(facts["depths"]) > 1
    panels = facts["label_sets"] if by_depth else [None]
    size = (4.1 * len(panels) + 1.6, 3.7 * len(measures))
    figure = Figure(figsize=size, facecolor=PAPER, layout="constrained")
    grid = figure.subplots(len(measures), len(panels), sharey="row", squeeze=False)
    for row, looked_at in zip(grid, measures, strict=True):
        of_row = [line for line in facts["lines"] if (line["task"], line["measure"]) == looked_at]
        row[0].set_ylabel(name_of_measure(*looked_at))
        drawn = [
            (axes, [line for line in of_row if label_set in (None, line["label_set"])])
            for axes, label_set in zip(row, panels, strict=True)
        ]
        for axes, lines in drawn:
            _draw_panel(axes, lines, facts["sizes"])
            one = lines[0]
            about = name_of_set(one["label_set"]) if by_depth else f"ResNet-{one['depth']}"
            axes.set_title(about, loc="left", fontsize=12)
        for axes, lines in drawn:  # once all have drawn what sets the scale that they share
            _name_lines(axes, lines, by_depth)
    return figure


def _draw_panel(axes: Axes, lines: Sequence[Facts], sizes: Sequence[int]) -> None:
    """Draw lines of means with their bands over seeds, and each seed as a dot."""
    for line, colour, marker in zip(lines, COLOURS, MARKERS, strict=False):
        middle, low, high = (
            [at[key] for at in line["points"]] for key in ("estimate", "low", "high")
        )
        if low[0] is not None:
            axes.fill_between(sizes, low, high, color=colour, alpha=0.15, linewidth=0)
        for at in line["points"]:
            here = [at["n_images"]] * len(at["values"])
            axes.plot(here, at["values"], ".", color=colour, alpha=0.5, markersize=4)
        axes.plot(sizes, middle, color=colour, linewidth=1.8)
        axes.plot(sizes, middle, marker, color=colour, markersize=7, markeredgecolor=PAPER)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(list(sizes)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:,.0f}"))
    axes.grid(axis="y")
    axes.set_xlabel("images (logarithmic)")


def _name_lines(axes: Axes, lines: Sequence[Facts], by_depth: bool) -> None:
    """Write the name of each line at its end, in its colour; names keep their distance."""
    low, high = axes.get_ylim()
    gap, lowest = _GAP * (high - low), -math.inf
    ends = [line["points"][-1] for line in lines]
    for place in sorted(range(len(lines)), key=lambda place: ends[place]["estimate"]):
        line, end = lines[place], ends[place]
        lowest = max(end["estimate"], lowest + gap)
        name = f"ResNet-{line['depth']}" if by_depth else name_of_set(line["label_set"])
        axes.annotate(
            name, (end["n_images"], lowest), (9, 0), textcoords="offset points", va="center",
            color=COLOURS[place], weight="bold", fontsize=10, annotation_clip=False,
        )  # fmt: skip
