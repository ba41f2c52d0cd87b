"""Fingerprints of outputs: digests of inputs, settings and the code that a stage depends on."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from typing import Any

from labeling.code_digest import PACKAGES, code_digest

MAKERS = {
    "signals": ("pipelines.jobs.signals", "labeling.readers"),
    "candidates": ("pipelines.jobs.candidates", "pipelines.auditing.import_candidates"),
    "images": ("pipelines.auditing.import_images",),
    "evidence": ("pipelines.evidence.add",),
    "look": ("pipelines.looking.look",),
    "audits": ("pipelines.auditing.sample",),
    "audits-bands": ("pipelines.auditing.pool",),
    "audits-cells": ("pipelines.auditing.strata",),
    "scored": ("pipelines.selecting.scores",),
    "selected": ("pipelines.selecting.select",),
    "ablation": ("pipelines.selecting.ablation",),
    "shards": ("pipelines.delivery.export",),
    "model": ("pipelines.delivery.train",),
    "evaluation": ("pipelines.delivery.evaluate",),
    "cell": ("pipelines.studies.cells",),
}
"""The modules that make each stage. A stage is made again when code that they import changes."""


def makers_of(stage: str) -> tuple[str, ...]:
    """Return the modules that make a stage, or all packages for an unknown stage.

    Examples
    --------
    >>> makers_of("shards-all"), makers_of("audits-cells")
    (('pipelines.delivery.export',), ('pipelines.auditing.strata',))
    """
    return MAKERS.get(stage) or MAKERS.get(stage.partition("-")[0], PACKAGES)


def code_version(stage: str) -> str:
    """Return the version of winnow with a digest of the code that makes a stage."""
    digest = code_digest(*makers_of(stage))
    return f"{importlib.metadata.version('winnow')}+{digest[:8]}"


def fingerprint(stage: str, inputs: Mapping[str, str], config: Mapping[str, Any]) -> str:
    """Return 12 hexadecimal digits that change with the inputs, the settings or the code."""
    parts = [stage, dict(sorted(inputs.items())), config, code_version(stage)]
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
