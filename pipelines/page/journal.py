"""Journals of verdicts in a run folder: one file for each auditor, a line for each verdict.

A line is on disk before its verdict counts. It is never changed: a verdict that an auditor takes
back is a line of its own.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Literal, get_args

from curation.runs.durable import reporting_write_errors, sync_dir
from labeling.errors import BusyError, ConfigError, InputError
from labeling.schemas import VERDICTS
from pipelines.run.progress import notify

FOLDER = "audit-journals"


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

Mode = Literal["one", "grid", "rapid"]
Ask = Literal["first", "repeat", "check"]

MODES: tuple[Mode, ...] = get_args(Mode)
ASKS: tuple[Ask, ...] = get_args(Ask)


@dataclass(frozen=True)
class Entry:
    """One verdict.

    Attributes
    ----------
    candidates
        Digest of the candidates that the pair belongs to.
    image_id, label_id
        The pair.
    verdict
        One of `labeling.schemas.VERDICTS`; empty where the auditor took the last one back.
    ask
        ``first``, or to learn how often auditors err: ``repeat`` for a question that was asked
        again, ``check`` for a pair with a known answer or one that others have judged.
    mode
        How pairs were shown.
    ms
        Milliseconds from the screen to its verdict.
    at
        Unix time in milliseconds; never earlier than that of the line before.
    known
        Verdict of a file of known answers, where it has the pair; else empty.
    """

    candidates: str
    image_id: str
    label_id: str
    verdict: str
    ask: Ask
    mode: Mode
    ms: int
    at: int
    known: str = ""

    def __post_init__(self) -> None:
        texts = (self.candidates, self.image_id, self.label_id)
        is_valid = (
            all(isinstance(text, str) and text for text in texts)
            and self.verdict in ("", *VERDICTS)
            and self.ask in ASKS
            and self.mode in MODES
            and self.known in ("", "yes", "no")
            and all(type(number) is int and number >= 0 for number in (self.ms, self.at))
        )
        if not is_valid:
            raise ValueError("a value is not of its kind")


class Journal:
    """The journal of one auditor, open for writing; made by `open_journal`.

    Attributes
    ----------
    entries
        Its lines so far.
    """

    def __init__(self, path: Path, handle: BinaryIO, entries: list[Entry]) -> None:
        self.path = path
        self.entries = entries
        self._handle = handle

    @property
    def auditor(self) -> str:
        """Name of the auditor."""
        return self.path.stem

    def append(self, entries: Sequence[Entry]) -> None:
        """Write verdicts; all of them are on disk when this returns, or none.

        Raises
        ------
        InputError
            If the disk is full, or the file was deleted or replaced.
        """
        if os.fstat(self._handle.fileno()).st_nlink == 0:  # it would be lost without an error
            raise InputError(
                "the audit journal was deleted or replaced while it was open",
                facts={"journal": self.path},
                help="end the page with Ctrl-C and start it again",
            )
        size = self._handle.seek(0, os.SEEK_END)
        lines = "".join(json.dumps(asdict(entry)) + "\n" for entry in entries)
        with reporting_write_errors("verdicts", self.path):
            try:
                _write_all(self._handle, lines.encode())
                os.fsync(self._handle.fileno())
            except OSError:
                self._handle.truncate(size)
                raise
        self.entries += entries


def _write_all(handle: BinaryIO, content: bytes) -> None:
    written = 0
    while written < len(content):  # a file without a buffer may take a part
        written += handle.write(content[written:])


@contextmanager
def open_journal(run_dir: Path, auditor: str) -> Iterator[Journal]:
    """Open the journal of an auditor, which no other process may write to meanwhile.

    A last line that is not whole, as after a loss of power, is removed with a notice.

    Raises
    ------
    ConfigError
        If the name of the auditor cannot be one of a file.
    BusyError
        If another process has it open.
    InputError
        If a line is damaged, or the folder cannot be written to.
    """
    if not _NAME.fullmatch(auditor):
        raise ConfigError(
            "the name of an auditor is not valid",
            facts={"auditor": auditor},
            help="use 1 to 64 letters, digits, `.`, `_` or `-`: `--auditor ada`",
        )
    path = run_dir / FOLDER / f"{auditor}.jsonl"
    with reporting_write_errors("verdicts", path.parent):
        path.parent.mkdir(exist_ok=True)
        handle = path.open("ab+", buffering=0)
        sync_dir(path.parent)
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(
                "another audit page of this auditor is open",
                facts={"auditor": auditor, "journal": path},
                help="end it, or give another name: `--auditor NAME`",
            ) from None
        entries, n_whole = _read(path)
        handle.truncate(n_whole)
        yield Journal(path, handle, entries)


def read_journals(run_dir: Path) -> dict[str, list[Entry]]:
    """Return the lines of each auditor's journal, by name.

    Raises
    ------
    InputError
        If a line is damaged.
    """
    paths = sorted((run_dir / FOLDER).glob("*.jsonl"))
    return {path.stem: _read(path)[0] for path in paths}


def _read(path: Path) -> tuple[list[Entry], int]:
    """Return the whole lines of a journal, and their number of bytes."""
    content = path.read_bytes()
    n_whole = content.rfind(b"\n") + 1
    if n_whole < len(content):
        notify(f"the last line of {path} is not whole: left out")
    lines = content[:n_whole].splitlines()
    return [_parse(line, f"{path}:{n}") for n, line in enumerate(lines, 1)], n_whole


def _parse(line: bytes, where: str) -> Entry:
    try:
        return Entry(**json.loads(line))
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(
            "a line of an audit journal is damaged",
            facts={"where": where, "found": line[:200].decode(errors="replace"), "cause": error},
            help="correct or delete the line",
        ) from error
