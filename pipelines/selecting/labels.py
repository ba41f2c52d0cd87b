"""Labels that a selection leaves without images, or with few."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curation.runs.stage import Stage
from labeling.taxonomy.taxonomy import Taxonomy

FEW = 20
"""Images below which a label is hardly learned."""

MAX_NAMED = 8
"""Labels that are printed; the manifest of the stage lists all."""


def count_labels(selected: pa.Table) -> dict[str, Any]:
    """Return the number of labels kept, and the ids of those with few images.

    Parameters
    ----------
    selected
        Table of `labeling.schemas.SELECTED`.

    Returns
    -------
    dict
        ``n_labels``, labels of the candidates; ``labels_lost``, of which nothing is kept; and
        ``labels_few``, with fewer than `FEW` images. The most frequent candidates come first.
    """
    rows = selected.select(["label_id", "kept"]).group_by("label_id")
    counts = rows.aggregate([("kept", "count"), ("kept", "sum")])
    counts = counts.sort_by([("kept_count", "descending"), ("label_id", "ascending")])
    n_kept = counts["kept_sum"]
    few = pc.and_(pc.greater(n_kept, 0), pc.less(n_kept, FEW))
    return {
        "n_labels": len(counts),
        "labels_lost": counts.filter(pc.equal(n_kept, 0))["label_id"].to_pylist(),
        "labels_few": counts.filter(few)["label_id"].to_pylist(),
    }


def label_lines(selected: Stage, taxonomy: Taxonomy, floor: int) -> Iterator[str]:
    """Yield lines about the labels that a selection leaves without images, or with few."""
    facts = selected.facts
    lost, few = facts["labels_lost"], facts["labels_few"]
    n_kept = facts["n_labels"] - len(lost)
    if not lost and not few:
        return
    yield f"  labels: {n_kept:,} of {facts['n_labels']:,} kept"
    for title, ids in (("nothing is kept of", lost), (f"fewer than {FEW} images of", few)):
        if ids:
            yield f"  {title} {len(ids):,}: {_names(ids, taxonomy)}"
    if not floor:
        yield f"  `--floor {FEW}` keeps the best {FEW} of each label"


def _names(ids: Sequence[str], taxonomy: Taxonomy) -> str:
    names = [taxonomy.display_name(taxonomy.code(label_id)) for label_id in ids[:MAX_NAMED]]
    return ", ".join(names) + (", …" if len(ids) > MAX_NAMED else "")
