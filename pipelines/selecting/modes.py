"""The selection of `winnow select` from the stages of a run."""

from __future__ import annotations

import pyarrow as pa

from curation.intervals.judgements import Judgements
from curation.runs.stage import Stage
from curation.selection.modes import choose
from curation.selection.selection import Request, Selection
from pipelines.run.config import SelectSettings
from pipelines.run.stages import taxonomy_of
from pipelines.selecting.scores import parts_of


def select_from(
    settings: SelectSettings, candidates: Stage, scored: pa.Table, judged: Judgements
) -> tuple[Request, Selection]:
    """Keep the candidates that the settings ask for: see `curation.selection.modes.choose`."""
    request = Request(
        scored,
        judged,
        keep=settings.keep,
        precision=settings.precision,
        confidence=settings.confidence,
        per_image=settings.per_image,
        per_label=settings.per_label,
        taxonomy=lambda: taxonomy_of(candidates),
        evidence=lambda: (part["evidence"] for part in parts_of(candidates)(["evidence"])),
    )
    return request, choose(request, settings.model_dump())
