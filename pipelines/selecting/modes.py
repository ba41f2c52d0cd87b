"""The selection of `winnow select` from the stages of a run."""

from __future__ import annotations

import pyarrow as pa

from curation.intervals.judgements import Judgements
from curation.runs.stage import Stage
from curation.selection.groups import Partition, by_sources, find_groups
from curation.selection.modes import Choice, Rule, groups_by_label
from curation.selection.modes import choose as choose_from
from pipelines.run.stages import taxonomy_of
from pipelines.selecting.scores import parts_of


def choose(rule: Rule, candidates: Stage, scored: pa.Table, judged: Judgements) -> Choice:
    """Keep what the settings ask for: see `curation.selection.modes.choose`."""

    def grouping(judged: Judgements) -> Partition:
        if rule.by == "source-pattern":
            evidence = (part["evidence"] for part in parts_of(candidates)(["evidence"]))
            return find_groups(by_sources(evidence), judged.row)
        return groups_by_label(str(rule.by), scored, taxonomy_of(candidates), judged)

    return choose_from(rule, scored, judged, grouping)
