"""A finished study as an object that shows itself in a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from curation.runs.sealed import unseal
from labeling.arguments import checks_arguments
from labeling.errors import InputError
from labeling.frames.notebook import MAX_ROWS, html_table
from pipelines.studies.summary import mean_rows, sentences

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Study:
    """The results of `winnow study`: every measure of every trained network, and the trends.

    Attributes
    ----------
    dir
        Folder of the study.
    facts
        Trends and comparisons, as ``study.json`` holds them.
    """

    dir: Path
    facts: Mapping[str, Any]

    @property
    def sentences(self) -> list[str]:
        """The results in words that claim no more than the confidence bands allow."""
        return sentences(self.facts)

    def to_arrow(self) -> pa.Table:
        """Return a row for each network, task and measure as a `pyarrow.Table`."""
        return pq.read_table(self.dir / "study.parquet")

    def to_pandas(self) -> pd.DataFrame:
        """Return a row for each network, task and measure as a `pandas.DataFrame`."""
        frame: pd.DataFrame = self.to_arrow().to_pandas()
        return frame

    def __repr__(self) -> str:
        facts = self.facts
        sets, sizes, seeds = (len(facts[name]) for name in ("label_sets", "sizes", "seeds"))
        return f"<Study {self.dir} of {sets} label sets, {sizes} sizes and {seeds} seeds>"

    def _repr_html_(self) -> str:
        header = ("measure", "labels", "network", *(f"{n:,} images" for n in self.facts["sizes"]))
        rows = [(*names, *means) for *names, means in mean_rows(self.facts)[:MAX_ROWS]]
        items = "".join(f"<li>{escape(sentence)}</li>" for sentence in self.sentences[:MAX_ROWS])
        return html_table(repr(self)[1:-1], header, rows) + f"<ul>{items}</ul>"


@checks_arguments
def open_study(path: Path | str) -> Study:
    """Return the study of a folder.

    Parameters
    ----------
    path
        Folder that `winnow study` wrote.

    Returns
    -------
    Study
        The results.

    Raises
    ------
    InputError
        If the folder holds no finished study.
    """
    file = Path(path) / "study.json"
    try:
        return Study(Path(path), unseal(file.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise InputError(
            "the study cannot be read",
            facts={"file": file, "cause": error},
            help="name the folder that `winnow study` wrote, after it has finished",
        ) from error
