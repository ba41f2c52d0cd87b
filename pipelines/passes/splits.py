"""The splits of a pass: files of the tables that it reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipelines.shuffle import storage
from pipelines.shuffle.engine import Split, united

MAX_SPLITS = 512
"""Files up to which each is a split by itself."""

MAX_BYTES = 64 << 20
"""Bytes of files that are united into one split, at most."""


def splits_for(files: Mapping[str, Sequence[str]]) -> list[Split]:
    """Return a split for each file, of the kind of its table.

    Files beyond `MAX_SPLITS` are grouped: small splits would write tiny segments for each of many
    buckets.
    """
    splits = [
        Split(f"{kind}-{number:06d}", kind, (path,))
        for kind, paths in files.items()
        for number, path in enumerate(paths)
    ]
    if len(splits) <= MAX_SPLITS:
        return splits
    sizes = [storage.size(split.arguments[0]) or 0 for split in splits]
    most = min(MAX_BYTES, sum(sizes) // MAX_SPLITS)
    groups: list[list[Split]] = []
    room = -1
    for split, n_bytes in zip(splits, sizes, strict=True):
        if n_bytes > room:
            groups.append([])
            room = most
        groups[-1].append(split)
        room -= n_bytes
    return [united(group) for group in groups]
