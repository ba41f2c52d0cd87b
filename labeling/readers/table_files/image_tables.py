"""Tables of the files of images whose ids are given: rows to ids, places and digests."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labeling.errors import InputError
from labeling.keys import ids
from labeling.keys.arrays import Mask
from labeling.keys.runs import run_starts
from labeling.objects.ahead import in_order
from labeling.objects.client import is_address
from labeling.objects.paths import is_remote, path_of
from labeling.readers.image_files import Located, Locator
from labeling.readers.table_files.row_values import bad_images, given, rejects_of, texts_of
from labeling.readers.table_files.tabular import Batch, read_batches
from labeling.schemas import IMPORTED_IMAGES, REJECTS

COLUMNS = {"image_id": "image_id", "image": "path", "sha256": "sha256"}

SHA256 = r"^[0-9a-fA-F]{64}$"


class ImagesFile(NamedTuple):
    """The images of a table, its number of rows, and what was not used.

    Attributes
    ----------
    images
        `labeling.schemas.IMPORTED_IMAGES`, sorted by id.
    is_compared
        ``bool[n]``: the bytes of the image have the digest that the table gives.
    n_rows
        Rows of the table.
    rejects
        `labeling.schemas.REJECTS`.
    unlisted
        Rows that are neither used nor among the rejects, by reason.
    """

    images: pa.Table
    is_compared: Mask
    n_rows: int
    rejects: pa.Table
    unlisted: dict[str, int]


def read_image_table(
    path: Path, image_ids: pa.Array, progress: Callable[[int], object] = lambda n_done: None
) -> ImagesFile:
    """Read where the files of images are, and the digests of their bytes.

    Parameters
    ----------
    path
        Parquet, CSV, TSV or JSON Lines file with the columns ``image_id``, ``path`` (from the
        folder of the table, or the URL of an object) and optionally ``sha256``, 64 hexadecimal
        digits.
    image_ids
        The images to read; rows of others are counted as ``unknown_image``.
    progress
        Called after each file with the number of files that were read.

    Returns
    -------
    ImagesFile
        Rows without a path (``no_image``), with a path outside of the folder or without a file
        (``image_missing``), with an empty one (``empty_image``) or a pointer of Git LFS
        (``lfs_pointer``), with a digest of another form (``bad_sha256``) or of other bytes
        (``content_changed``), and rows that cannot be read, are rejects. Further rows of an image
        are counted as ``repeated``.

    Raises
    ------
    InputError
        If the file cannot be read or lacks a column, or an image has two files of other bytes.
    """
    locate, known, n_files = file_locator(path.parent), pa.array(image_ids), itertools.count(1)
    counts: Counter[str] = Counter()
    rejects, parts, compared = [REJECTS.empty()], [IMPORTED_IMAGES.empty()], []
    for batch in read_batches(path, COLUMNS, ("image_id", "image"), ("sha256",)):
        image_id = pc.utf8_lower(given(batch.table, "image_id"))
        is_known = np.asarray(pc.is_in(image_id, value_set=known), bool)
        counts["rows"] += len(is_known) + len(batch.bad)
        counts["unknown_image"] += int(np.sum(~is_known))
        mask = pa.array(is_known)
        used = batch._replace(table=batch.table.filter(mask), rows=batch.rows[is_known])
        references = texts_of(used.table, "image")
        remote = is_remote(path.parent, references)
        located = []
        for file in in_order(locate, references, remote):
            located.append(file)
            progress(next(n_files))
        rejected, images, is_compared = _parse(used, image_id.filter(mask), located)
        rejects.append(rejected)
        parts.append(images)
        compared.append(is_compared)
    n_rows = counts.pop("rows")
    images, is_compared = _each_once(pa.concat_tables(parts), np.concatenate(compared), path)
    counts["repeated"] = sum(map(len, parts)) - len(images)
    unlisted = {reason: n for reason, n in counts.items() if n}
    return ImagesFile(images, is_compared, n_rows, pa.concat_tables(rejects), unlisted)


def file_locator(folder: Path) -> Callable[[str], Located | None]:
    """Return a function that finds the file of a path, or of the address of an object."""
    in_folder = Locator(folder, ())

    def locate(reference: str) -> Located | None:
        if not is_address(reference):
            return in_folder.locate(reference)
        try:
            with path_of(reference).open("rb") as file:
                return Located(ids.digest_file(file), reference, file.tell())
        except (FileNotFoundError, ValueError):
            return None

    return locate


def _parse(
    batch: Batch, image_id: pa.ChunkedArray, located: Sequence[Located | None]
) -> tuple[pa.Table, pa.Table, Mask]:
    """Return the rejects and the images of some rows, and which of these were compared."""
    sha256 = pc.fill_null(pc.utf8_lower(given(batch.table, "sha256")), "")
    is_digest = np.asarray(pc.match_substring_regex(sha256, SHA256), bool)
    has_digest = np.asarray(pc.not_equal(sha256, ""), bool)
    expected = pc.utf8_slice_codeunits(sha256, 0, 32).to_pylist()
    is_other = [_is_other(*pair) for pair in zip(located, expected, strict=True)]
    bad = bad_images(batch.table, located) | {
        "bad_sha256": has_digest & ~is_digest,
        "content_changed": has_digest & is_digest & np.array(is_other, bool),
    }
    rejects = rejects_of(batch, bad, {"bad_sha256": ("sha256",)})
    good = ~np.any(list(bad.values()), axis=0)
    rows = [file for file, is_good in zip(located, good, strict=True) if is_good and file]
    columns = {
        "image_id": image_id.filter(pa.array(good)),
        "location": pa.array([file.location for file in rows], pa.string()),
        "n_bytes": pa.array([file.n_bytes for file in rows], pa.int64()),
        "content_id": pa.array([file.image_id for file in rows], pa.string()),
    }
    is_read = np.array([file.n_bytes > 0 for file in rows], bool)
    return rejects, pa.table(columns, schema=IMPORTED_IMAGES.arrow), has_digest[good] & is_read


def _is_other(file: Located | None, expected: str) -> bool:
    """Return whether a file that was read has other bytes; that of a URL was not."""
    return file is not None and file.n_bytes > 0 and file.image_id != expected


def _each_once(images: pa.Table, is_compared: Mask, path: Path) -> tuple[pa.Table, Mask]:
    """Return the first file of each image, by its id; one that was read comes before URLs."""
    is_url = np.asarray(pc.equal(images["n_bytes"], 0), bool)
    halves = ids.to_halves(images["image_id"])
    order = np.lexsort((np.arange(len(is_url)), is_url, halves[:, 1], halves[:, 0]))
    ordered, halves = images.take(pa.array(order)), halves[order]
    starts = run_starts(halves)
    _refuse_other_bytes(ordered.filter(pa.array(~is_url[order])), path)
    return ordered.take(pa.array(starts)), is_compared[order][starts]


def _refuse_other_bytes(images: pa.Table, path: Path) -> None:
    """Raise `InputError` if an image has two files of other bytes, naming both."""
    names = ("image_id", "content_id", "location")
    image_id, content_id, location = (images[name].combine_chunks() for name in names)
    same = pc.equal(image_id[1:], image_id[:-1])
    differs = pc.and_(same, pc.not_equal(content_id[1:], content_id[:-1]))
    row = pc.index(differs, True).as_py()
    if row >= 0:
        raise InputError(
            "an image id has two files of other bytes",
            facts={
                "table": path,
                "image": image_id[row].as_py(),
                "files": f"{location[row].as_py()}, {location[row + 1].as_py()}",
            },
            help="keep the row of the file that was labeled, or give its `sha256`",
        )
