"""Matchers kept in files, so that one process compiles a taxonomy and the others map its file.

A file is a SHA-256 digest, padded to `HEADER` bytes, and after it the Arrow IPC file with that
digest: one row, with a list for each array. Its name is a digest of the taxonomy, the name
statistics, the code and the version of Unicode. A damaged file is replaced by a new one.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import tempfile
import typing
import unicodedata
from pathlib import Path

import numpy as np
import pyarrow as pa

from labeling.code_digest import code_digest
from labeling.keys.arrays import Mask
from labeling.matching.matcher import Matcher, compile_matcher
from labeling.matching.surface_forms import NO_STATISTICS, NameStatistics
from labeling.taxonomy.taxonomy import Taxonomy

HEADER = 64
"""Bytes before the Arrow file; a multiple of 64 keeps its arrays aligned."""


def cached_matcher(
    taxonomy: Taxonomy, directory: Path, statistics: NameStatistics = NO_STATISTICS
) -> Matcher:
    """Return the matcher of a taxonomy, from its file in `directory` if that is intact.

    The directory and the file are created if they are missing. Several processes may do so at the
    same time; they share the memory of the file. Its arrays are read-only.

    Examples
    --------
    >>> from labeling.matching.matcher import find
    >>> from labeling.taxonomy.taxonomy import Label, build_taxonomy
    >>> taxonomy = build_taxonomy([Label("cat", (("cat", "en"),))])
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     for _ in range(2):
    ...         matcher = cached_matcher(taxonomy, Path(directory))
    ...     print([path.suffix for path in Path(directory).iterdir()], *find(matcher, "Cats"))
    ['.matcher'] (0, 0.9, 1)
    """
    key = _key(taxonomy, statistics)
    path = directory / f"{key}.matcher"
    matcher = _read(path, key)
    if matcher is not None:
        return matcher
    matcher = compile_matcher(taxonomy, statistics)
    directory.mkdir(parents=True, exist_ok=True)
    _write(matcher, path, key)
    return matcher


def _key(taxonomy: Taxonomy, statistics: NameStatistics) -> str:
    digest = hashlib.sha256(code_digest(__name__).encode())
    digest.update(unicodedata.unidata_version.encode())
    weight = None if statistics.weight is None else statistics.weight.tolist()
    of_names = (statistics.stop, sorted(statistics.phrases.items()), weight)
    inputs = (taxonomy.label_ids, taxonomy.names, taxonomy.parents, of_names)
    digest.update(json.dumps(inputs).encode())
    return digest.hexdigest()


def _write(matcher: Matcher, path: Path, key: str) -> None:
    columns = dict(_columns("", matcher))
    sink = pa.BufferOutputStream()
    table = pa.table(columns).replace_schema_metadata({"key": key})
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    content = sink.getvalue()
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".partial", delete=False) as file:
        file.write(_header(content))
        file.write(content)
    os.replace(file.name, path)


def _header(content: pa.Buffer) -> bytes:
    return hashlib.sha256(content).digest().ljust(HEADER, b"\0")


def _read(path: Path, key: str) -> Matcher | None:
    """Return the matcher of a file, or None if it is missing, damaged or of another key."""
    try:
        content = pa.memory_map(str(path)).read_buffer()
        if content.size <= HEADER:
            return None
        header, arrow = content.slice(0, HEADER).to_pybytes(), content.slice(HEADER)
        if header != _header(arrow):
            return None
        table = pa.ipc.open_file(pa.BufferReader(arrow)).read_all()
    except (OSError, pa.ArrowInvalid):
        return None
    if (table.schema.metadata or {}).get(b"key") != key.encode():
        return None
    matcher: Matcher = _built("", Matcher, table)
    return matcher


def _columns(prefix: str, value: object) -> typing.Iterator[tuple[str, pa.Array]]:
    """Yield the arrays and numbers of a dataclass as columns of one row, by their dotted names."""
    for field in dataclasses.fields(value):  # type: ignore[arg-type]
        name, part = prefix + field.name, getattr(value, field.name)
        if dataclasses.is_dataclass(part):
            yield from _columns(name + ".", part)
        elif isinstance(part, int):
            yield name, pa.array([part], pa.int64())
        else:
            numbers = part.view(np.uint8) if part.dtype == bool else part
            offsets = pa.array([0, len(part)], pa.int64())
            yield name, pa.LargeListArray.from_arrays(offsets, pa.array(numbers))


def _built(prefix: str, cls: typing.Any, table: pa.Table) -> typing.Any:
    parts = {}
    for name, part in typing.get_type_hints(cls).items():
        if dataclasses.is_dataclass(part):
            parts[name] = _built(f"{prefix}{name}.", part, table)
        elif part is int:
            parts[name] = table[prefix + name][0].as_py()
        else:
            numbers = table[prefix + name].chunk(0).values.to_numpy(zero_copy_only=True)
            parts[name] = numbers.view(bool) if part == Mask else numbers
    return cls(**parts)
