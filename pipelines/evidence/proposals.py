"""Pairs that only added sources name: a run of their own in the run, audited and proved apart."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.pairs.pair_keys import PAIR
from curation.runs.lock import locked
from curation.runs.stage import Stage, current, open_stage, outdated_by
from curation.runs.staging import StageWriter
from curation.runs.table_files import parquet_bytes, write_table
from curation.scoring.features import sources_of
from labeling.evidence.added import Votes, add_votes, find_votes, graded, strongest, without_sources
from labeling.keys import ids
from labeling.keys.runs import run_starts
from labeling.readers.table_files.image_tables import ImagesFile
from labeling.schemas import CANDIDATES, IMPORTED_IMAGES, REJECTS
from labeling.taxonomy.taxonomy import Taxonomy
from pipelines.auditing.import_images import write_images
from pipelines.evidence.on_candidates import are_on_candidates, find_in_files
from pipelines.run.images import images_stage, some_images
from pipelines.run.paths import typed
from pipelines.run.progress import notify
from pipelines.run.saved_config import load_config, save_config
from pipelines.run.stages import contents, make_stage, taxonomy_of

FOLDER = "proposals"

OF_RUN = "candidates of the run"
"""Input of the proposals: what is a candidate of the run is not a proposal."""


def proposals_of(run_dir: Path) -> Stage | None:
    """Return the proposals of a run as candidates of a run of their own; None if it has none.

    None too where they were made when the run had other candidates.
    """
    stage, candidates = current(run_dir / FOLDER, "candidates"), current(run_dir, "candidates")
    if stage is None or candidates is None or not stage.counts["candidates"]:
        return None
    return stage if stage.manifest["inputs"].get(OF_RUN) == candidates.content else None


def run_of(candidates: Stage) -> Path | None:
    """Return the run that candidates are the proposals of, or None."""
    return candidates.dir.parents[2] if OF_RUN in candidates.manifest["inputs"] else None


def selected_proposals(run_dir: Path) -> Stage | None:
    """Return the selection of the present proposals, or None; its files are not compared."""
    folder = run_dir / FOLDER
    stage = current(folder, "selected")
    if proposals_of(run_dir) is None or stage is None or outdated_by(folder, stage) is not None:
        return None
    return stage


def proposal_line(run_dir: Path) -> str | None:
    """Return the number of proposals, with the precision of those kept, or the next command."""
    proposals = proposals_of(run_dir)
    if proposals is None:
        return None
    folder = run_dir / FOLDER
    text = f"proposals: {proposals.counts['candidates']:,} pairs that only"
    text += f" {', '.join(proposals.facts['sources'])} names, apart from the candidates"
    selected = selected_proposals(run_dir)
    if selected is None:
        return f"{text}; judge them apart: winnow audit sample {typed(folder)}"
    return f"{text}; {selected.counts['out']:,} kept, {_precision(selected.facts)}"


def _precision(facts: Mapping[str, Any]) -> str:
    low, high = facts["precision_low"], facts["precision_high"]
    return f"precision {facts['precision']:.3f} ({low:.3f} to {high:.3f})"


def proposal_facts(run_dir: Path) -> dict[str, Any]:
    """Return the fact ``proposals`` for `curation.report.facts.headline`, if there are any."""
    proposals, selected = proposals_of(run_dir), selected_proposals(run_dir)
    if proposals is None:
        return {}
    named = {"n": proposals.counts["candidates"], "sources": proposals.facts["sources"]}
    if selected is not None:
        names = ("precision", "precision_low", "precision_high", "confidence", "n_audits")
        named |= {"kept": selected.counts["out"]} | {n: selected.facts[n] for n in names}
    return {"proposals": named}


def propose(run_dir: Path, votes: Votes) -> None:
    """Make the pairs of votes that are not candidates of a run its proposals.

    Earlier proposals of the same sources are replaced, those of others stay.
    """
    candidates = open_stage(run_dir, "candidates")
    taxonomy, votes = taxonomy_of(candidates), strongest(votes)
    rows = find_in_files(votes, candidates.table_paths(CANDIDATES), taxonomy)
    new = graded(votes.take(~are_on_candidates(votes, rows)))
    _commit(run_dir, candidates, _united(_others(run_dir, votes.sources), new, taxonomy))
    line = proposal_line(run_dir)
    notify(line or "proposals: none, all pairs are candidates")


def remove_proposals(run_dir: Path, sources: Sequence[str]) -> None:
    """Remove the votes of sources from the proposals of a run, and those that no other names."""
    stage = current(run_dir / FOLDER, "candidates")
    if stage is not None and {*sources} & {*stage.facts["sources"]}:
        _commit(run_dir, open_stage(run_dir, "candidates"), _others(run_dir, sources))


def _others(run_dir: Path, sources: Sequence[str]) -> pa.Table:
    """Return the present proposals that other sources name."""
    if proposals_of(run_dir) is None:
        return CANDIDATES.empty()
    table = open_stage(run_dir / FOLDER, "candidates").table(CANDIDATES)
    table = without_sources(table, sources)
    return table.filter(pc.greater(pc.list_value_length(table["evidence"]), 0))


def _united(others: pa.Table, votes: Votes, taxonomy: Taxonomy) -> pa.Table:
    """Return proposals with further votes; pairs that are not among them are added."""
    is_new = find_votes(votes, others, taxonomy) < 0
    image, label = votes.image[is_new], votes.label[is_new]
    starts = run_starts(image, label)
    n = len(starts)
    columns = {
        "image_id": ids.from_halves(image[starts]),
        "label_id": pa.array(taxonomy.label_ids, pa.string()).take(pa.array(label[starts])),
        "evidence": pa.array([[]] * n, CANDIDATES.arrow.field("evidence").type),
        "silent": pa.array([[]] * n, pa.list_(pa.string())),
        "ambiguity": pa.array(np.ones(n, np.int16)),
    }
    table = pa.concat_tables([others, pa.table(columns, schema=CANDIDATES.arrow)])
    table = table.sort_by([(name, "ascending") for name in PAIR]).combine_chunks()
    return add_votes(table, votes, find_votes(votes, table, taxonomy))


def _commit(run_dir: Path, candidates: Stage, table: pa.Table) -> None:
    folder = run_dir / FOLDER
    digest = hashlib.sha256(parquet_bytes(table)).hexdigest()

    def write(work: StageWriter) -> None:
        write_table(table, work.dir, CANDIDATES.name)
        write_table(taxonomy_of(candidates).to_table(), work.dir, "taxonomy")
        n_images = pc.count_distinct(table["image_id"]).as_py()
        work.counts |= {"candidates": len(table), "images": n_images}
        work.facts["sources"] = sources_of(table)

    inputs = {OF_RUN: candidates.content, "votes": digest}
    folder.mkdir(exist_ok=True)
    with locked(folder):
        made = make_stage(folder, "candidates", write, inputs=inputs, config={})
        save_config(load_config(run_dir), folder)
        _commit_images(run_dir, made, {*table["image_id"].to_pylist()})


def _commit_images(run_dir: Path, proposals: Stage, image_ids: Set[str]) -> None:
    """Commit where the images of the proposals are, if the run knows."""
    stage = images_stage(run_dir)
    if stage is None:
        return

    def write(work: StageWriter) -> None:
        images = some_images(stage, image_ids)
        if "content_id" not in images.column_names:
            images = images.append_column("content_id", images["image_id"])
        table = images.cast(IMPORTED_IMAGES.arrow).sort_by("image_id")
        known = np.ones(len(table), bool)
        write_images(work, ImagesFile(table, known, len(table), REJECTS.empty(), {}), len(table))

    inputs = contents(proposals) | {"images of the run": stage.content}
    make_stage(run_dir / FOLDER, "images", write, inputs=inputs, config={})
