"""The index of a run's candidates: built once for each selection, beside the stages.

Two folders hold it: what a selection does not change (evidence, texts and locations), and arrays of
the scored pairs in the order of labels, the most probable first. An index is a cache: it may be
deleted at any time.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.intervals.judgements import Judgements
from curation.report.tuning import shares_of
from curation.runs.durable import reporting_write_errors
from curation.runs.stage import Stage, current, open_stage, outdated_by
from curation.selection.choose import choose_shares
from curation.selection.selection import Request
from labeling.code_digest import code_digest
from labeling.keys.arrays import Ints
from labeling.keys.ids import to_halves
from labeling.schemas import CANDIDATES, IMAGES, SELECT_REASONS, SELECTED, SIGNALS
from pipelines.browsing.blocks import write_blocks
from pipelines.browsing.edges import edges
from pipelines.browsing.pairs import Scope, read_pairs
from pipelines.evidence.added import STAGE
from pipelines.run.config import Config
from pipelines.run.stages import contents, taxonomy_of
from pipelines.selecting.tuning import as_selected, read_tuning, request_of_run

FOLDER = "browse-index"


class Stages(NamedTuple):
    """The stages that an index is made from; ``signals`` are missing in imported runs.

    ``evidence`` are the candidates themselves, or those with evidence that was added.
    """

    candidates: Stage
    evidence: Stage
    audits: Stage
    scored: Stage
    selected: Stage
    signals: Stage | None

    @property
    def of_evidence(self) -> Path:
        """Name of the folder with what a selection does not change."""
        of_texts = [] if self.signals is None else [self.signals]
        return _named("evidence", self.candidates, self.evidence, *of_texts)

    @property
    def of_pairs(self) -> Path:
        """Name of the folder with the scored pairs."""
        return _named("pairs", self.candidates, self.audits, self.scored, self.selected)


def _named(kind: str, *stages: Stage) -> Path:
    made_from = json.dumps([contents(*stages), code_digest(__name__)], sort_keys=True)
    return Path(FOLDER) / f"{kind}-{hashlib.sha256(made_from.encode()).hexdigest()[:12]}"


def stages_of(run_dir: Path) -> Stages | None:
    """Return the stages of a run that has a selection of its present scores and judgements.

    Selections of earlier versions have no table of other shares, and count as missing.
    """
    names = ("candidates", "audits", "scored", "selected")
    opened = [current(run_dir, name) for name in names]
    made = [stage for stage in opened if stage is not None]
    if len(made) < len(names) or outdated_by(run_dir, made[-1]) or read_tuning(made[-1]) is None:
        return None
    candidates, audits, scored, selected = made
    evidence, signals = evidence_of_run(run_dir, candidates), current(run_dir, "signals")
    return Stages(candidates, evidence, audits, scored, selected, signals)


def evidence_of_run(run_dir: Path, candidates: Stage) -> Stage:
    """Return the stage with the candidates and all of their evidence; its files are not compared.

    `pipelines.evidence.added.with_added` compares them, which takes seconds for a large run.
    """
    added = current(run_dir, STAGE)
    return candidates if added is None or not added.facts["files"] else added


def is_built(run_dir: Path, stages: Stages) -> bool:
    """Return whether both folders of an index are there."""
    return all((run_dir / name).is_dir() for name in (stages.of_evidence, stages.of_pairs))


def build(config: Config, run_dir: Path) -> None:
    """Build the index of the current selection, and remove those of others.

    Raises
    ------
    InputError
        If the disk is full, or the folder cannot be written to.
    IntegrityError
        If a file of the run is damaged.
    """
    stages = stages_of(run_dir)
    if stages is None:
        return
    for stage in filter(None, stages):
        open_stage(run_dir, stage.name)  # compares the files with their digests
    names = (stages.of_evidence, stages.of_pairs)
    with reporting_write_errors("index", run_dir / FOLDER), _alone(run_dir / FOLDER):
        for folder in _unbuilt(run_dir, names[0]):
            _write_evidence(stages, folder)
        for folder in _unbuilt(run_dir, names[1]):
            _write_pairs(as_selected(config, stages.selected), run_dir, stages, folder)
        for other in (run_dir / FOLDER).iterdir():
            if other.is_dir() and other.name not in [name.name for name in names]:
                shutil.rmtree(other, ignore_errors=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other page builds in the folder."""
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _unbuilt(run_dir: Path, name: Path) -> Iterator[Path]:
    """Yield a folder to write what is missing to; it gets its name at the end."""
    if (run_dir / name).is_dir():
        return
    partial = (run_dir / name).with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    yield partial
    os.replace(partial, run_dir / name)


