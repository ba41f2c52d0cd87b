"""The report's figures, drawn from its facts.

SVG figures are parts of a page: their texts are text, and their colours are the page's variables
(``--ink``, ``--accent``, …), so that they follow its light or dark theme. Equal facts give equal
bytes.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from curation.report.facts import MAP_NAMES, Facts
from curation.runs.durable import write_bytes

INK, MUTED, LINE, PAPER = "#1c2126", "#5b6670", "#dcdfe2", "#ffffff"
ACCENT, OTHER = "#0f766e", "#a3adb7"
_VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    LINE: "--line",
    PAPER: "--paper",
    ACCENT: "--accent",
    OTHER: "--other",
}

_MAX_POINTS, _MAX_SOURCES, _MAX_NAME = 250, 30, 28
_STYLE = {
    "font.size": 11,
    "svg.fonttype": "none",
    "text.parse_math": False,  # names of sources may hold dollar signs
    "svg.hashsalt": "winnow",
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "axes.titlepad": 10,
    "xtick.major.pad": 7,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
}


def draw_precision_curve(axes: Axes, facts: Facts) -> None:
    """Draw the precision over the share of candidates kept, with its interval."""
    rows = _known_rows(facts)
    share, precision, low, high = (
        [row[name] for row in rows] for name in ("share", "precision", "low", "high")
    )
    axes.fill_between(share, low, high, color=ACCENT, alpha=0.16, linewidth=0)
    axes.plot(share, precision, color=ACCENT, linewidth=2)
    chosen = [facts.get(name) for name in ("precision", "precision_low", "precision_high")]
    axes.set_xlim(0, max(1.0, *share))
    axes.set_ylim(max(0.0, min(v for v in (*low, *chosen) if v is not None) - 0.05), 1.01)
    if facts.get("kept_share") is not None and chosen[0] is not None:
        _mark_chosen(axes, facts["kept_share"], chosen[0], [v for v in chosen if v is not None])
    axes.grid(axis="y")
    axes.set_xlabel("share of the candidate labels kept")
    axes.set_ylabel("precision")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))


def _mark_chosen(axes: Axes, share: float, precision: float, interval: Sequence[float]) -> None:
    axes.plot([share, share], [0, precision], color=MUTED, linewidth=0.8, linestyle=(0, (3, 3)))
    axes.plot([share, share], [min(interval), max(interval)], color=ACCENT, linewidth=1.5)
    axes.plot([share], [precision], "o", markersize=8, color=ACCENT, markeredgecolor=PAPER)
    text = f"kept {100 * share:.1f} %, precision {100 * precision:.1f} %"
    side, offset = ("left", (9, 12)) if share < 0.5 else ("right", (-9, 12))
    axes.annotate(
        text, (share, precision), offset, textcoords="offset points", ha=side, weight="bold"
    )


def draw_long_tail(axes: Axes, facts: Facts) -> None:
    """Draw the images of each label over its rank, before and after the selection."""
    lines = (("n_candidates", "candidates", OTHER), ("n_kept", "kept", ACCENT))
    for name, title, colour in lines:
        counts = sorted((row[name] for row in facts["labels"] if row[name]), reverse=True)
        if not counts:
            continue
        ranks = _log_spaced(len(counts))
        axes.plot(ranks, [counts[rank - 1] for rank in ranks], color=colour, linewidth=2)
        axes.annotate(title, (ranks[0], counts[0]), (4, 6), textcoords="offset points", color=INK)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("rank of the label")
    axes.set_ylabel("images")
    axes.grid(axis="y")
    axes.minorticks_off()
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def _log_spaced(n: int) -> list[int]:
    """Return ranks from 1 to `n`, at most `_MAX_POINTS`, evenly spread over a logarithmic scale."""
    ratio = n ** (1 / (_MAX_POINTS - 1))
    return sorted({min(n, round(ratio**i)) for i in range(_MAX_POINTS)})


def draw_map_bars(axes: Axes, facts: Facts) -> None:
    """Draw the mean average precision of models of several label sets."""
    bars = [(name, facts[key]) for key, name in MAP_NAMES.items() if facts.get(key) is not None]
    names, values = zip(*bars, strict=True)
    best = MAP_NAMES["map_selected"]
    colours = [ACCENT if name == best else OTHER for name in names]
    rows = range(len(bars))
    axes.barh(rows, values, color=colours, height=0.56)
    for row, (name, value) in enumerate(bars):
        weight = "bold" if name == best else "normal"
        axes.annotate(
            f"{100 * value:.1f} %", (value, row), (5, 0), textcoords="offset points",
            va="center", weight=weight,
        )  # fmt: skip
    axes.set_yticks(rows, names)
    axes.invert_yaxis()
    axes.set_xlim(0, max(*values, 0.01) * 1.18)
    axes.set_xticks([])
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.tick_params(axis="y", labelcolor=INK)
    axes.set_xlabel("mean average precision on held-out images")


def _known_rows(facts: Facts) -> Sequence[Mapping[str, float]]:
    """Return rows of the curve that hold numbers, by share, at most `_MAX_POINTS`."""
    names = ("share", "precision", "low", "high")
    tuning = facts.get("tuning") or {}
    columns = [tuning.get(name, ()) for name in names]
    of_tuning = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    table = of_tuning or facts.get("threshold_table") or ()
    rows = [row for row in table if all(row.get(name) is not None for name in names)]
    rows.sort(key=lambda row: row["share"])
    step = max(1, -(-len(rows) // _MAX_POINTS))
    return rows[::-step][::-1]


def draw_sources(axes: Axes, facts: Facts) -> None:
    """Draw the precision of the votes of each source, with its interval."""
    rows = _measured_sources(facts)
    axes.set_yticks(range(len(rows)), [_cut(row["source"]) for row in rows])
    for i, row in enumerate(rows):
        axes.plot([row["low"], row["high"]], [i, i], color=ACCENT, linewidth=2)
        axes.plot([row["precision"]], [i], "o", color=ACCENT, markersize=6)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.01)
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", labelcolor=INK)
    axes.set_xlabel("precision of the votes")
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))


def _cut(name: str) -> str:
    """Return a name that leaves room for the figure."""
    return name if len(name) <= _MAX_NAME else f"{name[: _MAX_NAME - 1]}…"


def _measured_sources(facts: Facts) -> list[Mapping[str, Any]]:
    """Return the sources whose votes were audited, the most precise first, at most 30."""
    rows = [row for row in facts.get("sources") or () if row.get("low") is not None]
    return sorted(rows, key=lambda row: (-row["precision"], row["source"]))[:_MAX_SOURCES]


def draw_ablation(axes: Axes, facts: Facts) -> None:
    """Draw the share that can be proved without each source, against that with all."""
    rows, proved = _ablated_sources(facts), facts["ablation"]["proved"]
    for i, row in enumerate(rows):
        axes.plot([row["proved"], proved], [i, i], color=OTHER, linewidth=2)
        axes.plot([row["proved"]], [i], "o", color=ACCENT, markersize=6)
    axes.axvline(proved, color=MUTED, linewidth=0.8, linestyle=(0, (3, 3)))
    axes.set_xlim(0, 1.06 * max(proved, *(row["proved"] for row in rows), 0.05))
    axes.locator_params(axis="x", nbins=4)  # as many as fit, however long the names are
    axes.set_title(f"with all sources {100 * proved:.1f} %", fontsize=11, loc="left")
    axes.set_yticks(range(len(rows)), [f"without {_cut(row['source'])}" for row in rows])
    axes.invert_yaxis()
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", labelcolor=INK)
    axes.set_xlabel("share of the candidate labels that can be proved")
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))


def _ablated_sources(facts: Facts) -> list[Mapping[str, Any]]:
    """Return the sources that were left out, those that are missed most first."""
    rows = (facts.get("ablation") or {}).get("sources", ())
    return sorted(rows, key=lambda row: (row["proved"], row["precision"] or 0, row["source"]))


class _Figure(NamedTuple):
    """A figure: how it is drawn, its height in inches, its title, and how many values it has."""

    draw: Callable[[Axes, Facts], None]
    height: Callable[[Facts], float]
    title: str
    count: Callable[[Facts], int]


FIGURES = {
    "precision": _Figure(
        draw_precision_curve,
        lambda _: 3.3,
        "Precision over the share kept",
        lambda facts: len(_known_rows(facts)),
    ),
    "long-tail": _Figure(
        draw_long_tail,
        lambda _: 3.3,
        "Images of each label, by rank",
        lambda facts: len(facts.get("labels") or ()),
    ),
    "models": _Figure(
        draw_map_bars,
        lambda _: 1.8,
        "Mean average precision by label set",
        lambda facts: sum(facts.get(name) is not None for name in MAP_NAMES),
    ),
    "sources": _Figure(
        draw_sources,
        lambda facts: 0.9 + 0.27 * len(_measured_sources(facts)),
        "Precision of the votes of each source",
        lambda facts: len(_measured_sources(facts)),
    ),
    "ablation": _Figure(
        draw_ablation,
        lambda facts: 1.1 + 0.27 * len(_ablated_sources(facts)),
        "Share that can be proved without each source",
        lambda facts: len(_ablated_sources(facts)),
    ),
}
"""Figures of a report by the names of their files."""


def figure_svg(name: str, facts: Facts) -> Markup | None:
    """Return one of `FIGURES` as SVG for a page; None with fewer than two values.

    Parameters
    ----------
    facts
        As for `curation.report.report.write_report`.
    """
    if FIGURES[name].count(facts) < 2:
        return None
    with style():
        return Markup(page_svg(_drawn(name, facts), FIGURES[name].title))


def write_figures(facts: Facts, out_dir: Path) -> list[Path]:
    """Write the figures that have two values or more as PNG and SVG, and return their paths.

    Parameters
    ----------
    facts
        As for `curation.report.report.write_report`.
    out_dir
        An existing folder.
    """
    paths = []
    for name in FIGURES:
        if FIGURES[name].count(facts) < 2:
            continue
        with style():
            figure = _drawn(name, facts)
            for suffix, metadata in (("png", {"Software": None}), ("svg", {"Date": None})):
                content = io.BytesIO()
                figure.savefig(content, format=suffix, dpi=300, metadata=metadata)
                paths.append(out_dir / f"{name}.{suffix}")
                write_bytes(paths[-1], content.getvalue())
    return paths


def _drawn(name: str, facts: Facts) -> Figure:
    drawn = FIGURES[name]
    figure = Figure(figsize=(5.4, drawn.height(facts)), facecolor=PAPER, layout="constrained")
    drawn.draw(figure.subplots(), facts)
    return figure


@contextmanager
def style() -> Iterator[None]:
    """Draw with winnow's settings on matplotlib's defaults, not with the user's settings."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


def page_svg(figure: Figure, title: str) -> str:
    """Return a figure as SVG for a page: without background, its colours are the page's variables.

    Parameters
    ----------
    figure
        Drawn within `style`.
    title
        Label for screen readers.
    """
    for patch in (figure.patch, *(axes.patch for axes in figure.axes)):
        patch.set_visible(False)
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :]
    for part in (r"<metadata>.*?</metadata>", r"<style.*?</style>"):
        svg = re.sub(part, "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r' width="[^"]*pt" height="[^"]*pt"', "", svg, count=1)
    svg = re.sub(r"'DejaVu Sans'[^;\"]*", "system-ui, sans-serif", svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var({variable}, {colour})")
    return svg.replace("<svg", f'<svg role="img" aria-label="{html.escape(title)}"', 1)
