"""Labeling sources of a report: coverage, precision, overlap and agreement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from curation.agreement.label_model import Patterns
from curation.report.rates import rates
from labeling.keys.arrays import Floats, Mask


def describe_sources(
    sources: Sequence[str],
    patterns: Patterns,
    voted: Mask,
    right: Mask,
    weight: Floats,
    confidence: float,
) -> list[dict[str, Any]]:
    """Return the numbers of each source.

    Parameters
    ----------
    sources
        Names of the sources.
    patterns
        Combinations of their votes for the candidates.
    voted
        ``bool[m, n_sources]``: their votes for the audited pairs.
    right, weight
        ``[m]`` each, of the audited pairs.
    confidence
        Of the interval of each precision by itself.

    Returns
    -------
    list
        Of ``source``; ``n_candidates`` that it votes for, ``coverage``, their share of all, and
        ``n_alone``, those that no other votes for; ``n_audits``, ``precision``, ``low`` and
        ``high`` of its votes; ``overlap``, the share of its votes that each source (by name) gives
        too; and ``agreement``, the share of the candidates that this or the other votes for, and
        whose image both cover, that both vote for. Shares without candidates are None.
    """
    n = patterns.count
    votes = patterns.voted.astype(np.float64)
    covers = patterns.voted | patterns.silent
    n_votes = n @ votes
    both = votes.T @ (votes * n[:, None])
    alone = n @ (patterns.voted & (patterns.voted.sum(axis=1, keepdims=True) == 1))
    # Votes of one source on candidates whose image the other covers too.
    seen = votes.T @ (covers * n[:, None])
    either = seen + seen.T - both
    audit, source = np.nonzero(voted)
    audited = rates(source, right[audit], weight[audit], len(sources), confidence)
    return [
        {
            "source": name,
            "n_candidates": int(n_votes[i]),
            "coverage": n_votes[i] / max(n.sum(), 1),
            "n_alone": int(alone[i]),
            "n_audits": audited.n[i],
            "precision": audited.share[i],
            "low": audited.low[i],
            "high": audited.high[i],
            "overlap": _by_name(sources, both[i], np.full(len(sources), n_votes[i])),
            "agreement": _by_name(sources, both[i], either[i]),
        }
        for i, name in enumerate(sources)
    ]


def _by_name(sources: Sequence[str], n: Floats, of: Floats) -> dict[str, float | None]:
    return {name: n[j] / of[j] if of[j] else None for j, name in enumerate(sources)}