def _write_evidence(stages: Stages, folder: Path) -> None:
    paths = stages.evidence.table_paths(CANDIDATES)
    write_blocks(folder / "evidence.arrow", paths, ["label_id", "evidence", "silent"])
    if stages.signals is not None:
        signals = stages.signals
        write_blocks(folder / "locations.arrow", signals.table_paths(IMAGES), ["location"])
        write_blocks(folder / "texts.arrow", signals.table_paths(SIGNALS), ["source", "text"])


def _write_pairs(config: Config, run_dir: Path, stages: Stages, folder: Path) -> None:
    request = request_of_run(config, run_dir)
    selected = stages.selected.table(SELECTED, ["label_id", "reason"])
    code = np.asarray(taxonomy_of(stages.candidates).codes(selected["label_id"]), np.int64)
    order = np.lexsort((-request.p, code))
    position = np.empty(len(order), np.uint32)
    position[order] = np.arange(len(order), dtype=np.uint32)
    np.save(folder / "position.npy", position)
    np.save(folder / "image.npy", to_halves(request.scored["image_id"])[order])
    np.save(folder / "p.npy", request.p[order])
    reason = pc.index_in(selected["reason"], value_set=pa.array(SELECT_REASONS))
    np.save(folder / "reason.npy", np.asarray(reason, np.int8)[order])
    labels, start = np.unique(code[order], return_index=True)
    np.savez(folder / "labels.npz", labels=labels, start=np.append(start, len(order)))
    _write_judged(request.judged, order, position, folder)
    label = np.repeat(np.arange(len(labels)), np.diff(np.append(start, len(order))))
    _write_sets(request, order, label, folder)
    _write_precision(folder)


def _write_judged(
    judged: Judgements, order: Ints, position: npt.NDArray[np.uint32], folder: Path
) -> None:
    """Write the judgements with positions in the order of labels as rows."""
    if judged.stratum is not None:
        np.save(folder / "stratum.npy", judged.stratum[order])
    unknown = np.zeros(len(judged.row), bool) if judged.unknown is None else judged.unknown
    np.savez(
        folder / "judged.npz",
        row=position[judged.row].astype(np.int64),
        correct=judged.correct,
        p_inclusion=judged.p_inclusion,
        mean_weight=judged.mean_weight,
        unknown=unknown,
    )
    (folder / "errors.json").write_text(json.dumps(asdict(judged.errors)), "utf-8")


def _write_precision(folder: Path) -> None:
    """Write the precision of what is kept of each label."""
    pairs = read_pairs(folder)
    has_audits = pairs.count_labels()["n_audits"] > 0
    nothing = (np.nan, 0.0, 1.0)
    rows = [
        Scope(pairs, [label]).precision() if has_audits[label] else nothing
        for label in range(len(pairs.labels))
    ]
    precision, low, high = np.array(rows).reshape(-1, 3).T
    np.savez(folder / "precision.npz", precision=precision, low=low, high=high)


def _write_sets(request: Request, order: Ints, label: Ints, folder: Path) -> None:
    """Write which pairs each share keeps, a bit each, their numbers, and those at the threshold.

    The last bit is of the pairs that may be kept.
    """
    shares = shares_of(request.keep)
    allowed = (request.excluded == 0)[order]
    p, n_sets = request.p[order], len(shares) + 1
    bits = np.lib.format.open_memmap(
        folder / "kept.npy", "w+", np.uint8, (-(-n_sets // 8), len(order))
    )
    stratum = request.judged.stratum
    stratum = np.zeros(len(order), np.int64) if stratum is None else stratum[order]
    n_labels, n_strata = int(label.max(initial=-1)) + 1, int(stratum.max(initial=0)) + 1
    counts = np.lib.format.open_memmap(
        folder / "counts.npy", "w+", np.uint32, (n_labels, len(shares), n_strata)
    )
    cell = label * n_strata + stratum
    at_threshold, thresholds = [], []
    for i, (kept, threshold) in enumerate(choose_shares(request, shares)):
        kept = kept[order]
        bits[i // 8] |= kept.view(np.uint8) << np.uint8(i % 8)
        of_cell = np.bincount(cell[kept], minlength=n_labels * n_strata)
        counts[:, i] = of_cell.reshape(n_labels, n_strata)
        sides = edges(p, kept, allowed, threshold)._asdict()
        at_threshold.append({name: side.tolist() for name, side in sides.items()})
        thresholds.append(threshold)
    bits[len(shares) // 8] |= allowed.view(np.uint8) << np.uint8(len(shares) % 8)
    bits.flush()
    counts.flush()
    content = {
        "shares": shares,
        "thresholds": thresholds,
        "edges": at_threshold,
        "keep": request.keep,
        "confidence": request.confidence,
    }
    (folder / "sets.json").write_text(json.dumps(content), "utf-8")
