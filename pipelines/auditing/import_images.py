"""Files of the images of candidates that were made elsewhere."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from curation.runs.durable import file_digest
from curation.runs.stage import Stage, current, open_stage
from curation.runs.staging import StageWriter, refuse_nothing
from curation.runs.table_files import write_table
from labeling.errors import InputError
from labeling.objects.ahead import in_order
from labeling.objects.paths import is_remote
from labeling.readers.table_files.image_tables import ImagesFile, file_locator, read_image_table
from labeling.schemas import CANDIDATES, IMPORTED_IMAGES, REJECTS
from pipelines.jobs.images import changed_sizes
from pipelines.run.images import without_copies
from pipelines.run.losses import by_reason
from pipelines.run.progress import Progress, stage_line
from pipelines.run.saved_config import load_config, save_config
from pipelines.run.stages import contents, make_stage

HELP = (
    "name each image by its `image_id` of the candidates, and its file by a `path` from the folder"
    " of the table"
)


def import_images(run_dir: Path, table: Path) -> Stage:
    """Commit where the images of imported candidates are, so that they can be shown and exported.

    The folder of the table is the data folder of the run from now on.

    Parameters
    ----------
    table
        A file for `labeling.readers.table_files.image_tables.read_image_table`.

    Raises
    ------
    InputError
        If the run has images of its own, or the table cannot be used.
    """
    if current(run_dir, "signals") is not None:
        raise InputError(
            "the run has images of its own",
            facts={"run": run_dir},
            help="a table of images is for a run of candidates that were imported",
        )
    candidates = open_stage(run_dir, "candidates")

    def write(work: StageWriter) -> None:
        _write(work, table, pc.unique(candidates.table(CANDIDATES, ["image_id"])["image_id"]))

    with stage_line("images") as facts:
        stage = make_stage(
            run_dir,
            "images",
            write,
            inputs={**contents(candidates), "table": file_digest(table)},
            config={},
            is_complete=lambda earlier: False,  # files may have changed, which takes reading them
        )
        save_config(load_config(run_dir, {"base": str(table.parent)}), run_dir)
        facts += _lines(stage)
    return stage


def _write(work: StageWriter, path: Path, wanted: pa.Array) -> None:
    progress, n = Progress("images", "files"), len(wanted)
    read = read_image_table(path, wanted, lambda n_done: progress(n_done, max(n, n_done)))
    if not read.n_rows:
        raise InputError("a table of images has no rows", facts={"table": path}, help=HELP)
    refuse_nothing("images", _counts(read, len(wanted)), {"table": path}, HELP)
    write_images(work, read, len(wanted))


def write_images(work: StageWriter, read: ImagesFile, n_wanted: int) -> None:
    """Write the stage ``images``: those of a table, of `n_wanted` that the candidates name."""
    work.counts |= _counts(read, n_wanted)
    write_table(read.images, work.dir, IMPORTED_IMAGES.name)
    write_table(read.rejects, work.dir, REJECTS.name)


def _counts(read: ImagesFile, n_wanted: int) -> dict[str, object]:
    images = read.images
    is_file = pc.greater(images["n_bytes"], 0)
    is_digest = pc.equal(images["image_id"], images["content_id"])
    is_known = pc.or_(is_digest, pa.array(read.is_compared))
    copies = without_copies(images)["content_id"].null_count
    return {
        "in": read.n_rows,
        "out": len(images),
        "dropped": {**by_reason(read.rejects), **read.unlisted},
        "images_without_bytes": len(images) - pc.sum(is_file).as_py() if len(images) else 0,
        "without_row": n_wanted - len(images),
        "same_bytes": copies,
        "not_compared": pc.sum(pc.and_not(is_file, is_known)).as_py() or 0,
    }


def _lines(stage: Stage) -> Iterator[str]:
    counts = stage.counts
    yield f"{counts['out']:,} images"
    yield from (f"{n:,} rows not used: {reason}" for reason, n in counts["dropped"].items())
    words = {
        "images_without_bytes": "known by their URL alone",
        "without_row": "of the candidates are not in the table",
        "same_bytes": "have the bytes of another",
        "not_compared": "with neither a digest as id nor a `sha256`: their bytes were not compared",
    }
    yield from (f"{counts[name]:,} {text}" for name, text in words.items() if counts[name])


def changed_files(base: Path, stage: Stage) -> list[str]:
    """Return imported images whose files have another size than when they were read, or are back.

    Parameters
    ----------
    base
        The data folder of the run.
    stage
        The stage ``images``.
    """
    images = stage.table(IMPORTED_IMAGES)
    images = images.filter(pc.greater(images["n_bytes"], 0))
    rejects, locate = stage.table(REJECTS), file_locator(base)
    missing = rejects.filter(pc.equal(rejects["reason"], "image_missing"))["value"].to_pylist()
    is_back = in_order(lambda name: bool(locate(name)), missing, is_remote(base, missing))
    return changed_sizes(base, images) + [*itertools.compress(missing, is_back)]
