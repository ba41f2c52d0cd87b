"""The folders of the passes: in the run folder, or in one that workers on other machines see too.

If ``label.work_dir`` names a folder, on a shared disk or in an object store, all tables between the
passes are there. Workers copy the files that they read to their own disk. This machine fetches the
tables that a pass concludes from, and the output of the last pass, which is committed in the run
folder.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa

from curation.runs.durable import write_text
from curation.runs.staging import StageWriter
from curation.runs.table_files import by_table, file_name, parquet_bytes
from labeling.errors import IntegrityError
from labeling.objects.paths import join, path_of
from labeling.secrets import masked
from labeling.taxonomy.published import TaxonomyFiles, pinned
from pipelines.run.config import Config
from pipelines.shuffle import markers, objects, storage
from pipelines.shuffle.engine import Carrier, Split, Tables

Files = Mapping[str, list[str]]
"""Names of the files of each table."""

Read = Callable[[Split], Iterable[tuple[str, pa.Table]]]
Reduce = Callable[[Tables], Tables]
Copies = tuple[tuple[str, str], ...]
"""Files that a kernel opens by their path on this machine: their shared path, and that one."""


@dataclass
class Workspace:
    """The folders of one stage.

    Parameters
    ----------
    out
        Folder of the stage's output, on this machine.
    scratch
        Temporary folder on this machine. Workers on others have one of the same name.
    shared
        Folder that all workers see; empty where they see `out` and `scratch`.
    """

    out: Path
    scratch: Path
    shared: str = ""
    _copies: list[tuple[str, str]] = field(default_factory=list)

    def work_dir(self, name: str) -> str:
        """Return the work folder of a pass."""
        return storage.join(self.shared or str(self.scratch), f"{name}.work")

    def out_dir(self, name: str, is_last: bool) -> str:
        """Return the folder into which the workers write the output of a pass."""
        if self.shared:
            return storage.join(self.shared, name)
        return str(self._local_dir(name, is_last))

    def read(self, read: Read) -> Read:
        """Return a reader that finds its files on the worker's own disk."""
        if not self.shared:
            return read
        return functools.partial(_read_copies, read, tuple(self._copies))

    def reduce(self, reduce: Reduce) -> Reduce:
        """Return a kernel that finds its files on the worker's own disk."""
        if not self.shared:
            return reduce
        return functools.partial(_reduce_with_copies, reduce, tuple(self._copies))

    def share(self, files: Mapping[str, Sequence[Path]]) -> Files:
        """Return the paths by which workers open tables of this machine."""
        if not self.shared:
            return {table: [str(path) for path in paths] for table, paths in files.items()}
        return {
            table: [self._send(path, "given") for path in paths] for table, paths in files.items()
        }

    @property
    def is_remote(self) -> bool:
        """True if the shared folder is in an object store: workers may not see our disk."""
        return objects.is_object(self.shared)

    @property
    def carrier(self) -> Carrier:
        """The carrier of rows: from a store, files would be very many small reads for a bucket."""
        return "engine" if self.is_remote else "files"

    def taxonomy(self, files: TaxonomyFiles) -> TaxonomyFiles:
        """Return the files of the taxonomy for workers: in their scratch if they see no disk."""
        if not self.is_remote:
            return files
        files = pinned(files)
        # Named by digest: a worker outlives the run, and may have copies of an earlier content.
        copies = [
            self._copy(path, f"taxonomy-{digest[:12]}")
            for path, digest in zip(files.paths, files.sha256, strict=True)
        ]
        return replace(files, path=copies[0], hierarchy=copies[1] if files.hierarchy else None)

    def conclude(
        self,
        name: str,
        outputs: Mapping[str, pa.Schema],
        conclude: Callable[[Path], None] | None,
        is_last: bool = False,
    ) -> None:
        """Finish a pass: add tables without rows, and those that need the whole output.

        Parameters
        ----------
        name
            The pass.
        outputs
            The tables that the pass makes.
        conclude
            Adds tables to the folder of the output.
        is_last
            Whether this is the output of the stage.
        """
        here = self._local_dir(name, is_last)
        here.mkdir(parents=True, exist_ok=True)
        out_dir = self.out_dir(name, is_last)
        digests = self._fetch(name, here, is_last or conclude is not None) if self.shared else {}
        there = {*storage.list_names(out_dir), *(path.name for path in here.iterdir())}
        self._fill_empty(here, outputs, by_table(there))
        if conclude is not None:
            conclude(here)
        if self.shared and not is_last:
            for path in sorted(here.iterdir()):
                if digests.get(path.name) != storage.sha256(str(path)):
                    sent = self._send(path, name)
                    if conclude is not None:
                        self._copies.append((sent, str(path)))

    def files(self, name: str) -> Files:
        """Return the files of each table of a concluded pass but the last, for workers."""
        folder = self.out_dir(name, is_last=False)
        names = by_table(storage.list_names(folder))
        return {table: [storage.join(folder, n) for n in of] for table, of in names.items()}

    def local(self, paths: Iterable[str]) -> list[Path]:
        """Return the paths on this machine of some small files of the passes."""
        copies = []
        for path in paths:
            to = Path(path)
            if self.shared and path.startswith(self.shared):
                to = self.scratch / path.removeprefix(self.shared).lstrip("/")
                if not to.exists():
                    storage.fetch(path, to)
            copies.append(to)
        return copies

    def close(self) -> None:
        """Remove the shared folder."""
        if self.shared:
            storage.remove(self.shared)
            shutil.rmtree(self.scratch, ignore_errors=True)

    def _local_dir(self, name: str, is_last: bool) -> Path:
        return self.out if is_last else self.scratch / name

    def _copy(self, path: Path, name: str) -> Path:
        """Copy a file of this machine into the scratch of every worker."""
        to = self.scratch / name / path.name
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(path.read_bytes())
        self._copies.append((self._send(to, name), str(to)))
        return to

    def _fill_empty(self, here: Path, schemas: Mapping[str, pa.Schema], there: Files) -> None:
        """Write an empty file for each table without a row in any bucket."""
        for name, schema in schemas.items():
            if name not in there:
                path = str(here / file_name(name))
                with storage.writing(path, str(self.scratch / "partial")) as writer:
                    writer.write(parquet_bytes(schema.empty_table()))

    def _send(self, path: Path, name: str) -> str:
        """Copy a file of this machine to the shared folder; a stage's files are sent once."""
        to = storage.join(self.shared, name, path.name)
        if name != "given" or storage.size(to) != path.stat().st_size:
            storage.send(path, to, storage.join(self.shared, "partial"))
        return to

    def _fetch(self, name: str, here: Path, is_wanted: bool) -> dict[str, str]:
        """Return the digests of the files that the buckets wrote; fetch them if they are wanted."""
        digests = {file.name: file.sha256 for file in markers.output_files(self.work_dir(name))}
        for file, digest in digests.items() if is_wanted else ():
            fetched = storage.fetch(storage.join(self.shared, name, file), here / file)
            if fetched != digest:
                raise IntegrityError(
                    "a file of the shared folder differs from what was written",
                    facts={"file": file, "expected": digest, "found": fetched},
                    help="give the same command again: the file is made again",
                )
        return digests


