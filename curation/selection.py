"""Which candidates to keep: the most probable share, or a random one to compare with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.pairs import pair_hash
from labeling.errors import InputError
from labeling.schemas import SCORED, SELECTED, check


@dataclass(frozen=True, eq=False)
class Selection:
    """What was kept.

    Attributes
    ----------
    table
        Table of `labeling.schemas.SELECTED`: every scored candidate, in the order it came.
    n_kept
        Number of candidates kept.
    threshold
        The smallest probability kept; None where nothing was kept or chance chose.
    """

    table: pa.Table
    n_kept: int
    threshold: float | None


def select_share(scored: pa.Table, share: float = 1 / 3) -> Selection:
    """Keep the most probable candidates: exactly ``round(share * n)``, halves to even.

    Of equally probable candidates at the threshold those with the smallest hash of the pair are
    kept, so that the order of the rows does not matter.

    Parameters
    ----------
    scored
        Table of `labeling.schemas.SCORED`.
    share
        In (0, 1].

    Raises
    ------
    InputError
        For a share out of range, or a table of another schema (a probability that is NaN, too).
    """
    n_kept = _n_kept(scored, share)
    p = np.asarray(scored["p_correct"])
    order = np.lexsort((pair_hash(scored), -p))
    threshold = float(p[order[n_kept - 1]]) if n_kept else None
    return Selection(_mark(scored, order[:n_kept]), n_kept, threshold)


def select_above(scored: pa.Table, threshold: float) -> Selection:
    """Keep the candidates that are at least as probable as the threshold, ties together."""
    check(scored, SCORED, where="scored")
    rows = np.flatnonzero(np.asarray(scored["p_correct"]) >= threshold)
    return Selection(_mark(scored, rows), len(rows), threshold if len(rows) else None)


def random_share(scored: pa.Table, share: float, seed: int) -> Selection:
    """Keep as many candidates as `select_share`, chosen by a hash of the pair and the seed."""
    n_kept = _n_kept(scored, share)
    order = np.argsort(pair_hash(scored, seed), kind="stable")
    return Selection(_mark(scored, order[:n_kept]), n_kept, None)


def _n_kept(scored: pa.Table, share: float) -> int:
    check(scored, SCORED, where="scored")
    if not 0 < share <= 1:
        raise InputError(
            "the share to keep is not above 0 and at most 1",
            facts={"share": share},
            help="a third is 0.333",
        )
    return round(share * len(scored["p_correct"]))


def _mark(scored: pa.Table, rows: npt.NDArray[np.int64]) -> pa.Table:
    mask = np.zeros(scored.num_rows, bool)
    mask[rows] = True
    kept = pa.array(mask)
    reason = pc.if_else(kept, "kept", "below_threshold")
    marked = scored.append_column("kept", kept).append_column("reason", reason)
    return marked.cast(SELECTED.arrow)
