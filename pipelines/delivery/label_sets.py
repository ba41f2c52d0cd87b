"""Label sets: rules by which candidates of a run become labels.

Another rule is one more entry of `LABEL_SETS`. The command line lists their names, so NumPy and
Arrow are imported only when a rule is applied.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def _selected(candidates: pa.Table) -> pa.Table:
    return candidates


def _all(candidates: pa.Table) -> pa.Table:
    return _drawn(candidates, 1.0)


def _random(candidates: pa.Table) -> pa.Table:
    n_kept = candidates["kept"].to_numpy().sum()
    return _drawn(candidates, n_kept / max(len(candidates), 1))


def _drawn(candidates: pa.Table, share: float) -> pa.Table:
    """Draw labels at random; the target of each is 1, for a probability belongs to a selection."""
    import numpy as np
    import pyarrow as pa

    from curation.selection.selection import random_share
    from labeling.schemas import SCORED, SELECTED

    labels = random_share(candidates.select(SCORED.arrow.names), share, seed=0).table
    target = pa.array(np.ones(len(labels), np.float32))
    name = "p_correct"
    return labels.set_column(labels.column_names.index(name), SELECTED.arrow.field(name), target)


LABEL_SETS: dict[str, Callable[[pa.Table], pa.Table]] = {
    "selected": _selected,
    "all": _all,
    "random": _random,
}
"""By name: from the candidates to the labels, both tables of `labeling.schemas.SELECTED`."""
