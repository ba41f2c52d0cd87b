"""Execution at any size: Beam pipelines, the stages of a run folder and the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.api.audits import AuditSample as AuditSample
    from pipelines.api.audits import audit_import as audit_import
    from pipelines.api.audits import audit_sample as audit_sample
    from pipelines.api.audits import audit_serve as audit_serve
    from pipelines.api.candidates import label as label
    from pipelines.api.candidates import plan as plan
    from pipelines.api.candidates import status as status
    from pipelines.api.delivery import Evaluation as Evaluation
    from pipelines.api.delivery import evaluate as evaluate
    from pipelines.api.delivery import export as export
    from pipelines.api.delivery import report as report
    from pipelines.api.delivery import study as study
    from pipelines.api.delivery import train as train
    from pipelines.api.selection import evidence_add as evidence_add
    from pipelines.api.selection import evidence_remove as evidence_remove
    from pipelines.api.selection import look as look
    from pipelines.api.selection import select as select
    from pipelines.inspecting.plan import Plan as Plan
    from pipelines.inspecting.status import Status as Status
    from pipelines.jobs.from_signals import candidates_from_signals as candidates_from_signals
    from pipelines.jobs.transform import CandidatesFromSignals as CandidatesFromSignals
    from pipelines.studies.opened import Study as Study
    from pipelines.studies.opened import open_study as open_study
else:
    from labeling.exports import lazy_exports

    __all__, __getattr__, __dir__ = lazy_exports(__name__)
