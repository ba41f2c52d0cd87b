"""How winnow runs, at any size: Beam pipelines, the run folder's stages and the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.from_signals import candidates_from_signals as candidates_from_signals
    from pipelines.study.opened import Study as Study
    from pipelines.study.opened import open_study as open_study
    from pipelines.transform import CandidatesFromSignals as CandidatesFromSignals
else:
    from labeling.exports import lazy_exports

    __all__, __getattr__, __dir__ = lazy_exports(
        __name__,
        {
            "pipelines.from_signals": "candidates_from_signals",
            "pipelines.study.opened": "Study open_study",
            "pipelines.transform": "CandidatesFromSignals",
        },
    )
