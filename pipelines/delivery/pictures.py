"""Pictures of a report: small, each with the evidence for its label."""

from __future__ import annotations

import base64
import functools
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
from PIL import Image

from curation.report.labels import senses
from curation.runs.stage import current, open_stage
from curation.shards.images import BadImage, read_image
from labeling.keys.arrays import Ints
from labeling.objects.paths import path_of
from labeling.schemas import CANDIDATES, SIGNALS
from labeling.taxonomy.taxonomy import Taxonomy
from pipelines.evidence.added import with_added
from pipelines.page.lookup import files_of_images, rows_of
from pipelines.run.config import Config
from pipelines.run.images import images_stage
from pipelines.run.progress import notify

SIDE = 160
"""Longest side in pixels."""

N_TRIED = 4
"""Rows of a grid that are looked up for each picture: some images may be missing."""

MAX_TEXTS, MAX_TEXT = 3, 160
"""Texts of a picture, and their length."""

Facts = dict[str, Any]


def show_grids(
    config: Config,
    run_dir: Path,
    selected: pa.Table,
    taxonomy: Taxonomy,
    grids: Mapping[str, tuple[Ints, int]],
) -> dict[str, list[Facts]]:
    """Return the pictures of each grid, those first that come first; each image once.

    Parameters
    ----------
    selected
        Table of `labeling.schemas.SELECTED`.
    grids
        Rows of `selected` and the number of pictures to show, by name.

    Returns
    -------
    dict
        By name, lists of ``data_uri``, ``label``, ``sense``, ``p_correct``, ``reason``,
        ``image_id`` and ``location``, with the evidence: ``votes`` and ``texts``. Images that
        cannot be shown are left out. It is empty for a run that was imported without images.
    """
    if images_stage(run_dir) is None:
        return {}
    tried = {name: rows[: n * N_TRIED] for name, (rows, n) in grids.items()}
    tables = {name: selected.take(pa.array(rows)) for name, rows in tried.items()}
    image_ids = {image for table in tables.values() for image in table["image_id"].to_pylist()}
    files = files_of_images(run_dir, image_ids)
    describe = _describer(run_dir, image_ids, taxonomy)
    missing: list[str] = []

    @functools.cache
    def data_uri(image_id: str) -> str | None:
        file = files.get(image_id)
        if file is None:
            return None
        try:
            image = read_image(*file, path_of(config.base))
        except BadImage as error:
            missing.extend([file.location] if error.reason == "image_missing" else [])
            return None
        return _data_uri(image.jpeg)

    def pictures(table: pa.Table) -> Iterator[Facts]:
        for row in _first_of_images(table.to_pylist()):
            uri = data_uri(row["image_id"])
            if uri is not None:
                location = files[row["image_id"]].location
                yield {"data_uri": uri, **describe(row), "location": location}

    shown = {name: list(islice(pictures(tables[name]), n)) for name, (_, n) in grids.items()}
    if missing:
        notify(
            f"{len(missing):,} images that the report would show are missing in {config.base},"
            f" the first is {missing[0]}: set `base` to their folder"
        )
    return shown


def _first_of_images(rows: Sequence[Facts]) -> list[Facts]:
    first: dict[str, Facts] = {}
    for row in rows:
        first.setdefault(row["image_id"], row)
    return list(first.values())


def _describer(run_dir: Path, image_ids: set[str], taxonomy: Taxonomy) -> Callable[[Facts], Facts]:
    """Return a function that gives a row its label in words, its reason and its evidence."""
    candidates = rows_of(with_added(open_stage(run_dir, "candidates")), CANDIDATES, image_ids)
    columns = (candidates[name].to_pylist() for name in ("image_id", "label_id", "evidence"))
    votes = {(image, label): evidence for image, label, evidence in zip(*columns, strict=True)}
    texts = _texts(run_dir, image_ids)
    sense = senses(taxonomy)

    def describe(row: Facts) -> Facts:
        code = taxonomy.code(row["label_id"])
        of_pair = votes.get((row["image_id"], row["label_id"]), [])
        voting = {vote["source"] for vote in of_pair}
        of_image = [each for each in texts.get(row["image_id"], ()) if each["source"] in voting]
        return {
            "image_id": row["image_id"],
            "label": taxonomy.display_name(code),
            "sense": sense[code],
            "p_correct": row["p_correct"],
            "reason": row["reason"],
            "votes": of_pair,
            "texts": of_image[:MAX_TEXTS],
        }

    return describe


def _texts(run_dir: Path, image_ids: set[str]) -> dict[str, list[Facts]]:
    """Return the distinct texts of images, cut, by image and in the order of source and text."""
    if current(run_dir, "signals") is None:
        return {}
    columns = ["image_id", "source", "text"]
    rows = rows_of(open_stage(run_dir, "signals"), SIGNALS, image_ids).select(columns)
    rows = rows.group_by(columns).aggregate([]).sort_by([(name, "ascending") for name in columns])
    texts: dict[str, list[Facts]] = {}
    for row in rows.to_pylist():
        text = row["text"]
        cut = text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"
        texts.setdefault(row["image_id"], []).append({"source": row["source"], "text": cut})
    return texts


def _data_uri(jpeg: bytes) -> str:
    with Image.open(io.BytesIO(jpeg)) as image:
        image.thumbnail((SIDE, SIDE))
        small = io.BytesIO()
        image.save(small, "JPEG", quality=75)
    return f"data:image/jpeg;base64,{base64.b64encode(small.getvalue()).decode()}"
