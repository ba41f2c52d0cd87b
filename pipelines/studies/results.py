"""What a study found: the table of all measures, and the trend of each line."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from curation.report.facts import rounded
from curation.runs.durable import write_text
from pipelines.studies.cells import Cell, Measured
from training.study.paired_differences import differences
from training.study.points import CONFIDENCE, Band, Floats, points, seed_bands
from training.study.scaling_laws import Fits, Trend, find_trend, law_bands

N_DRAWN = 41
"""Numbers of images at which a law is written down, between the smallest and the largest."""

Found = Mapping[Cell, Measured]
Facts = dict[str, Any]


@dataclass(frozen=True)
class Grid:
    """What was varied, in the order in which to show it."""

    label_sets: tuple[str, ...]
    depths: tuple[int, ...]
    sizes: tuple[int, ...]
    seeds: tuple[int, ...]

    def cells(self) -> Iterator[Cell]:
        """Yield every cell, one seed after the other: a study that breaks off has whole seeds."""
        for seed, label_set, depth, size in itertools.product(
            self.seeds, self.label_sets, self.depths, self.sizes
        ):
            yield Cell(label_set, depth, size, seed)

    def values(self, found: Found, task: str, measure: str, label_set: str, depth: int) -> Floats:
        """Return one measure of one line, ``float64[n_sizes, n_seeds]``."""
        return np.array(
            [
                [found[Cell(label_set, depth, size, seed)][task][measure] for seed in self.seeds]
                for size in self.sizes
            ]
        )


def write_table(found: Found, grid: Grid, training: Mapping[str, Any], out_dir: Path) -> None:
    """Write ``study.csv`` and ``study.parquet``: a row for each cell, task and measure.

    Settings that are not set are empty, or NaN.
    """
    rows = [
        {
            "label_set": cell.label_set,
            "depth": cell.depth,
            "n_images": cell.n_images,
            "seed": cell.seed,
            "task": task,
            "measure": measure,
            "value": float(value),
            **training,
        }
        for cell in grid.cells()
        for task, measures in found[cell].items()
        for measure, value in measures.items()
    ]
    unset = {name: "float64" for name, value in training.items() if value is None}
    table = pd.DataFrame(rows).astype(unset)
    write_text(out_dir / "study.csv", table.to_csv(index=False, lineterminator="\n"))
    table.to_parquet(out_dir / "study.parquet", index=False)


def study_facts(found: Found, grid: Grid, main: Mapping[str, Sequence[str]]) -> Facts:
    """Return the trends and comparisons of a study, as ``study.json`` holds them.

    Parameters
    ----------
    main
        The measures to look at, by task.
    """
    looked_at = [(task, measure) for task, measures in main.items() for measure in measures]
    facts: Facts = {
        "label_sets": grid.label_sets,
        "depths": grid.depths,
        "sizes": grid.sizes,
        "seeds": grid.seeds,
        "confidence": CONFIDENCE,
        "lines": [
            {
                "task": task,
                "measure": measure,
                "label_set": label_set,
                "depth": depth,
                **_line(grid, grid.values(found, task, measure, label_set, depth)),
            }
            for task, measure in looked_at
            for label_set in grid.label_sets
            for depth in grid.depths
        ],
        "comparisons": [one for looked in looked_at for one in _comparisons(found, grid, *looked)],
    }
    facts = rounded(facts)
    return facts


def _line(grid: Grid, values: Floats) -> Facts:
    """Return what is known of one line: the mean at each size, the slope, the laws."""
    measured = points(dict(zip(grid.sizes, values.tolist(), strict=True)))
    trend = find_trend(measured)
    smallest, largest = grid.sizes[0], grid.sizes[-1]
    between = np.geomspace(smallest, largest, N_DRAWN).clip(smallest, largest)
    bands = zip(grid.sizes, values.tolist(), seed_bands(measured), strict=True)
    return {
        "points": [{"n_images": n, "values": own, **_band(band)} for n, own, band in bands],
        "doubling": _band(trend.doubling),
        "laws": {law: _law(law, trend, fit) for law, fit in trend.fits.items()},
        "preferred": trend.preferred,
        "bands": {
            law: [
                {"n_images": n, **_band(band)}
                for n, band in zip(between, law_bands(law, measured, between), strict=True)
            ]
            for law in trend.fits
        },
    }


def _law(law: str, trend: Trend, fit: Fits) -> Facts:
    """Return the parameters of a law as its formula names them, and how the data like it."""
    intercept, slope, exponent = (x[0] for x in (fit.intercept, fit.slope, fit.exponent))
    named = {"a": intercept, "b": slope}
    if law == "power":
        named = {"c": intercept, "a": slope, "b": exponent}
    liked = {"share_preferring": trend.shares.get(law), "p_value": trend.p_values.get(law)}
    return {**named, "aicc": fit.aicc[0], **liked}


def _comparisons(found: Found, grid: Grid, task: str, measure: str) -> Iterator[Facts]:
    """Yield by how much one line is above another: label sets of a depth, depths of a set."""
    lines = list(itertools.product(grid.label_sets, grid.depths))
    for (first, deep), (second, other) in itertools.combinations(lines, 2):
        if first != second and deep != other:
            continue
        above = differences(
            grid.values(found, task, measure, first, deep),
            grid.values(found, task, measure, second, other),
        )
        yield {
            "task": task,
            "measure": measure,
            "first": {"label_set": first, "depth": deep},
            "second": {"label_set": second, "depth": other},
            "above": [
                {"n_images": n, **_band(one)} for n, one in zip(grid.sizes, above, strict=True)
            ],
        }


def _band(band: Band) -> Facts:
    return {"estimate": band.estimate, "low": band.low, "high": band.high}
