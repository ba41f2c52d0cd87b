"""The images of a run: those of its signals, or those that came with imported candidates."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.runs.stage import Stage, current, open_stage
from labeling.errors import InputError
from labeling.schemas import IMAGES, IMPORTED_IMAGES, TableSchema

NAMES = ("signals", "images")
"""Stages that hold images."""


def images_stage(run_dir: Path) -> Stage | None:
    """Return the stage that holds the images of a run, or None; its files are not compared."""
    stages = (current(run_dir, name) for name in NAMES)
    return next(filter(None, stages), None)


def open_images(run_dir: Path) -> Stage:
    """Return the stage that holds the images of a run, after comparing its files.

    Raises
    ------
    InputError
        If the run has no images.
    """
    stage = images_stage(run_dir)
    if stage is None and current(run_dir, "candidates") is not None:
        raise InputError(
            "the run has no images",
            facts={"run": run_dir},
            help="its candidates were imported: give a table of the files of their images to"
            " `winnow audit import`, with `images=`",
        )
    return open_stage(run_dir, "signals" if stage is None else stage.name)


def images_schema(stage: Stage) -> TableSchema:
    """Return the schema of the images of a stage."""
    return IMAGES if stage.name == "signals" else IMPORTED_IMAGES


def images_of(stage: Stage) -> pa.Table:
    """Return the images of a stage, with the digest of their bytes where the id is not that."""
    return stage.table(images_schema(stage))


def some_images(stage: Stage, image_ids: Collection[str]) -> pa.Table:
    """Return a few of the images of a stage, read without the others."""
    schema = images_schema(stage)
    condition = pc.field("image_id").isin(pa.array(sorted(image_ids), pa.string()))
    paths = stage.table_paths(schema)
    return pa.concat_tables(
        pq.read_table(path, schema=schema.arrow, filters=condition) for path in paths
    )


def without_copies(images: pa.Table) -> pa.Table:
    """Return images of which those with the bytes of an earlier one have no ``content_id``."""
    if "content_id" not in images.column_names:
        return images
    column = images["content_id"]
    code = np.asarray(column.combine_chunks().dictionary_encode().indices, np.int64)
    is_first = np.zeros(len(code), bool)
    is_first[np.unique(code, return_index=True)[1]] = True
    is_read = np.asarray(pc.greater(images["n_bytes"], 0), bool)
    contents = pc.if_else(pa.array(is_first | ~is_read), column, None)
    number = images.column_names.index("content_id")
    return images.set_column(number, "content_id", contents)
