"""The passes in their order, and the splits that they read."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from labeling.links import links
from labeling.links.propagation_steps import HEARD, SETTINGS
from labeling.matching import boilerplate, name_statistics
from labeling.schemas import CANDIDATES
from labeling.taxonomy.published import TaxonomyFiles
from pipelines.passes.edges import ARC_OUTPUTS, judge_edges, read_for_arcs, reduce_arcs
from pipelines.passes.feedback import (
    EVENT_OUTPUTS,
    SAID_OUTPUTS,
    SAMPLE,
    USER_OUTPUTS,
    ReadEvents,
    ReduceSaid,
    combine_acts,
    fit_trust,
    read_rows,
    read_statements,
    reduce_events,
    reduce_users,
)
from pipelines.passes.hosts import (
    HOST_OUTPUTS,
    combine_for_hosts,
    judge_hosts,
    read_for_hosts,
    reduce_hosts,
)
from pipelines.passes.links import LINK_OUTPUTS, combine_for_images, read_for_images, reduce_links
from pipelines.passes.matchers import MatcherFiles
from pipelines.passes.merge import Merge, read_for_merge
from pipelines.passes.names import USAGE_OUTPUTS, CountUsage, ReadForUsage, judge_usage
from pipelines.passes.pages import PAGE_OUTPUTS, ReadForPages, ReducePages, combine_for_pages
from pipelines.passes.propagation import (
    MAX_EDGES,
    ROUND_OUTPUTS,
    SendRound,
    SpreadAll,
    read_by_node,
    reduce_heard,
)
from pipelines.shuffle import storage
from pipelines.shuffle.engine import Combine, Split, Tables, keep_all, united

CAPS = {"caps": links.CAPS}

MAX_SPLITS = 512
"""Files up to which each is a split by itself."""

MAX_BYTES = 64 << 20
"""Bytes of files beyond which no more of them are one split."""


class Pass(NamedTuple):
    """One shuffle: the tables that it reads, by what it shuffles, and the tables it makes."""

    name: str
    inputs: tuple[str, ...]
    read: Callable[[Split], Iterator[tuple[str, pa.Table]]]
    keys: Mapping[str, str]
    reduce: Callable[[Tables], Tables]
    outputs: Mapping[str, pa.Schema]
    combine: Combine = keep_all
    conclude: Callable[[Path], None] | None = None
    """What is made of the output as a whole, in its folder."""
    n_buckets: int | None = None
    """Buckets, where it is not for the number of rows to say."""


def plan(
    taxonomy_files: TaxonomyFiles,
    support_only: tuple[str, ...],
    n_signals: int,
    n_events: int,
    work_dir: Path,
    n_edges: int = 0,
) -> tuple[Pass, ...]:
    """Return the passes in the order in which they run; the last makes the candidates.

    Each writes into the folder of its name in `work_dir`, but for the last. With more links and
    placements, `n_edges`, than one worker should hold, topics are propagated in a pass a round.
    """
    plain = MatcherFiles(taxonomy_files, work_dir, is_used=False)
    files = MatcherFiles(taxonomy_files, work_dir, is_used=True)
    return (
        Pass(
            "hosts",
            inputs=("signals", "placements"),
            read=read_for_hosts,
            keys=dict.fromkeys(HOST_OUTPUTS, "key"),
            reduce=reduce_hosts,
            outputs=HOST_OUTPUTS,
            combine=combine_for_hosts,
            conclude=judge_hosts,
        ),
        Pass(
            "usage",
            inputs=("signals",),
            read=ReadForUsage(min(1.0, name_statistics.SAMPLE / max(n_signals, 1))),
            keys={"texts": "key"},
            reduce=CountUsage(plain),
            outputs=USAGE_OUTPUTS,
            conclude=functools.partial(judge_usage, plain),
        ),
        Pass(
            "pages",
            inputs=("signals", "links", "placements"),
            read=ReadForPages(files),
            keys=dict.fromkeys(("discounts", "mentions", "edges", "hosts", "anchors"), "page_id"),
            reduce=ReducePages(taxonomy_files),
            outputs={**PAGE_OUTPUTS, **CAPS, "discounts": boilerplate.DISCOUNTS},
            combine=combine_for_pages,
        ),
        Pass(
            "arcs",
            inputs=("ends",),
            read=read_for_arcs,
            keys={"ends": "pair"},
            reduce=reduce_arcs,
            outputs=ARC_OUTPUTS,
            conclude=judge_edges,
        ),
        *_spread(work_dir / "arcs", n_edges),
        Pass(
            "links",
            inputs=("mentions", "heard", "anchors", "placements"),
            read=read_for_images,
            keys=dict.fromkeys(("mentions", "heard", "anchors", "placements"), "page_id"),
            reduce=reduce_links,
            outputs={**LINK_OUTPUTS, **CAPS},
            combine=combine_for_images,
        ),
        *(_of_feedback(files, n_events) if n_events else ()),
        Pass(
            "merge",
            inputs=("signals", "mentions", "evidence", "coverage", *(["said"] if n_events else [])),
            read=read_for_merge,
            keys=dict.fromkeys(("mentions", "evidence", "coverage", "said"), "image_id"),
            reduce=Merge(taxonomy_files, work_dir / "said", support_only),
            outputs={"candidates": CANDIDATES.arrow},
        ),
    )


def _spread(arcs_dir: Path, n_edges: int) -> Iterator[Pass]:
    """Yield the passes that propagate topics, in one bucket or round by round."""
    nodes = ("nodes", "arcs")
    if n_edges <= MAX_EDGES:
        yield Pass(
            "spread",
            inputs=nodes,
            read=read_by_node,
            keys=dict.fromkeys(nodes, "page_id"),
            reduce=SpreadAll(arcs_dir),
            outputs={"heard": HEARD},
            n_buckets=1,
        )
        return
    for number in range(SETTINGS.rounds):
        inputs = nodes if number == 0 else (*nodes, "states", "sent")
        yield Pass(
            f"round-{number}",
            inputs=inputs,
            read=read_by_node,
            keys=dict.fromkeys(inputs, "page_id"),
            reduce=SendRound(arcs_dir, is_first=number == 0),
            outputs=ROUND_OUTPUTS,
        )
    yield Pass(
        "heard",
        inputs=("sent", "before"),
        read=read_by_node,
        keys=dict.fromkeys(("sent", "before"), "page_id"),
        reduce=reduce_heard,
        outputs={"heard": HEARD},
    )


def _of_feedback(files: MatcherFiles, n_events: int) -> tuple[Pass, ...]:
    return (
        Pass(
            "events",
            inputs=("feedback",),
            read=ReadEvents(files),
            keys={"acts": "event"},
            reduce=reduce_events,
            outputs=EVENT_OUTPUTS,
        ),
        Pass(
            "users",
            inputs=("acts",),
            read=read_rows,
            keys={"acts": "user"},
            reduce=reduce_users,
            outputs=USER_OUTPUTS,
            combine=combine_acts,
        ),
        Pass(
            "said",
            inputs=("statements",),
            read=read_statements,
            keys={"said": "image_id", "hours": "key"},
            reduce=ReduceSaid(min(1.0, SAMPLE / n_events)),
            outputs=SAID_OUTPUTS,
            conclude=fit_trust,
        ),
    )


def splits_for(files: Mapping[str, Sequence[str]]) -> list[Split]:
    """Return a split for each file, by the kind of its table; of very many files some together.

    A split of few rows would have but a few hundred of them for each of very many buckets.
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
    together: list[list[Split]] = []
    room = -1
    for split, n_bytes in zip(splits, sizes, strict=True):
        if n_bytes > room:
            together.append([])
            room = most
        together[-1].append(split)
        room -= n_bytes
    return [united(some) for some in together]
