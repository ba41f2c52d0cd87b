"""The page of a study, and what a run's report shows of the studies in its folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from curation.report.report import render_page
from curation.runs.stage import current
from pipelines.run.progress import say
from pipelines.studies.figure import study_svg
from pipelines.studies.summary import name_of_measure, name_of_set, sentences

Facts = Mapping[str, Any]


def study_page(facts: Facts, said: Sequence[str]) -> str:
    """Return the page: picture, sentences and means, in one file.

    Parameters
    ----------
    facts
        As `pipelines.studies.results.study_facts` returns them.
    said
        `pipelines.studies.summary.sentences`.
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
        figure=Markup(study_svg(facts)),
        confidence=facts["confidence"],
        sizes=facts["sizes"],
        rows=rows,
    )


def studies_in(run_dir: Path) -> Iterator[dict[str, Any]]:
    """Yield name, sentences and picture of each study in a run's folder that is of today.

    A study that was made from stages which are no longer in force is left out, with a word.
    """
    for path in sorted(run_dir.glob("*/study.json")):
        facts: Facts = json.loads(path.read_text(encoding="utf-8"))
        name = path.parent.name
        if all(_in_force(run_dir, *made_from) for made_from in facts["made_from"].items()):
            yield {"name": name, "said": sentences(facts), "figure": study_svg(facts)}
        else:
            say(f"the study {name} is of an earlier selection: the report leaves it out")


def _in_force(run_dir: Path, stage: str, content: str) -> bool:
    found = current(run_dir, stage)
    return found is not None and found.content == content
