"""The passes in their order, and the splits that they read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from pipelines.shuffle import storage
from pipelines.shuffle.engine import Split, united
from pipelines.workers.matchers import MatcherFiles

MAX_SPLITS = 512
"""Files up to which each is a split by itself."""

MAX_BYTES = 64 << 20
"""Bytes of files that are united into one split, at most."""


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


def splits_for(files: Mapping[str, Sequence[str]]) -> list[Split]:
    """Return a split for each file, of the kind of its table.

    Files beyond `MAX_SPLITS` are grouped: small splits would write tiny segments for each of many
    buckets.
    """
    splits = [
        Split(f"{kind}-{number:06d}", kind, (path,))
        for kind, paths in files.items()
        for number, path in enumerate(paths)
    ]
    if len(splits) <= MAX_SPLITS:
        return splits
    sizes = [storage.size(split.arguments[0]) or 0 for split in splits]
    most = min(MAX_BYTES, sum(sizes) // MAX_SPLITS)
    groups: list[list[Split]] = []
    room = -1
    for split, n_bytes in zip(splits, sizes, strict=True):
        if n_bytes > room:
            groups.append([])
            room = most
        groups[-1].append(split)
        room -= n_bytes
    return [united(group) for group in groups]
