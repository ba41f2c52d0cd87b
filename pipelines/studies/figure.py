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
"""Colours that colour-blind people distinguish (Okabe & Ito 2008); markers need no colour."""

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
    for row, measure in zip(grid, measures, strict=True):
        of_row = [line for line in facts["lines"] if (line["task"], line["measure"]) == measure]
        row[0].set_ylabel(name_of_measure(*measure))
        drawn = [
            (axes, [line for line in of_row if label_set in (None, line["label_set"])])
            for axes, label_set in zip(row, panels, strict=True)
        ]
        for axes, lines in drawn:
            _draw_panel(axes, lines, facts["sizes"])
            first = lines[0]
            title = name_of_set(first["label_set"]) if by_depth else f"ResNet-{first['depth']}"
            axes.set_title(title, loc="left", fontsize=12)
        for axes, lines in drawn:  # after all panels have set the scale that they share
            _name_lines(axes, lines, by_depth)
    return figure


def _draw_panel(axes: Axes, lines: Sequence[Facts], sizes: Sequence[int]) -> None:
    """Draw lines of means with their bands over seeds, and each seed as a dot."""
    for line, colour, marker in zip(lines, COLOURS, MARKERS, strict=False):
        points = line["points"]
        middle, low, high = ([at[key] for at in points] for key in ("estimate", "low", "high"))
        if low[0] is not None:
            axes.fill_between(sizes, low, high, color=colour, alpha=0.15, linewidth=0)
        for at in points:
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
    for number in sorted(range(len(lines)), key=lambda number: ends[number]["estimate"]):
        line, end = lines[number], ends[number]
        lowest = max(end["estimate"], lowest + gap)
        name = f"ResNet-{line['depth']}" if by_depth else name_of_set(line["label_set"])
        axes.annotate(
            name, (end["n_images"], lowest), (9, 0), textcoords="offset points", va="center",
            color=COLOURS[number], weight="bold", fontsize=10, annotation_clip=False,
        )  # fmt: skip
