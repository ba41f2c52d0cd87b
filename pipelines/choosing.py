"""What `winnow select` keeps, in each of its modes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from curation.floors import Floored, proved_with_floor, share_with_floor
from curation.groups import Partition, by_label, by_level, by_sources, find_groups
from curation.groupwise import describe_groups, proved_of_groups, share_of_groups
from curation.judgements import Judgements, cut
from curation.manifest import Stage
from curation.promise import prove
from curation.selection import Beyond, Selection, beyond_limits, select_above, select_share
from curation.thresholds import Thresholds
from labeling.errors import ConfigError
from pipelines.config import SelectSettings
from pipelines.scores import candidate_paths, read_parts
from pipelines.stages import taxonomy_of


@dataclass(frozen=True, eq=False)
class Choice:
    """A selection, and what led to it.

    Attributes
    ----------
    selection
        What is kept.
    cuts
        The sets of candidates above each threshold, without floors or groups.
    groups
        See `curation.groupwise.describe_groups`; empty where there are no groups.
    facts
        What the manifest says of the mode.
    """

    selection: Selection
    cuts: Thresholds
    groups: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


def choose(
    settings: SelectSettings, candidates: Stage, scored: pa.Table, judged: Judgements
) -> Choice:
    """Keep what the settings ask for.

    Raises
    ------
    ConfigError
        If the settings ask for groups and a floor.
    QualityError
        If the precision asked for cannot be proved.
    """
    refuse_both(settings)
    beyond = beyond_limits(scored, settings.per_image, settings.per_label)
    cuts = cut(judged, np.asarray(scored["p_correct"]), beyond == 0)
    if settings.by is not None:
        groups = groups_of(settings.by, candidates, scored, judged)
        chosen = _choose_of_groups(settings, scored, groups, beyond, judged)
        rows = describe_groups(chosen, groups, judged, settings.confidence)
        return Choice(chosen, cuts, rows, {"by": settings.by})
    if settings.floor is not None:
        found = _choose_with_floor(settings, scored, settings.floor, beyond, judged)
        facts = {"floor_held": found.floor, "n_by_floor": found.n_by_floor}
        return Choice(found.selection, cuts, facts=facts)
    return Choice(_choose_of_all(settings, scored, cuts, beyond), cuts)


def refuse_both(settings: SelectSettings) -> None:
    """Raise `ConfigError` if the settings ask for groups and a floor."""
    if settings.by is not None and settings.floor is not None:
        raise ConfigError(
            "groups and a floor cannot be had together",
            facts={"select.by": settings.by, "select.floor": settings.floor},
            help="leave one of them out",
        )


def groups_of(by: str, candidates: Stage, scored: pa.Table, judged: Judgements) -> Partition:
    """Return the groups of the candidates: by ``level``, ``label`` or ``source-pattern``."""
    if by == "source-pattern":
        parts = read_parts(candidate_paths(candidates), ["evidence"])
        return find_groups(by_sources(part["evidence"] for part in parts), judged.row)
    taxonomy = taxonomy_of(candidates)
    label = taxonomy.codes(scored["label_id"])
    chain = by_level(label, taxonomy) if by == "level" else by_label(label, taxonomy)
    return find_groups(chain, judged.row)


def _choose_of_groups(
    settings: SelectSettings,
    scored: pa.Table,
    groups: Partition,
    beyond: Beyond,
    judged: Judgements,
) -> Selection:
    if settings.precision is None:
        return share_of_groups(scored, groups, beyond, settings.keep)
    return proved_of_groups(scored, groups, beyond, judged, settings.precision, settings.confidence)


def _choose_with_floor(
    settings: SelectSettings, scored: pa.Table, floor: int, beyond: Beyond, judged: Judgements
) -> Floored:
    if settings.precision is None:
        return share_with_floor(scored, beyond, floor, settings.keep)
    return proved_with_floor(scored, beyond, judged, floor, settings.precision, settings.confidence)


def _choose_of_all(
    settings: SelectSettings, scored: pa.Table, cuts: Thresholds, beyond: Beyond
) -> Selection:
    if settings.precision is None:
        return select_share(scored, settings.keep, beyond)
    row = prove(cuts, settings.precision, settings.confidence)
    return select_above(scored, float(cuts.threshold[row]), beyond)
