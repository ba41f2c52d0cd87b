"""The page of a study: its picture, its sentences and the means, in one file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from curation.report import render_page
from pipelines.study.summary import name_of_measure, name_of_set


def study_page(facts: Mapping[str, Any], said: Sequence[str], figure: str) -> str:
    """Return the page.

    Parameters
    ----------
    facts
        As `pipelines.study.results.study_facts` returns them.
    said
        `pipelines.study.summary.sentences`.
    figure
        SVG, as `pipelines.study.drawing.draw_study` returns it.
    """
    rows = [
        {
            "measure": name_of_measure(line["task"], line["measure"]),
            "labels": name_of_set(line["label_set"]),
            "network": f"ResNet-{line['depth']}",
            "values": [at["estimate"] for at in line["points"]],
        }
        for line in facts["lines"]
    ]
    return render_page(
        "study.html",
        sentences=said,
        figure=Markup(figure),
        confidence=facts["confidence"],
        sizes=facts["sizes"],
        rows=rows,
    )
