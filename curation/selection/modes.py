"""The modes of selection: a share or a precision, of all, of groups or with a floor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from curation.intervals.judgements import Judgements, cut
from curation.intervals.learn_then_test import prove
from curation.intervals.thresholds import Thresholds
from curation.selection.floors import Floored, proved_with_floor, share_with_floor
from curation.selection.groups import Partition, by_label, by_level, find_groups
from curation.selection.per_group import describe_groups, proved_of_groups, share_of_groups
from curation.selection.selection import (
    Beyond,
    Selection,
    beyond_limits,
    select_above,
    select_share,
)
from labeling.errors import ConfigError
from labeling.taxonomy.taxonomy import Taxonomy

Grouping = Callable[[Judgements], Partition]
"""Judgements to the group of each candidate: groups with few audits are pooled."""


class Rule(Protocol):
    """The settings of a selection, as `pipelines.run.config.SelectSettings` documents them."""

    @property
    def keep(self) -> float:
        """Share of the candidates to keep, in (0, 1]."""

    @property
    def precision(self) -> float | None:
        """Precision to hold, in (0, 1); where it is set, `keep` is not used."""

    @property
    def confidence(self) -> float:
        """Confidence of the precision, in (0, 1)."""

    @property
    def by(self) -> str | None:
        """Property of a candidate that groups are made by."""

    @property
    def floor(self) -> int | None:
        """Candidates of each label to keep where possible."""

    @property
    def per_image(self) -> int | None:
        """Labels of an image to keep at most."""

    @property
    def per_label(self) -> int | None:
        """Images of a label to keep at most."""


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
        See `curation.selection.per_group.describe_groups`; empty where there are no groups.
    facts
        What the manifest says of the mode.
    """

    selection: Selection
    cuts: Thresholds
    groups: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


def choose(rule: Rule, scored: pa.Table, judged: Judgements, grouping: Grouping) -> Choice:
    """Keep what a rule asks for.

    Parameters
    ----------
    rule
        The settings.
    scored
        Table of `labeling.schemas.SCORED`.
    judged
        The judged ones among its rows.
    grouping
        Called only where the rule asks for groups.

    Raises
    ------
    ConfigError
        If the rule asks for groups and a floor.
    QualityError
        If the precision asked for cannot be proved.
    """
    refuse_both(rule)
    beyond = beyond_limits(scored, rule.per_image, rule.per_label)
    cuts = cut(judged, np.asarray(scored["p_correct"]), beyond == 0)
    if rule.by is not None:
        groups = grouping(judged)
        chosen = _choose_of_groups(rule, scored, groups, beyond, judged)
        rows = describe_groups(chosen, groups, judged, rule.confidence)
        return Choice(chosen, cuts, rows, {"by": rule.by})
    if rule.floor is not None:
        found = _choose_with_floor(rule, scored, rule.floor, beyond, judged)
        facts = {"floor_held": found.floor, "n_by_floor": found.n_by_floor}
        return Choice(found.selection, cuts, facts=facts)
    return Choice(_choose_of_all(rule, scored, cuts, beyond), cuts)


def refuse_both(rule: Rule) -> None:
    """Raise `ConfigError` if a rule asks for groups and a floor."""
    if rule.by is not None and rule.floor is not None:
        raise ConfigError(
            "groups and a floor cannot be had together",
            facts={"select.by": rule.by, "select.floor": rule.floor},
            help="leave one of them out",
        )


def groups_by_label(by: str, scored: pa.Table, taxonomy: Taxonomy, judged: Judgements) -> Partition:
    """Return the groups of the candidates by ``level`` or ``label``."""
    label = taxonomy.codes(scored["label_id"])
    chain = by_level(label, taxonomy) if by == "level" else by_label(label, taxonomy)
    return find_groups(chain, judged.row)


def _choose_of_groups(
    rule: Rule,
    scored: pa.Table,
    groups: Partition,
    beyond: Beyond,
    judged: Judgements,
) -> Selection:
    if rule.precision is None:
        return share_of_groups(scored, groups, beyond, rule.keep)
    return proved_of_groups(scored, groups, beyond, judged, rule.precision, rule.confidence)


def _choose_with_floor(
    rule: Rule, scored: pa.Table, floor: int, beyond: Beyond, judged: Judgements
) -> Floored:
    if rule.precision is None:
        return share_with_floor(scored, beyond, floor, rule.keep)
    return proved_with_floor(scored, beyond, judged, floor, rule.precision, rule.confidence)


def _choose_of_all(rule: Rule, scored: pa.Table, cuts: Thresholds, beyond: Beyond) -> Selection:
    if rule.precision is None:
        return select_share(scored, rule.keep, beyond)
    row = prove(cuts, rule.precision, rule.confidence)
    return select_above(scored, float(cuts.threshold[row]), beyond)
