"""Labels that a selection or an export leaves without images, or with few."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from curation.pairs.packed import spell
from curation.runs.stage import Stage
from curation.selection.floors import FEW
from labeling.taxonomy.taxonomy import Taxonomy
from pipelines.run.stages import labels_of

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
    counts = spell(rows.aggregate([("kept", "count"), ("kept", "sum")]))
    counts = counts.sort_by([("kept_count", "descending"), ("label_id", "ascending")])
    return _facts(counts["label_id"].to_pylist(), counts["kept_sum"].to_pylist())


def count_exported(shards: Stage, candidates: Stage) -> dict[str, Any]:
    """Return the number of labels to train on, as `count_labels`, of all labels of candidates."""
    content = json.loads((shards.dir / "labels.json").read_text("utf-8"))
    n_images = dict(zip(content["label_ids"], content["n_images"], strict=True))
    label_ids = labels_of(candidates)
    return _facts(label_ids, [n_images.get(label_id, 0) for label_id in label_ids])


def _facts(label_ids: Sequence[str], n_images: Sequence[int]) -> dict[str, Any]:
    pairs = list(zip(label_ids, n_images, strict=True))
    return {
        "n_labels": len(pairs),
        "labels_lost": [label_id for label_id, n in pairs if not n],
        "labels_few": [label_id for label_id, n in pairs if 0 < n < FEW],
    }


def label_lines(
    facts: Mapping[str, Any], taxonomy: Taxonomy, what: str, floor: int | None = None
) -> Iterator[str]:
    """Yield lines about labels without images, or with few.

    Parameters
    ----------
    facts
        As of `count_labels`.
    what
        Words for what labels with images are: ``is kept`` or ``to train on``.
    floor
        Floor of the selection; None without one.
    """
    lost, few = facts["labels_lost"], facts["labels_few"]
    n_kept = facts["n_labels"] - len(lost)
    if not lost and not few:
        return
    yield f"  labels: {n_kept:,} of {facts['n_labels']:,} {what.removeprefix('is ')}"
    for title, ids in ((f"nothing {what} of", lost), (f"fewer than {FEW} images of", few)):
        if ids:
            yield f"  {title} {len(ids):,}: {_names(ids, taxonomy)}"
    if floor == 0:
        yield f"  `--floor {FEW}` keeps the best {FEW} of each label"


def _names(ids: Sequence[str], taxonomy: Taxonomy) -> str:
    names = [taxonomy.display_name(taxonomy.code(label_id)) for label_id in ids[:MAX_NAMED]]
    return ", ".join(names) + (", …" if len(ids) > MAX_NAMED else "")
