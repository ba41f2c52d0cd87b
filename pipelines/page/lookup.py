"""Rows of a few images from the tables of a run, read without the other rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.runs.stage import Stage, current, open_stage
from labeling.schemas import CANDIDATES, SIGNALS, TableSchema
from pipelines.run.images import images_stage, some_images

MAX_TEXTS = 20
"""Texts of an image that are shown."""


def rows_of(
    stage: Stage,
    schema: TableSchema,
    image_ids: Collection[str],
    columns: Sequence[str] | None = None,
) -> pa.Table:
    """Return the rows of a table whose image is one of a few; by default with all columns."""
    condition = pc.field("image_id").isin(pa.array(sorted(image_ids), pa.string()))
    paths = stage.table_paths(schema)
    return pa.concat_tables(
        pq.read_table(path, columns=columns, schema=schema.arrow, filters=condition)
        for path in paths
    )


class ImageFile(NamedTuple):
    """Digest of the bytes of an image, and where they are."""

    content_id: str
    location: str


def files_of_images(run_dir: Path, image_ids: Collection[str]) -> dict[str, ImageFile]:
    """Return the files of images, by id; a run that was imported may know none."""
    stage = images_stage(run_dir)
    if stage is None:
        return {}
    rows = some_images(open_stage(run_dir, stage.name), image_ids).to_pylist()
    ids = ((row["image_id"], row.get("content_id"), row["location"]) for row in rows)
    return {image: ImageFile(content or image, location) for image, content, location in ids}


def evidence_of(run_dir: Path, candidates: Stage, image_id: str, label_id: str) -> dict[str, Any]:
    """Return the evidence for a pair: votes of sources, and texts of the image."""
    rows = rows_of(candidates, CANDIDATES, [image_id])
    candidate = rows.filter(pc.equal(rows["label_id"], label_id))
    votes = candidate["evidence"].to_pylist()[0] if len(candidate) else []
    return {"votes": votes, "texts": _texts(run_dir, image_id)}


def _texts(run_dir: Path, image_id: str) -> list[dict[str, str]]:
    signals = current(run_dir, "signals")  # not compared with its digests for each image
    if signals is None:
        return []
    rows = rows_of(signals, SIGNALS, [image_id])
    columns = rows.select(["source", "text"]).to_pylist()
    distinct = {(row["source"], row["text"]): None for row in columns}
    return [{"source": source, "text": text} for source, text in distinct][:MAX_TEXTS]
