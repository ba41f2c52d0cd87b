"""Known truth: for worlds and benchmarks, where labels can be answered without a person."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from labeling.checks import conform
from labeling.readers.tables import read_pairs
from labeling.schemas import TRUTH
from labeling.taxonomy.taxonomy import Taxonomy


def read_truth(path: Path, taxonomy: Taxonomy) -> pa.Table:
    """Read the true labels of images, and add the labels above them that have a name.

    Parameters
    ----------
    path
        CSV, Parquet or JSON Lines file with columns image_id and label_id.
    taxonomy
        Holds every label of the file.

    Returns
    -------
    Table
        `labeling.schemas.TRUTH`, each pair once, sorted.
    """
    return with_labels_above(conform(read_pairs(path), TRUTH, str(path)), taxonomy)


def with_labels_above(table: pa.Table, taxonomy: Taxonomy) -> pa.Table:
    """Return pairs of image_id and label_id, and with each the labels above that have a name.

    Returns
    -------
    Table
        `labeling.schemas.TRUTH`, each pair once, sorted.
    """
    codes = taxonomy.codes(table["label_id"])
    closures = [
        np.array([code, *(above for above in taxonomy.ancestors[code] if taxonomy.names[above])])
        for code in range(len(taxonomy))
    ]
    n_each = np.array([len(closure) for closure in closures])[codes]
    rows = pa.array(np.repeat(np.arange(len(table)), n_each))
    labels = [closures[code] for code in codes]
    label = np.concatenate(labels).astype(np.int32) if labels else np.empty(0, np.int32)
    closed = pa.table(
        {"image_id": table["image_id"].take(rows), "label_id": taxonomy.ids_of(label)}
    )
    distinct = closed.group_by(["image_id", "label_id"]).aggregate([])
    return distinct.sort_by([("image_id", "ascending"), ("label_id", "ascending")]).cast(
        TRUTH.arrow
    )