def workspace_for(config: Config, run_dir: Path, work: StageWriter) -> Workspace:
    """Return the folders of a stage.

    The names of the shared folder and of the workers' scratch folder follow from the run folder,
    the inputs, the settings and the code, so that a rerun resumes there, and only a rerun.

    Raises
    ------
    ConfigError
        If the shared folder cannot be used.
    """
    shared = config.label.work_dir
    if shared is None:
        return Workspace(work.dir, work.scratch)
    if objects.is_object(shared):
        objects.check_folder(shared)
    else:
        shared = str(join(path_of(config.base), shared))
    owner = f"{socket.gethostname()}:{run_dir.resolve()}"
    name = f"{work.dir.name}-{hashlib.sha256(owner.encode()).hexdigest()[:8]}"
    scratch = Path(tempfile.gettempdir(), f"winnow-{name}")
    work.scratch.mkdir(exist_ok=True)
    write_text(work.scratch / markers.SHARED, masked(storage.join(shared, name)))
    return Workspace(work.dir, scratch, storage.join(shared, name))


def _read_copies(read: Read, copies: Copies, split: Split) -> Iterator[tuple[str, pa.Table]]:
    """Read a split from copies of its files in a folder of this worker."""
    _bring(copies)
    with tempfile.TemporaryDirectory(prefix="winnow-") as folder:
        arguments = tuple(_copied(argument, folder) for argument in split.arguments)
        yield from read(split._replace(arguments=arguments))


def _reduce_with_copies(reduce: Reduce, copies: Copies, tables: Tables) -> Tables:
    _bring(copies)
    return reduce(tables)


def _copied(argument: object, folder: str) -> object:
    if not isinstance(argument, str) or not objects.is_object(argument):
        return argument
    to = Path(folder, os.path.basename(argument))
    storage.fetch(argument, to)
    return str(to)


def _bring(copies: Copies) -> None:
    for path, to in copies:
        if not os.path.exists(to):
            storage.fetch(path, Path(to))
