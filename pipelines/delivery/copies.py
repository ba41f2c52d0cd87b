"""A copy of shards in an object store: the files, then their manifest, then the pointer to it.

Who reads the copy starts from the pointer and the manifest, never from a list of objects, and sees
whole shards whatever happens meanwhile.
"""

from __future__ import annotations

import io
from collections.abc import Mapping

from curation.runs.stage import Stage
from labeling.errors import IntegrityError
from labeling.objects import client
from pipelines.run.progress import Progress


def copy_to_store(stage: Stage, address: str) -> str:
    """Copy a stage into a folder of an object store; return the address of the copy.

    Files that an earlier attempt has copied are not copied again: the folder has the name of their
    content, and an object is whole or absent.

    Raises
    ------
    IntegrityError
        If the store lacks a file after all were copied.
    StoreError
        If the store fails.
    """
    parent = f"{address.rstrip('/')}/{stage.name}"
    folder = f"{parent}/{stage.dir.name}"
    sizes = {str(file["name"]): int(file["n_bytes"]) for file in stage.manifest["files"]}
    missing = _missing(folder, sizes)
    progress = Progress("copy", "files")
    for n_done, name in enumerate(missing, 1):
        with (stage.dir / name).open("rb") as file:
            client.write_object(f"{folder}/{name}", file)
        progress(n_done, len(missing))
    if missing and (lacking := _missing(folder, sizes)):
        raise IntegrityError(
            "the object store lacks files that were copied to it",
            facts={"folder": folder, "first": lacking[0], "files": len(lacking)},
            help="give the same command again",
        )
    for name, to in (("manifest.json", folder), ("../CURRENT", parent)):
        content = (stage.dir / name).read_bytes()
        client.write_object(f"{to}/{name.rpartition('/')[2]}", io.BytesIO(content))
    return folder


def _missing(folder: str, sizes: Mapping[str, int]) -> list[str]:
    """Return the names of the files that are not in a folder, or have another size there."""
    there = {url: facts.n_bytes for url, facts in client.list_objects(folder)}
    return [name for name, n_bytes in sizes.items() if there.get(f"{folder}/{name}") != n_bytes]
