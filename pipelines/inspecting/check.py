"""`winnow config check`: every file that a configuration names is there and can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from labeling.errors import InputError, StoreError, WinnowError
from labeling.objects.paths import join, path_of
from pipelines.delivery.truth import read_truth
from pipelines.inputs.input import Input
from pipelines.run.config import Config
from pipelines.run.dependencies import taxonomy_files
from pipelines.workers.taxonomies import taxonomy_at

MAX_OPENED = 10
"""Files of an input of which the header is read."""


def check_inputs(config: Config) -> list[tuple[str, int, str]]:
    """Find the files of all inputs, and read the taxonomy, the truths and headers of tables.

    Parameters
    ----------
    config
        The settings; `base` is absolute.

    Returns
    -------
    list
        For each input: its path, a number, and its unit: labels, files or pairs.

    Raises
    ------
    InputError
        With the first problem of every input.
    """
    counts, problems = [], []
    for section, path, count, unit in _inputs(config):
        try:
            counts.append((path, count(), unit))
        except StoreError:  # as all other inputs there would, after some seconds each
            raise
        except WinnowError as error:
            facts = [f"  {name}: {value}" for name, value in error.facts.items()]
            problems.append("\n".join([f"[{section}] {error.message}", *facts]))
    if problems:
        raise InputError(
            "\n".join(problems), help=f"paths start from `base`, which is {config.base}"
        )
    return counts


def _inputs(config: Config) -> Iterator[tuple[str, str, Callable[[], int], str]]:
    """Yield the section and path of each input, a function that counts, and the unit."""
    base = path_of(config.base)
    yield "taxonomy", config.taxonomy.path, partial(_n_labels, config), "labels"
    for section, entries in config.inputs().items():
        for entry in entries:
            yield section, entry.shown_path, partial(_n_files, entry, base), "files"
    for section, truth in (("audit", config.audit.truth), ("evaluate", config.evaluate.truth)):
        if truth is not None and taxonomy_files(config).path.is_file():
            yield section, truth, partial(_n_pairs, config, join(base, truth)), "pairs"


def _n_labels(config: Config) -> int:
    return len(taxonomy_at(taxonomy_files(config)))


def _n_files(entry: Input, base: Path) -> int:
    files = entry.files(base)
    entry.check(base, files[:MAX_OPENED])
    return len(files)


def _n_pairs(config: Config, truth: Path) -> int:
    return len(read_truth(truth, taxonomy_at(taxonomy_files(config))))
