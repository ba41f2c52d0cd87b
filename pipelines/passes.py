"""The passes from signals to candidates, each one shuffle: by host, text, page twice, and image.

0. `read_for_hosts` → `reduce_hosts`: what stands on most pages of a host is discounted.
   `ReadForUsage` → `CountUsage` → `judge_usage`: how the names are used in a sample of the texts.
1. `ReadForPages` → `reduce_pages`: texts are matched; each page's topics go to its neighbours.
2. `ReadForImages` → `reduce_links`: what arrived at a page goes to the images that it shows.
3. `ReadForMerge` → `Merge`: all evidence of an image, with the feedback, becomes its candidates.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.manifest import write_parquet
from labeling import boilerplate, evidence, feedback, ids, links, usage
from labeling.context import in_context
from labeling.matcher_cache import cached_matcher
from labeling.matching import Matcher
from labeling.names import NO_USAGE
from labeling.schemas import CANDIDATES, PLACEMENTS, SIGNALS
from labeling.taxonomies import TaxonomyFiles
from pipelines.engine import Combine, Split, Tables, keep_all
from pipelines.extract import taxonomy_at

PAGE_OUTPUTS = {
    "mentions": evidence.MENTIONS,
    "messages": links.MESSAGES,
    "anchors": links.MESSAGES,
}
USAGE_OUTPUTS = {"names": usage.NAMES, "pairs": usage.PAIRS, "words": usage.WORDS}
CAPS = {"caps": links.CAPS}
LINK_OUTPUTS = {"evidence": evidence.EVIDENCE_ROWS, "coverage": evidence.COVERAGE}


class Pass(NamedTuple):
    """One shuffle: the tables that it reads, by what it shuffles, and the tables it makes."""

    name: str
    inputs: tuple[str, ...]
    read: Callable[[Split], Iterator[tuple[str, pa.Table]]]
    keys: Mapping[str, str]
    reduce: Callable[[Tables], Tables]
    outputs: Mapping[str, pa.Schema]
    combine: Combine = keep_all
    conclude: Callable[[Path], None] = lambda directory: None
    """What is made of the output as a whole, in its folder."""


@dataclass(frozen=True)
class MatcherFiles:
    """What a matcher is compiled from: a taxonomy, and how names are used once that is known.

    `work_dir` keeps the matcher in its folder ``matchers``, and the usage in ``usage``.
    """

    taxonomy: TaxonomyFiles
    work_dir: Path
    is_used: bool


def plan(
    taxonomy_files: TaxonomyFiles,
    click_rates: tuple[float, ...],
    support_only: tuple[str, ...],
    n_signals: int,
    work_dir: Path,
) -> tuple[Pass, ...]:
    """Return the passes in the order in which they run; the last makes the candidates.

    Each writes into the folder of its name in `work_dir`, but for the last.
    """
    plain = MatcherFiles(taxonomy_files, work_dir, is_used=False)
    files = MatcherFiles(taxonomy_files, work_dir, is_used=True)
    return (
        Pass(
            "hosts",
            inputs=("signals", "placements"),
            read=read_for_hosts,
            keys=dict.fromkeys(("signals", "placements"), "host_key"),
            reduce=reduce_hosts,
            outputs={"signals": SIGNALS.arrow, "discounts": boilerplate.DISCOUNTS},
        ),
        Pass(
            "usage",
            inputs=("signals",),
            read=ReadForUsage(min(1.0, usage.SAMPLE / max(n_signals, 1))),
            keys={"texts": "key"},
            reduce=CountUsage(plain),
            outputs=USAGE_OUTPUTS,
            conclude=functools.partial(judge_usage, plain),
        ),
        Pass(
            "pages",
            inputs=("signals", "links"),
            read=ReadForPages(files),
            keys=dict.fromkeys(("mentions", "edges", "anchors"), "page_id"),
            reduce=ReducePages(taxonomy_files),
            outputs={**PAGE_OUTPUTS, **CAPS},
            combine=combine_for_pages,
        ),
        Pass(
            "links",
            inputs=("mentions", "messages", "anchors", "placements"),
            read=read_for_images,
            keys=dict.fromkeys(("mentions", "messages", "anchors", "placements"), "page_id"),
            reduce=reduce_links,
            outputs={**LINK_OUTPUTS, **CAPS},
            combine=combine_for_images,
        ),
        Pass(
            "merge",
            inputs=("signals", "mentions", "evidence", "coverage", "feedback"),
            read=ReadForMerge(files),
            keys=dict.fromkeys(("mentions", "evidence", "coverage", "statements"), "image_id"),
            reduce=Merge(taxonomy_files, click_rates, support_only),
            outputs={"candidates": CANDIDATES.arrow},
        ),
    )


def read_for_hosts(split: Split) -> Iterator[tuple[str, pa.Table]]:
    """Yield signals and placements by host; those without one are spread by their image."""
    rows = pq.read_table(*split.arguments)
    hosts = rows["host"].combine_chunks().dictionary_encode()
    digests = pa.array([ids.digest(host) for host in hosts.dictionary.to_pylist()], pa.string())
    key = pc.if_else(pc.equal(rows["host"], ""), rows["image_id"], digests.take(hosts.indices))
    yield split.kind, rows.append_column("host_key", key)


def reduce_hosts(tables: Tables) -> Tables:
    """Discount the boilerplate of the hosts of a bucket."""
    schemas = {"signals": SIGNALS.arrow, "placements": PLACEMENTS.arrow}
    table_of = _tables_of(tables, schemas)
    signals, placements = (table_of[n].select(s.names) for n, s in schemas.items())
    found = boilerplate.discount(signals, placements)
    return {"signals": _sorted(found.signals), "discounts": found.counts}


@dataclass(frozen=True)
class ReadForUsage:
    """Read the texts of a share of the images, those that were written as a whole."""

    share: float

    def __call__(self, split: Split) -> Iterator[tuple[str, pa.Table]]:
        """Yield distinct texts."""
        rows = pq.read_table(*split.arguments, columns=["image_id", "source", "text"])
        drawn = ids.to_words(rows["image_id"])[:, 1] <= np.uint64(self.share * (2**64 - 2**11))
        whole = pc.not_equal(rows["source"], "surrounding")
        texts = rows["text"].filter(pc.and_(whole, pa.array(drawn))).unique()
        keys = pa.array([ids.digest(text) for text in texts.to_pylist()], pa.string())
        yield "texts", pa.table({"key": keys, "text": texts})


@dataclass(frozen=True)
class CountUsage:
    """Count how names are used in the texts of a bucket."""

    files: MatcherFiles

    def __call__(self, tables: Tables) -> Tables:
        """Return ``names``, ``pairs`` and ``words``."""
        matcher = matcher_at(self.files)
        return usage.count(tables["texts"]["text"].combine_chunks(), matcher)._asdict()


def judge_usage(files: MatcherFiles, directory: Path) -> None:
    """Add up what the buckets counted, and write what follows into the same folder."""
    counted = [
        pa.concat_tables([pq.read_table(path) for path in sorted(directory.glob(f"{name}-*"))])
        for name in USAGE_OUTPUTS
    ]
    taxonomy = taxonomy_at(files.taxonomy)
    used = usage.add([usage.Used(*counted)])
    found = usage.judge(used, matcher_at(files), taxonomy)
    for name, table in usage.to_tables(found).items():
        write_parquet(table, directory / f"{name}-00000-of-00001.parquet")


@dataclass(frozen=True)
class ReadForPages:
    """Match the texts of a file of signals, and the link texts of a file of links."""

    files: MatcherFiles

    def __call__(self, split: Split) -> Iterator[tuple[str, pa.Table]]:
        """Yield mentions, edges and anchors, by page."""
        rows = pq.read_table(*split.arguments)
        matcher = matcher_at(self.files)
        if split.kind == "signals":
            yield "mentions", evidence.mentions(rows, matcher)
        else:
            yield "edges", links.edges(rows)
            yield "anchors", links.anchors(rows, matcher)


def combine_for_pages(table: str, rows: pa.Table) -> pa.Table:
    """Keep no more neighbours of a page than are followed, and one to tell that it has more."""
    if table != "edges":
        return rows
    return links.lowest(_distinct_edges(rows), "other_page", links.MAX_DEGREE + 1)


@dataclass(frozen=True)
class ReducePages:
    """Read shared names by their page, and send the topics of each page to its neighbours."""

    taxonomy_files: TaxonomyFiles

    def __call__(self, tables: Tables) -> Tables:
        """Return ``mentions``, ``messages`` and ``anchors``."""
        table_of = _tables_of(tables, {**PAGE_OUTPUTS, "edges": links.EDGES})
        edges = combine_for_pages("edges", table_of["edges"])
        mentions = in_context(table_of["mentions"], taxonomy_at(self.taxonomy_files))
        topics = links.topics(mentions)
        return {
            "mentions": _sorted(mentions),
            "messages": _sorted(links.messages(topics, edges)),
            "anchors": _sorted(table_of["anchors"]),
            "caps": links.count_over(edges, "other_page", links.MAX_DEGREE, "too_many_links"),
        }


def read_for_images(split: Split) -> Iterator[tuple[str, pa.Table]]:
    """Yield the rows of a file as they are, under the name of their table."""
    yield split.kind, pq.read_table(*split.arguments)


def combine_for_images(table: str, rows: pa.Table) -> pa.Table:
    """Keep no more of a page than is heard: senders of messages, images; and one to tell."""
    if table == "messages":
        return links.lowest(rows, "from_page", links.MAX_SENDERS + 1)
    if table in ("mentions", "placements"):
        return links.lowest(rows, "image_id", links.MAX_IMAGES + 1)
    return rows


def reduce_links(tables: Tables) -> Tables:
    """Hand what pages have heard to the images that they show."""
    table_of = _tables_of(tables, {**PAGE_OUTPUTS, "placements": PLACEMENTS.arrow})
    shown = links.lowest(table_of["placements"], "image_id", links.MAX_IMAGES)
    messages = links.lowest(table_of["messages"], "from_page", links.MAX_SENDERS)
    mentions = links.lowest(table_of["mentions"], "image_id", links.MAX_IMAGES)
    spoken = [
        links.linked_evidence(messages, shown),
        links.anchor_evidence(table_of["anchors"], shown),
        links.page_evidence(mentions, shown),
    ]
    return {
        "evidence": _sorted(pa.concat_tables([rows for rows, _ in spoken])),
        "coverage": _sorted(pa.concat_tables([covered for _, covered in spoken])),
        "caps": pa.concat_tables(
            [
                links.count_over(
                    table_of["messages"], "from_page", links.MAX_SENDERS, "too_many_senders"
                ),
                links.count_over(
                    table_of["placements"], "image_id", links.MAX_IMAGES, "too_many_images"
                ),
            ]
        ),
    }


@dataclass(frozen=True)
class ReadForMerge:
    """Read what is known about images: mentions, linked evidence, coverage, feedback."""

    files: MatcherFiles

    def __call__(self, split: Split) -> Iterator[tuple[str, pa.Table]]:
        """Yield mentions, evidence, coverage and statements, by image."""
        rows = pq.read_table(*split.arguments)
        if split.kind == "signals":
            yield "coverage", evidence.coverage(rows)
        elif split.kind == "feedback":
            taxonomy = taxonomy_at(self.files.taxonomy)
            said = feedback.statements(rows, matcher_at(self.files), taxonomy)
            yield "statements", said
        else:
            yield split.kind, rows


@dataclass(frozen=True)
class Merge:
    """Merge all evidence of the images of a bucket into their candidates."""

    taxonomy_files: TaxonomyFiles
    click_rates: tuple[float, ...]
    support_only: tuple[str, ...]

    def __call__(self, tables: Tables) -> Tables:
        """Return ``candidates``."""
        schemas = {
            "mentions": evidence.MENTIONS,
            "statements": feedback.STATEMENTS,
            **LINK_OUTPUTS,
        }
        table_of = _tables_of(tables, schemas)
        rates = np.array(self.click_rates)
        rows = [
            evidence.from_mentions(table_of["mentions"]),
            links.unite(table_of["evidence"]),
            feedback.evidence(table_of["statements"], rates),
        ]
        taxonomy = taxonomy_at(self.taxonomy_files)
        merged = evidence.merge(
            pa.concat_tables(rows), table_of["coverage"], taxonomy, self.support_only
        )
        return {"candidates": merged}


@functools.lru_cache(maxsize=4)
def matcher_at(files: MatcherFiles) -> Matcher:
    """Return the matcher of some files, compiled by the first process that asks."""
    used = NO_USAGE
    if files.is_used:
        tables = {
            name: pq.read_table(files.work_dir / "usage" / f"{name}-00000-of-00001.parquet")
            for name in ("phrases", "senses")
        }
        used = usage.from_tables(tables)
    return cached_matcher(taxonomy_at(files.taxonomy), files.work_dir / "matchers", used)


def splits_for(files: Mapping[str, list[Path]]) -> list[Split]:
    """Return one split for each file, by the kind of its table."""
    return [
        Split(f"{kind}-{number:06d}", kind, (str(path),))
        for kind, paths in files.items()
        for number, path in enumerate(paths)
    ]


def _tables_of(tables: Tables, schemas: Mapping[str, pa.Schema]) -> dict[str, pa.Table]:
    """Return every table that a kernel needs, empty where the bucket has no row of it."""
    return {name: tables.get(name, schema.empty_table()) for name, schema in schemas.items()}


def _distinct_edges(edges: pa.Table) -> pa.Table:
    return edges.group_by(links.EDGES.names).aggregate([]).cast(links.EDGES)


def _sorted(rows: pa.Table) -> pa.Table:
    """Return the rows in an order that only their content decides."""
    return rows.sort_by([(name, "ascending") for name in rows.column_names])
