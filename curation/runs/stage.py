"""The run folder: committed outputs of stages, opened through their manifests.

A run folder holds one folder a stage; each output of a stage is a folder of its own, named by the
fingerprint of what it was made from. ``CURRENT`` names the current one, with the sha256 of its
manifest::

    run/candidates/CURRENT                    3f2a9c1b04de 5e1f…
    run/candidates/3f2a9c1b04de/manifest.json
    run/candidates/3f2a9c1b04de/candidates-00000-of-00002.parquet

A reader starts from ``CURRENT``, reads the manifest and opens only files that it lists, so it sees
the whole of the old output or of the new one. See `curation.runs.staging` for how they are written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curation.pairs.packed import join_packed
from curation.runs.durable import file_digest
from curation.runs.sealed import unseal
from curation.runs.table_files import by_table
from labeling.checks import check
from labeling.errors import InputError, IntegrityError
from labeling.frames.notebook import MAX_ROWS, html_table
from labeling.schemas import TableSchema

MADE_BY = {
    "signals": "label",
    "candidates": "label",
    "images": "audit import",
    "evidence": "evidence add",
    "audits": "audit sample",
    "look": "look",
    "scored": "select",
    "selected": "select",
    "shards": "export",
    "model": "train",
    "evaluation": "evaluate",
    "ablation": "report --ablate",
}
"""The command that makes each stage, for messages (label sets add a suffix: ``shards-all``)."""

OPTIONAL = {"ablation", "evidence", "images", "look"}
"""Stages that a run may lack."""

FROM_EVIDENCE = {"ablation", "scored", "selected", "shards"}
"""Stages that are made from the stage ``evidence`` too, where the run has one."""

ROWS_AT_ONCE = 1 << 18
"""Rows that are packed together: bounds the memory."""

NOTHING = hashlib.sha256().hexdigest()[:12]
"""`Stage.content` without files."""


@dataclass(frozen=True)
class Stage:
    """One committed output of a stage, opened through its manifest.

    Attributes
    ----------
    name
        Name of the stage, such as ``candidates`` or ``shards-all``.
    dir
        Folder of the output.
    manifest
        The content of its ``manifest.json``: files, inputs, settings, counts, facts.
    """

    name: str
    dir: Path
    manifest: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"<Stage {self.name} {self.fingerprint} of {len(self.manifest['files'])} files>"

    def _repr_html_(self) -> str:
        sections = ("counts", "facts", "config", "inputs")
        rows = [
            (section, *item)
            for section in sections
            for item in self.manifest.get(section, {}).items()
        ]
        return html_table(repr(self)[1:-1], ("", "name", "value"), rows[:MAX_ROWS])

    @property
    def fingerprint(self) -> str:
        """Digest of the inputs, settings and code that the output was made from."""
        return str(self.manifest["fingerprint"])

    @property
    def content(self) -> str:
        """Digest of the files. Later stages record it, so that equal files stay valid inputs."""
        digests = "".join(f"{f['name']} {f['sha256']}\n" for f in self.manifest["files"])
        return hashlib.sha256(digests.encode()).hexdigest()[:12]

    @property
    def counts(self) -> Mapping[str, Any]:
        """The counts that the stage recorded."""
        counts: Mapping[str, Any] = self.manifest["counts"]
        return counts

    @property
    def facts(self) -> Mapping[str, Any]:
        """The measures and findings that the stage recorded, such as the precision."""
        facts: Mapping[str, Any] = self.manifest["facts"]
        return facts

    def paths(self, suffix: str = "", prefix: str = "") -> list[Path]:
        """Return the listed files with this ending and beginning, in the manifest's order."""
        names = [f["name"] for f in self.manifest["files"]]
        return [self.dir / n for n in names if n.endswith(suffix) and n.startswith(prefix)]

    def table_paths(self, schema: TableSchema) -> list[Path]:
        """Return the files of one table, sorted by name; there is at least one.

        Raises
        ------
        InputError
            If the stage does not hold the table.
        """
        tables = by_table(self.paths())
        if schema.name not in tables:
            raise InputError(
                f"the stage {self.name} holds no table {schema.name}",
                facts={"stage": self.dir, "tables": ", ".join(tables) or "none"},
                help="open the stage that holds it: `winnow inspect RUN` lists all tables",
            )
        return tables[schema.name]

    def table(self, schema: TableSchema, columns: list[str] | None = None) -> pa.Table:
        """Return all rows of one table of the stage, checked against its schema.

        Raises
        ------
        InputError
            If the stage does not hold the table, or holds rows that the schema does not allow.
        """
        paths = self.table_paths(schema)
        tables = [pq.read_table(p, columns=columns, schema=schema.arrow) for p in paths]
        table = pa.concat_tables(tables)
        if columns is None:
            check(table, schema, where=str(self.dir))
        return table

    def packed(self, schema: TableSchema, columns: list[str] | None = None) -> pa.Table:
        """Return all rows of one table of pairs, packed (`curation.pairs.packed`), as `table`."""
        names = schema.arrow.names if columns is None else columns

        def parts() -> Iterator[pa.Table]:
            for path in self.table_paths(schema):
                for batch in pq.ParquetFile(path).iter_batches(ROWS_AT_ONCE, columns=names):
                    part = pa.Table.from_batches([batch])
                    if columns is None:
                        check(part, schema, where=str(path))
                    yield part

        return join_packed(parts(), schema, names)


