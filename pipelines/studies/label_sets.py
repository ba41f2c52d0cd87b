"""The label sets of a study: those that a run has, and what other precisions would keep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from curation.pairs.packed import spell
from curation.runs.code import fingerprint
from curation.runs.stage import Stage, current, open_stage, verify
from labeling.schemas import AUDITS
from pipelines.auditing.auditor_errors import rates_of
from pipelines.auditing.looks import confidence_now
from pipelines.delivery.export import (
    LabelSet,
    export_labels,
    is_complete,
    label_set_of,
    shards_made_from,
)
from pipelines.run.config import Config, SelectSettings
from pipelines.run.dependencies import digests_of
from pipelines.run.stages import stage_name
from pipelines.selecting.select import judge_and_choose
from pipelines.studies.settings import held_precision


def shards_of(config: Config, run_dir: Path, study_dir: Path, name: str) -> Stage:
    """Return the shards of a label set: those of the run if they are current, else the study's.

    Shards of the run that lack images which can be read now are not current.

    Raises
    ------
    InputError
        If the run has no selection, or one that was made from other candidates.
    QualityError
        If the precision of a label set cannot be proved.
    """
    precision = held_precision(name)
    if precision is None:
        labels = label_set_of(run_dir, name)
    else:
        labels = _kept_at(config, run_dir, name, precision)
    of_run = current(run_dir, stage_name("shards", name))
    inputs, settings = shards_made_from(config, run_dir, labels)
    if of_run is not None and of_run.fingerprint == fingerprint(of_run.name, inputs, settings):
        verify(of_run)
        if is_complete(config, run_dir, of_run):
            return of_run
    return export_labels(config, run_dir, study_dir, labels)


def _kept_at(config: Config, run_dir: Path, name: str, precision: float) -> LabelSet:
    """Return the labels that `winnow select --precision` would keep; the run stays as it is."""
    candidates, audits, scored = (
        open_stage(run_dir, stage) for stage in ("candidates", "audits", "scored")
    )
    confidence = confidence_now(run_dir, audits, config.select.confidence)
    changed: dict[str, Any] = {"precision": precision, "confidence": confidence}
    settings: SelectSettings = config.select.model_copy(update=changed)

    def pairs() -> pa.Table:
        verdicts = audits.table(AUDITS)
        errors = rates_of(config, audits, confidence)
        _, selection = judge_and_choose(run_dir, settings, candidates, verdicts, scored, errors)
        return spell(selection.table)

    return LabelSet(
        name,
        (audits, scored),
        settings.model_dump(mode="json")
        | {"error_rate": config.audit.error_rate, **digests_of("selected", config)},
        pairs,
        {"precision_held": precision, "confidence": confidence},
    )
