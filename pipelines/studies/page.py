"""The page of a study, and the part of a run's report on the studies in its folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from curation.report.report import render_page
from curation.runs.stage import current
from pipelines.run.progress import notify
from pipelines.studies.figure import study_svg
from pipelines.studies.opened import open_study
from pipelines.studies.summary import mean_rows, sentences

Facts = Mapping[str, Any]


def study_page(facts: Facts) -> str:
    """Return the page: picture, sentences and means, in one file.

    Parameters
    ----------
    facts
        The content of ``study.json``.
    """
    return render_page(
        "study.html",
        sentences=sentences(facts),
        figure=Markup(study_svg(facts)),
        confidence=facts["confidence"],
        sizes=facts["sizes"],
        rows=mean_rows(facts),
    )


def studies_in(run_dir: Path) -> Iterator[dict[str, Any]]:
    """Yield name, sentences and picture of each current study in a run's folder.

    A study that was made from earlier outputs of stages is left out, with a message.
    """
    for path in sorted(run_dir.glob("*/study.json")):
        facts = open_study(path.parent).facts
        name = path.parent.name
        if all(_is_current(run_dir, *made_from) for made_from in facts["made_from"].items()):
            yield {"name": name, "sentences": sentences(facts), "figure": study_svg(facts)}
        else:
            notify(f"the study {name} is of an earlier selection: the report leaves it out")


def _is_current(run_dir: Path, name: str, content: str) -> bool:
    stage = current(run_dir, name)
    return stage is not None and stage.content == content
