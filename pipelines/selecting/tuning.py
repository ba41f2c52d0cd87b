"""Results of keeping other shares of the candidates of a run, for its report and audit page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from curation.runs.stage import Stage, open_stage
from curation.selection.selection import Request
from labeling.schemas import AUDITS, SCORED
from pipelines.auditing.auditor_errors import rates_of
from pipelines.auditing.looks import confidence_now
from pipelines.run.config import Config, SelectSettings
from pipelines.run.paths import typed
from pipelines.selecting.select import judge, request_of

OPTIONS = {
    "confidence": "--confidence",
    "by": "--by",
    "floor": "--floor",
    "per_label": "--per-label",
}
"""Settings of a selection that have an option."""

_SHAPING = [*(("select", name) for name in (*OPTIONS, "per_image")), ("audit", "error_rate")]
"""Settings on which the table depends."""


def request_of_run(config: Config, run_dir: Path) -> Request:
    """Return a request of the current scores and audits, with the confidence of one look.

    Raises
    ------
    InputError
        If the run has no scores, or those of other audits.
    """
    candidates, audits = open_stage(run_dir, "candidates"), open_stage(run_dir, "audits")
    verdicts, scored = audits.table(AUDITS), open_stage(run_dir, "scored").packed(SCORED)
    confidence = confidence_now(run_dir, audits, config.select.confidence)
    settings = config.select.model_copy(update={"confidence": confidence})
    errors = rates_of(config, audits, confidence)
    judged = replace(judge(run_dir, candidates, verdicts, scored), errors=errors)
    return request_of(settings, candidates, scored, judged)


def read_tuning(selected: Stage) -> dict[str, Any] | None:
    """Return the table that a selection wrote, with ``chosen``; None if an earlier version did."""
    path = selected.dir / "tuning.json"
    if not path.exists():
        return None
    facts, counts = selected.facts, selected.counts
    table: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return table | {
        "chosen": {
            "share": counts["out"] / max(counts["in"], 1),
            "n_kept": counts["out"],
            "precision": facts["precision"],
            "low": facts["precision_low"],
            "high": facts["precision_high"],
        }
    }


def as_selected(config: Config, selected: Stage) -> Config:
    """Return the settings with those that a selection was made with."""
    used = selected.manifest["config"]
    names = SelectSettings.model_fields.keys() & used.keys()
    select = config.select.model_copy(update={name: used[name] for name in names})
    rate = used.get("error_rate", config.audit.error_rate)
    audit = config.audit.model_copy(update={"error_rate": rate})
    return config.model_copy(update={"select": select, "audit": audit})


def select_command(run_dir: Path, config: Config, stored: Config) -> str:
    """Return the command whose shares a table is of, without the share.

    Parameters
    ----------
    config, stored
        Settings of the table, and those that the command has by itself.

    Examples
    --------
    >>> settings = Config(taxonomy={"path": "labels.csv"})
    >>> select = settings.select.model_copy(update={"floor": 0, "per_image": 3})
    >>> changed = settings.model_copy(update={"select": select})
    >>> select_command(Path.cwd() / "runs" / "mine", changed, settings)
    'winnow select runs/mine --floor 0 -o select.per_image=3'
    """
    options = ""
    for section, name in _SHAPING:
        value = getattr(getattr(config, section), name)
        if value != getattr(getattr(stored, section), name):
            option = OPTIONS.get(name) if value is not None else None
            text = "" if value is None else str(value)
            options += f" {option} {text}" if option else f" -o {section}.{name}={text}"
    return f"winnow select {typed(run_dir)}{options}"
