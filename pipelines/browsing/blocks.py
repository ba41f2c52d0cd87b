"""Rows of a table in the order of its images, in blocks that are read in a millisecond.

Tables of a run are in that order, but have row groups of up to a million rows, which take .3 s.
Here are copies of a few columns as Arrow files with a record batch a block, and the first image of
each block.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

ROWS = 4096
"""Rows of a block."""

ROW = "row"
"""Column with the number of a row in its table."""


def write_blocks(to: Path, paths: Sequence[Path], columns: Sequence[str]) -> None:
    """Write columns of a table that is in the order of its images, and `ROW`, as blocks.

    Parameters
    ----------
    to
        The Arrow file; the first images are written beside it.
    paths, columns
        Parquet files of the table in order, and columns beside ``image_id``.
    """
    batches = _numbered(paths, ["image_id", *columns])
    first = next(batches, None)
    first_ids: list[bytes] = []
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    schema = pa.schema([("image_id", pa.string())]) if first is None else first.schema
    with pa.OSFile(str(to), "wb") as sink, pa.ipc.new_file(sink, schema, options=options) as writer:
        for batch in chain([] if first is None else [first], batches):
            writer.write_batch(batch)
            first_ids.append(batch.column("image_id")[0].as_py().encode())
    np.save(_of_ids(to), np.array(first_ids, "S32"))


def _of_ids(path: Path) -> Path:
    return path.with_suffix(".ids.npy")


def _numbered(paths: Iterable[Path], columns: list[str]) -> Iterator[pa.RecordBatch]:
    n_rows = 0
    for path in paths:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(ROWS, columns=columns):
                row = pa.array(np.arange(n_rows, n_rows + len(batch)))
                n_rows += len(batch)
                if len(batch):
                    yield pa.RecordBatch.from_arrays([*batch.columns, row], [*columns, ROW])


class Blocks:
    """Blocks of rows that `write_blocks` has written."""

    def __init__(self, path: Path) -> None:
        self._first_ids = np.load(_of_ids(path))
        self._file = pa.memory_map(str(path))

    def rows_of(self, image_id: str) -> pa.Table:
        """Return the rows of an image, in their order."""
        key = image_id.encode()
        first = max(int(np.searchsorted(self._first_ids, key, "left")) - 1, 0)
        last = int(np.searchsorted(self._first_ids, key, "right"))
        reader = pa.ipc.open_file(self._file)
        blocks = [reader.get_batch(number) for number in range(first, last)]
        rows = pa.Table.from_batches(blocks, reader.schema)
        return rows.filter(pc.equal(rows["image_id"], image_id))
