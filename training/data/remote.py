"""Remote shards, copied whole, because samples are read by memory map."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import fsspec

from labeling.errors import InputError

_PIPE = "pipe:"


def fetch_shards(names: Sequence[str], folder: Path) -> list[Path]:
    """Copy shards into a folder, one after the other, and return the copies in the same order.

    The folder must have room for all of them; the caller removes it.

    Parameters
    ----------
    names
        ``pipe:COMMAND``, as in webdataset: a shell command that writes a shard to its standard
        output. Or a URL that fsspec knows: ``https://…``, ``s3://…`` (with the package s3fs),
        ``gs://…`` (with gcsfs).
    folder
        An existing folder.

    Raises
    ------
    InputError
        If a shard cannot be fetched, or its command fails. The message names it.
    """
    paths = [folder / f"{number:06d}.tar" for number in range(len(names))]
    for name, path in zip(names, paths, strict=True):
        if name.startswith(_PIPE):
            _run(name, path)
        else:
            _download(name, path)
    return paths


def _run(name: str, path: Path) -> None:
    with path.open("wb") as file:
        done = subprocess.run(
            name.removeprefix(_PIPE), shell=True, stdout=file, stderr=subprocess.PIPE, check=False
        )
    if done.returncode:
        message = done.stderr.decode("utf-8", "replace").strip()
        raise _refused(name, f"its command ended with {done.returncode}: {message[-500:]}")


def _download(name: str, path: Path) -> None:
    try:
        with fsspec.open(name, "rb") as source, path.open("wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
    except Exception as error:  # each store has errors of its own
        raise _refused(name, str(error)) from error


def _refused(name: str, cause: str) -> InputError:
    return InputError(
        "a shard cannot be fetched",
        facts={"shard": name, "cause": cause},
        help="try its command or URL by itself; a store may need a package of its own for fsspec",
    )
