"""The pairs of the last sheet of a run, in the order in which it asks."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa

from curation.runs.durable import write_text
from curation.runs.sealed import seal, unseal
from curation.runs.stage import Stage
from labeling.errors import IntegrityError
from labeling.schemas import TRUTH

FILE = "audit-drawn.json"


def write_drawn(run_dir: Path, candidates: Stage, *pairs: pa.Table, sheet: str) -> None:
    """Write the pairs of a sheet, in parts, and the digest of its text."""
    columns = {
        name: [value for part in pairs for value in part[name].to_pylist()]
        for name in TRUTH.arrow.names
    }
    digest = hashlib.sha256(sheet.encode("utf-8")).hexdigest()
    write_text(run_dir / FILE, seal({"candidates": candidates.content, "sheet": digest, **columns}))


def digest_of_sheet(run_dir: Path) -> str | None:
    """Return the digest of the last sheet as it was written; None if it is not known."""
    path = run_dir / FILE
    content = unseal(path.read_text(encoding="utf-8")) if path.exists() else {}
    digest = content.get("sheet")
    return digest if isinstance(digest, str) else None


def read_drawn(run_dir: Path, candidates: Stage) -> pa.Table | None:
    """Return ``image_id`` and ``label_id``; None if these candidates had no sheet.

    Raises
    ------
    IntegrityError
        If the file is damaged.
    """
    path = run_dir / FILE
    if not path.exists():
        return None
    try:
        content = unseal(path.read_text(encoding="utf-8"))
        if content["candidates"] != candidates.content:
            return None
        return pa.table({name: content[name] for name in TRUTH.arrow.names}, TRUTH.arrow)
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise IntegrityError(
            "the pairs of the audit sheet cannot be read",
            facts={"file": path, "cause": error},
            help="restore the file; without it pairs that were skipped would not be noticed",
        ) from error
