"""`winnow label`: inputs to signals, signals to candidates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from curation.runs.stage import Stage
from labeling.errors import InputError
from labeling.hints import did_you_mean
from labeling.matching.surface_forms import lost_names
from labeling.objects.paths import join, path_of
from labeling.taxonomy.confusables import confusable_names
from labeling.taxonomy.formats import READ_KEYS
from labeling.taxonomy.taxonomy import Taxonomy
from pipelines.jobs.candidates import make_candidates
from pipelines.jobs.signals import make_signals
from pipelines.run.config import Config
from pipelines.run.dependencies import digests_of, taxonomy_files
from pipelines.run.paths import absolute
from pipelines.run.progress import notify
from pipelines.shuffle.runners import ready
from pipelines.workers.taxonomies import taxonomy_at

MAX_PRINTED = 10
"""Sentences of a kind that are printed."""


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
    config = config.model_copy(update={"base": str(absolute(path_of(config.base)))})
    run_dir = absolute(run_dir)
    _refuse_inside_input(config, run_dir)
    digests = digests_of("candidates", config)
    labels = replace(taxonomy_files(config), sha256=tuple(digests.values()))
    facts = _name_facts(taxonomy_at(labels))
    with ready(beam_options) as options:
        signals = make_signals(config, labels, run_dir, options)
        return make_candidates(config, labels, signals, facts, run_dir, options)


def _refuse_inside_input(config: Config, run_dir: Path) -> None:
    """Raise `InputError` for a run folder below an input folder, which would read its files."""
    for entry in config.all_inputs():
        folders = (join(path_of(config.base), path) for path in entry.path_names)
        for folder in folders:
            if run_dir.is_relative_to(absolute(folder)) and folder.is_dir():
                raise InputError(
                    "the run folder lies in a folder of inputs, and its files would be read",
                    facts={"run": run_dir, "input": folder},
                    help="name a folder elsewhere with --out",
                )


def _name_facts(taxonomy: Taxonomy) -> dict[str, list[str]]:
    """Print what people should know of the names and keys of a taxonomy, and return it as facts."""
    odd, lost = confusable_names(taxonomy), lost_names(taxonomy)
    print_odd_names(odd)
    _print_first("names of labels that match no text", "lost_names", lost)
    unread = [
        f"{key!r}{_meant_key(key)}, labels with it: {n:,}"
        for key, n in sorted(taxonomy.unread.items())
    ]
    _print_first("keys of the taxonomy that are not read", "unread_keys", unread)
    notes = list(taxonomy.notes)
    _print_first("notes on the taxonomy", "taxonomy_notes", notes)
    names = {"odd_names": odd, "lost_names": lost}
    return names | {"unread_keys": unread, "taxonomy_notes": notes}


def _meant_key(key: str) -> str:
    # A key that one format has may be unread in another: `name` in JSON Lines.
    return did_you_mean(key.lower(), [known for known in READ_KEYS if known != key])


def print_odd_names(names: Sequence[str]) -> None:
    """Print the first sentences of `labeling.taxonomy.confusables.confusable_names`."""
    _print_first("names of labels that look like others, and are kept apart", "odd_names", names)


def _print_first(title: str, fact: str, sentences: Sequence[str]) -> None:
    if sentences:
        notify(f"{title}: {len(sentences):,}")
    for sentence in sentences[:MAX_PRINTED]:
        notify(f"  {sentence}")
    if len(sentences) > MAX_PRINTED:
        notify(f"  … the rest is in the manifest of the candidates, as {fact}")