def no_run(folder: Path, missing: str) -> InputError:
    """Return the error for a folder that is not a run folder, with what it lacks."""
    return InputError(
        "this is not a run folder",
        facts={"folder": folder, "missing": missing},
        help="make one with `winnow label CONFIG --out RUN`, or name the folder of one",
    )


def stage_names(run_dir: Path) -> list[str]:
    """Return the stages of a run that have an output, in the order in which they are made."""
    return sorted_stages(path.parent.name for path in run_dir.glob("*/CURRENT"))


def sorted_stages(names: Iterable[str]) -> list[str]:
    """Return names of stages in the order in which they are made.

    Examples
    --------
    >>> sorted_stages(["study", "shards-all", "shards", "signals"])
    ['signals', 'shards', 'shards-all', 'study']
    """
    order = {name: number for number, name in enumerate(MADE_BY)}
    return sorted(names, key=lambda name: (order.get(name.split("-")[0], len(order)), name))


def current(run_dir: Path, stage: str) -> Stage | None:
    """Return the current output of a stage, or None if it has not been made yet.

    Raises
    ------
    IntegrityError
        If the pointer or the manifest is damaged.
    """
    pointer = run_dir / stage / "CURRENT"
    if not pointer.is_file():
        return None
    name, _, expected = pointer.read_text(encoding="utf-8", errors="replace").strip().partition(" ")
    directory = run_dir / stage / name
    _compare(
        directory / "manifest.json",
        expected,
        "the manifest of a stage differs from what was committed",
    )
    return read_stage(stage, directory)


def open_stage(run_dir: Path, stage: str) -> Stage:
    """Return the current output of a stage, after comparing every file with its digest.

    Raises
    ------
    InputError
        If the stage has no output, or its inputs have been made again since.
    IntegrityError
        If a file is missing or differs from the manifest.
    """
    opened = current(run_dir, stage)
    command = MADE_BY.get(stage.split("-")[0], stage)
    if opened is None:
        raise InputError(
            f"the run has no {stage} yet",
            facts={"run": run_dir},
            help=f"make them with `winnow {command}`",
        )
    source = outdated_by(run_dir, opened)
    if source is not None:
        raise InputError(
            f"the {stage} of this run were made from other {source.name}",
            facts={
                "made from": inputs_of(opened)[source.name],
                "current": source.content,
            },
            help=f"make them again with `winnow {command}`",
        )
    verify(opened)
    return opened


def inputs_of(stage: Stage) -> dict[str, str]:
    """Return the digest of each input of a stage; `NOTHING` for a stage that the run lacked."""
    is_later = stage.name.partition("-")[0] in FROM_EVIDENCE
    absent = {"evidence": NOTHING} if is_later else {}
    return absent | dict(stage.manifest["inputs"])


def outdated_by(run_dir: Path, stage: Stage) -> Stage | None:
    """Return a stage whose current output is not the one that `stage` was made from, if any."""
    for name, made_from in inputs_of(stage).items():
        source = current(run_dir, name)
        if source is not None and source.content != made_from:
            return source
    return None


def read_stage(name: str, directory: Path) -> Stage:
    """Return the output of a stage in a folder; its files are not read.

    Raises
    ------
    IntegrityError
        If the manifest cannot be read, or has changed since it was written.
    """
    path = directory / "manifest.json"
    try:
        return Stage(name, directory, unseal(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise IntegrityError(
            "the manifest of a stage cannot be read",
            facts={"file": path, "cause": error},
            help=f"delete {directory} and run its command again",
        ) from error


def verify(stage: Stage) -> None:
    """Raise `IntegrityError` unless every file of the stage has the digest in its manifest."""
    for entry in stage.manifest["files"]:
        _compare(stage.dir / entry["name"], entry["sha256"], "a file differs from its manifest")


def _compare(path: Path, expected: str, message: str) -> None:
    """Raise `IntegrityError` unless a file has a digest."""
    actual = file_digest(path) if path.is_file() else "nothing"
    if actual != expected:
        raise IntegrityError(
            message,
            facts={"file": path, "expected": expected, "found": actual},
            help="restore the file, or make the stage again in a new run folder",
        )
