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
from pathlib import Path
from typing import NamedTuple

from curation.runs.durable import reporting_write_errors
from curation.runs.stage import Stage, current, open_stage, outdated_by
from labeling.code_digest import code_digest
from labeling.schemas import CANDIDATES, SELECTED, SIGNALS
from pipelines.browsing.arrays import write_pairs
from pipelines.browsing.blocks import write_blocks
from pipelines.evidence.added import STAGE
from pipelines.run.config import Config
from pipelines.run.images import images_schema, images_stage
from pipelines.run.stages import contents, taxonomy_of
from pipelines.selecting.tuning import as_selected, read_tuning, request_of_run

FOLDER = "browse-index"
FILES, TEXTS = "files.arrow", "texts.arrow"


class Stages(NamedTuple):
    """The stages that an index is made from; imported runs have no signals.

    ``images`` holds the files of the images, where they are known, and the texts about them.
    ``evidence`` are the candidates themselves, or those with evidence that was added.
    """

    candidates: Stage
    evidence: Stage
    audits: Stage
    scored: Stage
    selected: Stage
    images: Stage | None

    @property
    def of_evidence(self) -> Path:
        """Name of the folder with what a selection does not change."""
        of_images = [] if self.images is None else [self.images]
        return _named("evidence", self.candidates, self.evidence, *of_images)

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
    evidence, images = evidence_of_run(run_dir, candidates), images_stage(run_dir)
    return Stages(candidates, evidence, audits, scored, selected, images)


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
    evidence = stages.evidence.table_paths(CANDIDATES)
    write_blocks(folder / "evidence.arrow", evidence, ["label_id", "evidence", "silent"])
    if stages.images is None:
        return
    schema = images_schema(stages.images)
    columns = [name for name in ("location", "content_id") if name in schema.arrow.names]
    write_blocks(folder / FILES, stages.images.table_paths(schema), columns)
    if stages.images.name == "signals":
        write_blocks(folder / TEXTS, stages.images.table_paths(SIGNALS), ["source", "text"])


def _write_pairs(config: Config, run_dir: Path, stages: Stages, folder: Path) -> None:
    request = request_of_run(config, run_dir)
    reason = stages.selected.packed(SELECTED, ["reason"])["reason"]
    write_pairs(request, reason, taxonomy_of(stages.candidates), folder)
