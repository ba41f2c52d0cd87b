"""The results of a study: the table of all measures, and the trend of each line."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from curation.report.facts import rounded
from curation.runs.durable import write_text
from pipelines.run.spreadsheets import neutral
from pipelines.studies.cells import Cell, Measures
from training.study.paired_differences import differences
from training.study.points import CONFIDENCE, Band, Floats, points, seed_bands
from training.study.scaling_laws import Fits, Trend, find_trend, law_bands

N_DRAWN = 41
"""Numbers of images at which a law is evaluated, between the smallest and the largest."""

Results = Mapping[Cell, Measures]
Line = tuple[str, int]
"""A label set and a depth."""

Facts = dict[str, Any]


@dataclass(frozen=True)
class Grid:
    """The values that the cells combine, in the order in which to show them."""

    label_sets: tuple[str, ...]
    depths: tuple[int, ...]
    sizes: tuple[int, ...]
    seeds: tuple[int, ...]

    def cells(self) -> Iterator[Cell]:
        """Yield every cell, one seed after the other: an interrupted study has whole seeds."""
        for seed, label_set, depth, size in itertools.product(
            self.seeds, self.label_sets, self.depths, self.sizes
        ):
            yield Cell(label_set, depth, size, seed)


def write_table(results: Results, grid: Grid, training: Mapping[str, Any], out_dir: Path) -> None:
    """Write ``study.csv`` and ``study.parquet``: a row for each cell, task and measure.

    Settings that are not set are empty, or NaN.
    """
    rows = [
        {
            **asdict(cell),
            "task": task,
            "measure": measure,
            "value": float(value),
            **training,
        }
        for cell in grid.cells()
        for task, measures in results[cell].items()
        for measure, value in measures.items()
    ]
    unset = {name: "float64" for name, value in training.items() if value is None}
    table = pd.DataFrame(rows).astype(unset)
    shown = table.map(lambda value: neutral(value) if isinstance(value, str) else value)
    write_text(out_dir / "study.csv", shown.to_csv(index=False, lineterminator="\n"))
    table.to_parquet(out_dir / "study.parquet", index=False)


def study_facts(results: Results, grid: Grid, main: Mapping[str, Sequence[str]]) -> Facts:
    """Return the trends and comparisons of a study, as in ``study.json``.

    Parameters
    ----------
    results, grid
        The measures of all cells.
    main
        The measures whose trend is computed, by task.
    """
    measured = [(task, measure) for task, measures in main.items() for measure in measures]
    lines = list(itertools.product(grid.label_sets, grid.depths))
    facts: Facts = {
        "label_sets": grid.label_sets,
        "depths": grid.depths,
        "sizes": grid.sizes,
        "seeds": grid.seeds,
        "confidence": CONFIDENCE,
        "lines": [
            {"task": task, "measure": measure, **_named(line)}
            | _line_facts(grid, _values(results, grid, line, task, measure))
            for task, measure in measured
            for line in lines
        ],
        "comparisons": [
            _comparison(results, grid, first, second, task, measure)
            for task, measure in measured
            for first, second in itertools.combinations(lines, 2)
            if first[0] == second[0] or first[1] == second[1]
        ],
    }
    facts = rounded(facts)
    return facts


def _values(results: Results, grid: Grid, line: Line, task: str, measure: str) -> Floats:
    """Return one measure of one line, ``float64[n_sizes, n_seeds]``."""
    label_set, depth = line
    return np.array(
        [
            [results[Cell(label_set, depth, size, seed)][task][measure] for seed in grid.seeds]
            for size in grid.sizes
        ]
    )


def _line_facts(grid: Grid, values: Floats) -> Facts:
    """Return the facts of one line: the mean at each size, the slope, the laws."""
    by_size = points(dict(zip(grid.sizes, values.tolist(), strict=True)))
    trend = find_trend(by_size)
    smallest, largest = grid.sizes[0], grid.sizes[-1]
    between = np.geomspace(smallest, largest, N_DRAWN).clip(smallest, largest)
    means = zip(grid.sizes, values.tolist(), seed_bands(by_size), strict=True)
    return {
        "points": [
            {"n_images": n, "values": of_seeds, **asdict(band)} for n, of_seeds, band in means
        ],
        "doubling": asdict(trend.doubling),
        "laws": {law: _law(law, trend, fit) for law, fit in trend.fits.items()},
        "preferred": trend.preferred,
        "bands": {law: _at_sizes(between, law_bands(law, by_size, between)) for law in trend.fits},
    }


def _law(law: str, trend: Trend, fit: Fits) -> Facts:
    """Return the parameters of a law by the names in its formula, and its fit to the data."""
    intercept, slope, exponent = (x[0] for x in (fit.intercept, fit.slope, fit.exponent))
    named = {"a": intercept, "b": slope}
    if law == "power":
        named = {"c": intercept, "a": slope, "b": exponent}
    return {
        **named,
        "aicc": fit.aicc[0],
        "share_preferring": trend.shares.get(law),
        "p_value": trend.p_values.get(law),
    }


def _comparison(
    results: Results, grid: Grid, first: Line, second: Line, task: str, measure: str
) -> Facts:
    """Return the difference of two lines at each size, between equal seeds."""
    values = (_values(results, grid, line, task, measure) for line in (first, second))
    return {
        "task": task,
        "measure": measure,
        "first": _named(first),
        "second": _named(second),
        "above": _at_sizes(grid.sizes, differences(*values)),
    }


def _named(line: Line) -> Facts:
    return {"label_set": line[0], "depth": line[1]}


def _at_sizes(sizes: Iterable[float], bands: Iterable[Band]) -> list[Facts]:
    return [{"n_images": n, **asdict(band)} for n, band in zip(sizes, bands, strict=True)]
