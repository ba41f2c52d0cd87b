"""Known truth, which answers for a person in made-up webs and benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from labeling.checks import conform
from labeling.readers.table_files.tables import read_pairs
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

    Raises
    ------
    InputError
        If the file cannot be read, or has a label that the taxonomy lacks, with its row.
    """
    table = conform(read_pairs(path), TRUTH, str(path))
    return with_labels_above(table, taxonomy, lambda row: f"{path}, row {row + 1:,}")


def with_labels_above(
    table: pa.Table, taxonomy: Taxonomy, row_name: Callable[[int], str] = "row {}".format
) -> pa.Table:
    """Return pairs of image_id and label_id, and with each the labels above that have a name.

    `row_name` names a row in the error about an unknown label, from 0.

    Returns
    -------
    Table
        `labeling.schemas.TRUTH`, each pair once, sorted.
    """
    ids, names = taxonomy.label_ids, taxonomy.names
    closures = [
        [ids[code], *(ids[above] for above in taxonomy.ancestors[code] if names[above])]
        for code in range(len(taxonomy))
    ]
    lists = pa.array(closures, pa.list_(pa.string())).take(
        pa.array(taxonomy.codes(table["label_id"], row_name))
    )
    pairs = pa.table(
        {
            "image_id": table["image_id"].take(pc.list_parent_indices(lists)),
            "label_id": pc.list_flatten(lists),
        }
    )
    distinct = pairs.group_by(TRUTH.arrow.names).aggregate([])
    return distinct.sort_by([(name, "ascending") for name in TRUTH.arrow.names]).cast(TRUTH.arrow)
