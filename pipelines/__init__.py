"""How winnow runs, at any size: Beam pipelines, the run folder's stages and the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.passes.from_signals import candidates_from_signals as candidates_from_signals
    from pipelines.passes.transform import CandidatesFromSignals as CandidatesFromSignals
    from pipelines.studies.opened import Study as Study
    from pipelines.studies.opened import open_study as open_study
else:
    from labeling.exports import lazy_exports

    __all__, __getattr__, __dir__ = lazy_exports(
        __name__,
        {
            "pipelines.passes.from_signals": "candidates_from_signals",
            "pipelines.studies.opened": "Study open_study",
            "pipelines.passes.transform": "CandidatesFromSignals",
        },
    )
