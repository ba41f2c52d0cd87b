"""Adding and removing evidence: the stage ``evidence`` holds the candidates with all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.runs.durable import file_digest
from curation.runs.stage import Stage, current, open_stage
from curation.runs.staging import StageWriter, refuse_nothing
from curation.runs.table_files import write_parquet, write_table
from curation.scoring.features import sources_of
from labeling.errors import InputError
from labeling.evidence.added import (
    Votes,
    add_votes,
    graded,
    strongest,
    without_sources,
)
from labeling.hints import did_you_mean
from labeling.keys import ids
from labeling.keys.arrays import Mask
from labeling.schemas import CANDIDATES, IMAGES, REJECTS
from labeling.taxonomy.taxonomy import Taxonomy
from pipelines.evidence.added import STAGE, with_added
from pipelines.evidence.on_candidates import are_on_candidates, find_in_files
from pipelines.evidence.proposals import propose, remove_proposals
from pipelines.evidence.votes_file import read_votes_file
from pipelines.run.losses import by_reason
from pipelines.run.progress import notify, stage_line
from pipelines.run.stages import contents, make_stage, taxonomy_of

File: TypeAlias = dict[str, Any]
"""Facts of a file of votes: its name and digest, rows ``in``, ``out`` and ``dropped`` by reason,
and of each of its ``sources`` the votes on candidates and the images that it covers."""

HELP = (
    "name the images by the ids of the run (`winnow inspect RUN candidates`), the labels by their"
    " ids or names, and rate pairs that are candidates"
)

OTHER_NAME = "give the source another name in the file"

COUNTED = ("repeated", "not_candidate")
"""Reasons of rows that are counted and not listed: the file may have millions of them."""


@dataclass(frozen=True)
class Added:
    """Votes to add, and the content that they come from.

    Attributes
    ----------
    name, digest
        Name of the file or stage, and digest of its content.
    votes
        As they are there.
    n_rows
        Rows that there were.
    dropped
        Rows without a vote, by reason.
    rejects
        These, `labeling.schemas.REJECTS`.
    proposes
        Whether votes on other pairs become proposals, so that none need be on a candidate.
    """

    name: str
    digest: str
    votes: Votes
    n_rows: int
    dropped: Mapping[str, int]
    rejects: pa.Table
    proposes: bool = False


def add_file(run_dir: Path, path: Path, proposes: bool = False) -> Stage:
    """Add the votes of a file to the candidates of a run; those on other pairs may propose these.

    Raises
    ------
    InputError
        If the file cannot be read or has no rows, a source of it voted when the candidates were
        made, or no row is about a candidate.
    """
    candidates = open_stage(run_dir, "candidates")
    read = read_votes_file(path, taxonomy_of(candidates), _image_ids(run_dir, candidates))
    if not read.n_rows:
        raise InputError("a file of votes has no rows", facts={"file": path}, help=HELP)
    dropped, digest = by_reason(read.rejects), file_digest(path)
    given = Added(path.name, digest, read.votes, read.n_rows, dropped, read.rejects, proposes)
    return add(run_dir, given)


def add(run_dir: Path, given: Added) -> Stage:
    """Add votes to the candidates of a run; earlier ones of the same sources are replaced."""
    candidates = open_stage(run_dir, "candidates")
    refuse_own_sources(candidates, given.votes.sources, OTHER_NAME)
    base = _base(run_dir, candidates)
    earlier, names = files_of(base), {*given.votes.sources}
    replaced = sorted(names & {*sources_added(earlier)})
    if replaced:
        notify(f"replaced: the evidence of {', '.join(replaced)} that was added before")
    kept = _without(earlier, names)

    def write(work: StageWriter) -> None:
        file = _write(work, base, taxonomy_of(candidates), replaced, given)
        _finish(work, base, [*kept, file], given.rejects)

    key = {"name": given.name, "digest": given.digest, "sources": names}
    stage = _make(run_dir, candidates, [*kept, key], write)
    if given.proposes:
        propose(run_dir, given.votes)
    return stage


def remove(run_dir: Path, sources: Sequence[str]) -> Stage:
    """Remove the evidence of some sources that were added.

    Raises
    ------
    InputError
        If one of the sources was not added.
    """
    candidates = open_stage(run_dir, "candidates")
    added = files_of(current(run_dir, STAGE))
    known = sorted(sources_added(added))
    for source in sources:
        if source not in known:
            raise InputError(
                f'no evidence of "{source}" was added{did_you_mean(source, known)}',
                facts={"run": run_dir, "added": ", ".join(known) or "none"},
                help="`winnow evidence list RUN` lists the sources",
            )
    # Without any of it the candidates are enough, also where the evidence is damaged.
    base = _base(run_dir, candidates) if _without(added, {*sources}) else candidates
    kept = _without(files_of(base), {*sources})

    def write(work: StageWriter) -> None:
        for path in base.table_paths(CANDIDATES) if kept else ():
            write_parquet(without_sources(_read(path), sources), work.dir / path.name)
        _finish(work, base, kept, REJECTS.empty())

    stage = _make(run_dir, candidates, kept, write)
    remove_proposals(run_dir, sources)
    return stage


def files_of(stage: Stage | None) -> list[File]:
    """Return the files of evidence that a stage of candidates was given."""
    return list(stage.facts.get("files", ())) if stage is not None else []


def sources_added(files: Sequence[File]) -> list[str]:
    """Return the sources of some files."""
    return [source for file in files for source in file["sources"]]


def _base(run_dir: Path, candidates: Stage) -> Stage:
    """Return the candidates with what was added to them; that of other candidates is left out."""
    added = current(run_dir, STAGE)
    if added is None or not added.facts["files"]:
        return candidates
    if added.manifest["inputs"]["candidates"] == candidates.content:
        return with_added(candidates)
    notify(
        "left out, as it was added to other candidates: the evidence of "
        + ", ".join(sources_added(files_of(added)))
    )
    return candidates


def _make(
    run_dir: Path, candidates: Stage, files: Sequence[File], write: Callable[[StageWriter], None]
) -> Stage:
    keys = [
        {"name": file["name"], "digest": file["digest"], "sources": sorted(file["sources"])}
        for file in sorted(files, key=lambda file: str(file["digest"]))
    ]
    with stage_line(STAGE) as facts:
        stage = make_stage(
            run_dir, STAGE, write, inputs=contents(candidates), config={"files": keys}
        )
        sources = sorted(sources_added(files_of(stage)))
        facts.append(f"{stage.counts['votes']:,} votes of {', '.join(sources) or 'no source'}")
    return stage


def _write(
    work: StageWriter, base: Stage, taxonomy: Taxonomy, replaced: Sequence[str], given: Added
) -> File:
    """Write the candidates with further votes; return the facts of their file."""
    votes = strongest(given.votes)
    paths = base.table_paths(CANDIDATES)
    rows = find_in_files(votes, paths, taxonomy)
    used = are_on_candidates(votes, rows)
    grades = np.zeros(len(used))
    grades[used] = graded(votes.take(used)).strength
    votes = votes._replace(strength=grades)
    for (span, row), path in zip(rows, paths, strict=True):
        candidates = without_sources(_read(path), replaced) if replaced else _read(path)
        write_parquet(add_votes(candidates, votes.take(span), row), work.dir / path.name)
    file = _counts(given, votes, used)
    if not given.proposes:
        refuse_nothing(STAGE, file, {"file": given.name}, HELP)
    return file


def _counts(given: Added, votes: Votes, used: Mask) -> File:
    n_good, n_used = len(given.votes.label), int(used.sum())
    dropped = {
        **given.dropped,
        "repeated": n_good - len(used),
        "not_candidate": len(used) - n_used,
    }
    image = ids.rank(votes.image)[0]
    sources = {
        name: {
            "votes": int(np.sum(used & (votes.source == code))),
            "images": len(np.unique(image[votes.source == code])),
        }
        for code, name in enumerate(votes.sources)
    }
    return {
        "name": given.name,
        "digest": given.digest,
        "sources": sources,
        "in": given.n_rows,
        "out": n_used,
        "dropped": {reason: n for reason, n in dropped.items() if n},
    }


def _finish(work: StageWriter, base: Stage, files: Sequence[File], rejects: pa.Table) -> None:
    """Write the rejects of all files that are left, and the facts."""
    together = pa.concat_tables([*_rejects_of(base, {file["digest"] for file in files}), rejects])
    if len(together):
        write_table(together, work.dir, REJECTS.name)
    work.facts["files"] = list(files)
    paths = work.dir.glob(f"{CANDIDATES.name}-*.parquet")
    work.counts["candidates"] = sum(pq.read_metadata(path).num_rows for path in paths)
    work.counts["votes"] = sum(s["votes"] for file in files for s in file["sources"].values())


def _rejects_of(base: Stage, digests: Set[str]) -> Iterator[pa.Table]:
    """Yield the rejects of some files: they lie in the order of the files."""
    files = files_of(base)
    paths = base.paths(".parquet", "rejects-") if files else []
    tables = [pq.read_table(path, schema=REJECTS.arrow) for path in paths]
    rejects, start = pa.concat_tables([REJECTS.empty(), *tables]), 0
    for file in files:
        n = sum(n for reason, n in file["dropped"].items() if reason not in COUNTED)
        if file["digest"] in digests:
            yield rejects.slice(start, n)
        start += n


def _without(files: Sequence[File], sources: Set[str]) -> list[File]:
    """Return files without some sources, and without those that have no other."""
    left = [
        {**file, "sources": {n: s for n, s in file["sources"].items() if n not in sources}}
        for file in files
    ]
    return [file for file in left if file["sources"]]


def _read(path: Path) -> pa.Table:
    return pq.read_table(path, schema=CANDIDATES.arrow)


def _image_ids(run_dir: Path, candidates: Stage) -> pa.Array:
    if current(run_dir, "signals") is not None:
        column = open_stage(run_dir, "signals").table(IMAGES, ["image_id"])["image_id"]
    else:
        column = candidates.table(CANDIDATES, ["image_id"])["image_id"]
    return pc.unique(column)


def refuse_own_sources(candidates: Stage, sources: Sequence[str], help: str) -> None:
    """Raise `InputError` if one of some sources voted when the candidates were made."""
    known: set[str] = set()
    for path in candidates.table_paths(CANDIDATES):
        known |= {*sources_of(pq.read_table(path, columns=["evidence", "silent"]))}
    for source in sources:
        if source in known:
            raise InputError(
                f'the source "{source}" voted when the candidates were made',
                facts={"sources of the candidates": ", ".join(sorted(known))},
                help=help,
            )
