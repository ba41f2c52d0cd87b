"""The passes in their order."""

from __future__ import annotations

from pathlib import Path

from labeling.taxonomy.published import TaxonomyFiles
from pipelines.passes import (
    edges,
    events,
    hosts,
    links,
    merge,
    name_statistics,
    pages,
    propagation,
    users,
    votes,
)
from pipelines.passes.labeling_pass import Pass
from pipelines.workers.matchers import MatcherFiles


def plan(
    taxonomy_files: TaxonomyFiles,
    support_only: tuple[str, ...],
    n_signals: int,
    n_events: int,
    work_dir: Path,
    n_edges: int = 0,
) -> tuple[Pass, ...]:
    """Return the passes in the order in which they run; the last makes the candidates.

    Parameters
    ----------
    taxonomy_files
        The labels.
    support_only
        Sources that support a candidate of others but make none by themselves.
    n_signals, n_events
        Number of signals, and of events of feedback: samples are drawn from them.
    work_dir
        Folder in which each pass but the last writes into the folder of its name.
    n_edges
        Number of links and placements: with more of them than one worker should hold, topics are
        propagated in a pass for each round.
    """
    without = MatcherFiles(taxonomy_files, work_dir, has_statistics=False)
    files = MatcherFiles(taxonomy_files, work_dir, has_statistics=True)
    return (
        hosts.make_pass(),
        name_statistics.make_pass(without, n_signals),
        pages.make_pass(files),
        edges.make_pass(),
        *propagation.make_passes(work_dir / "edges", n_edges),
        links.make_pass(),
        *(_of_feedback(files, n_events) if n_events else ()),
        merge.make_pass(taxonomy_files, work_dir / "votes", support_only, n_events > 0),
    )


def _of_feedback(files: MatcherFiles, n_events: int) -> tuple[Pass, ...]:
    return events.make_pass(files), users.make_pass(), votes.make_pass(n_events)
