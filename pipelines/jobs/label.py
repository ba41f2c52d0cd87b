"""`winnow label`: inputs to signals, signals to candidates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from curation.runs.stage import Stage
from labeling.taxonomy.confusables import confusable_names
from pipelines.jobs.candidates import make_candidates
from pipelines.jobs.signals import make_signals
from pipelines.passes.taxonomies import taxonomy_at
from pipelines.run.config import Config
from pipelines.run.dependencies import digests_of, taxonomy_files
from pipelines.run.paths import absolute
from pipelines.run.progress import notify
from pipelines.shuffle.runners import ready

MAX_PRINTED = 10
"""Odd names of labels that are printed."""


def label(config: Config, run_dir: Path, beam_options: Sequence[str] = ()) -> Stage:
    """Make a run's signals and candidates, or reuse them where nothing has changed.

    Parameters
    ----------
    config
        The settings.
    run_dir
        The run folder.
    beam_options
        Options for Beam, such as ``--runner=flink`` (see `pipelines.shuffle.runners`).

    Returns
    -------
    Stage
        The candidates, with the taxonomy that they refer to.
    """
    config = config.model_copy(update={"base": str(absolute(Path(config.base)))})
    run_dir = absolute(run_dir)
    digests = digests_of("candidates", config)
    labels = replace(taxonomy_files(config), sha256=tuple(digests.values()))
    odd = confusable_names(taxonomy_at(labels))
    print_odd_names(odd)
    with ready(beam_options) as options:
        signals = make_signals(config, labels, run_dir, options)
        return make_candidates(config, labels, signals, odd, run_dir, options)


def print_odd_names(names: Sequence[str]) -> None:
    """Print the first sentences of `labeling.taxonomy.confusables.confusable_names`."""
    if names:
        notify(f"{len(names):,} names of labels look like others; they are kept apart:")
    for sentence in names[:MAX_PRINTED]:
        notify(f"  {sentence}")
    if len(names) > MAX_PRINTED:
        notify("  … the rest is in the manifest of the candidates, as odd_names")
