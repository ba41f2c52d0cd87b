"""The splits of a run's inputs, and the files that they read."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from labeling.objects.paths import path_of
from labeling.readers.image_files import named
from pipelines.inputs.input import Input
from pipelines.run.config import Config
from pipelines.run.dependencies import content_of, digests_of, sizes_beside
from pipelines.shuffle.engine import Split

_SEPARATOR = "-"


def splits_of(config: Config) -> list[Split]:
    """Return the splits of all inputs; the kind of one is the section of its input.

    A file that an earlier section of the same settings reads is not read again.

    Raises
    ------
    InputError
        If an input is missing.
    """
    splits = []
    for kind, inputs in config.inputs().items():
        read: set[tuple[str, str]] = set()
        for number, entry in enumerate(inputs):
            files = entry.files(path_of(config.base))
            number_of = {file: n for n, file in enumerate(files)}
            if len(inputs) > 1:
                files = _unread(entry, files, path_of(config.base), read)
            # The rows of a sample are counted over all files, so one worker reads them.
            n_together = entry.files_per_split if config.label.limit is None else len(files)
            for start in range(0, len(files), n_together):
                some = tuple(files[start : start + n_together])
                split_id = f"{kind}{number}{_SEPARATOR}{number_of[some[0]]:09d}"
                splits.append(Split(split_id, kind, (number, some)))
    return splits


def has_first_file(split: Split) -> bool:
    """Return whether a split has the first file of its input, read by this section or not."""
    return int(split.split_id.rpartition(_SEPARATOR)[2]) == 0


def _unread(entry: Input, files: list[str], base: Path, read: set[tuple[str, str]]) -> list[str]:
    """Return the files that are not read by the same settings, and add them to those that are."""
    settings = repr(entry.model_dump(exclude={entry.path_keys[0]}))
    by_key = dict(zip(entry.identities(base, files), files, strict=True))
    unread = [file for key, file in by_key.items() if (settings, key) not in read]
    read.update((settings, key) for key in by_key)
    return unread


def input_of(config: Config, split: Split) -> tuple[Input, tuple[str, ...]]:
    """Return the input that a split belongs to, and the files of it that the split reads."""
    number, files = split.arguments
    entries: tuple[Input, ...] = getattr(config, split.kind)
    return entries[number], files


def input_paths(config: Config, splits: Sequence[Split]) -> dict[Path, int]:
    """Return the files that the signals are made from, and about how many rows each gives."""
    rows = {}
    for split in splits:
        entry, files = input_of(config, split)
        for path in entry.paths(path_of(config.base), files):
            if path not in rows:
                rows[path] = path.stat().st_size // entry.bytes_per_row
    return rows


def input_digests(config: Config, splits: Sequence[Split]) -> dict[str, str]:
    """Return the digest of each file that is read, and the sizes of others.

    For a sample the sizes have to do: most of a file is not read.
    """
    base = path_of(config.base)
    is_sample = config.label.limit is not None
    digests = {
        named(base, path): str(path.stat().st_size) if is_sample else content_of(path)
        for path in input_paths(config, splits)
    }
    return digests | sizes_beside(config) | digests_of("signals", config)


def skipped_by_ending(config: Config, splits: Sequence[Split]) -> dict[str, int]:
    """Return the number of files in the folders of inputs that no reader takes, by ending.

    A file that one input skips and another reads is not among them.
    """
    base = path_of(config.base)
    files: dict[tuple[str, int], list[str]] = defaultdict(list)
    for split in splits:
        number, some = split.arguments
        files[split.kind, number] += some
    skipped: dict[Path, str] = {}
    read: set[Path] = set()
    for (kind, number), names in files.items():
        entry = getattr(config, kind)[number]
        skipped |= entry.skipped(base, names)
        read.update(entry.paths(base, names))
    endings = (ending for path, ending in skipped.items() if path not in read)
    return dict(sorted(Counter(endings).items()))
