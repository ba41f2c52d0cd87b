"""The index of a run's current selection, opened, or built first by a process of its own."""

from __future__ import annotations

import multiprocessing
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Lock
from typing import Any

from labeling.errors import InputError, WinnowError
from pipelines.browsing.build import build, is_built, stages_of
from pipelines.browsing.index import Index
from pipelines.run.config import Config
from pipelines.run.paths import typed
from pipelines.run.progress import notify


class Opening:
    """The index of a run; another selection gets another one.

    It is built by another process, since that takes the memory of a selection and must not delay
    the page.
    """

    def __init__(self, config: Config, run_dir: Path) -> None:
        self._config, self._run_dir = config, run_dir
        self._lock = Lock()
        self._index: Index | None = None
        self._building: tuple[multiprocessing.process.BaseProcess, Connection, float] | None = None
        self._failed: tuple[Path, str] | None = None

    def state(self) -> dict[str, Any]:
        """Return ``ready`` with the version, ``building``, ``failed``, or ``none`` with a reason.

        An index that is missing begins to be built.
        """
        with self._lock:
            stages = stages_of(self._run_dir)
            if stages is None:
                return {"state": "none", "command": f"winnow select {typed(self._run_dir)}"}
            if self._building is not None and not self._has_ended(stages.of_pairs):
                return {"state": "building", "seconds": round(time.time() - self._building[2])}
            if self._failed is not None and self._failed[0] == stages.of_pairs:
                return {"state": "failed", "error": self._failed[1]}
            if not is_built(self._run_dir, stages):
                self._begin()
                return {"state": "building", "seconds": 0}
            if self._index is None or self._index.stages != stages:
                self._index = Index(self._run_dir, stages)
            return {"state": "ready", "version": self._index.version}

    def _begin(self) -> None:
        notify("index: building, for browsing and tuning")
        spawn = multiprocessing.get_context("spawn")
        here, there = spawn.Pipe(duplex=False)
        arguments = (self._config, self._run_dir, there)
        process = spawn.Process(target=_build, args=arguments, daemon=True)
        process.start()
        there.close()
        self._building = process, here, time.time()

    def _has_ended(self, of_pairs: Path) -> bool:
        assert self._building is not None
        process, answer, started = self._building
        if process.is_alive() and not answer.poll():
            return False
        try:
            problem = answer.recv()
        except EOFError:
            problem = "the process that builds the index was killed; memory may be short"
        process.join()
        self._building, self._failed = None, (of_pairs, problem) if problem else None
        notify(f"index: {problem or f'built in {time.time() - started:.1f} s'}")
        return True

    def index(self, version: str) -> Index:
        """Return the open index, if it is of a version.

        Raises
        ------
        InputError
            If it is not, or not open yet.
        """
        index = self._index
        if index is None or index.version != version:
            raise InputError("the selection was made again", help="reload the page")
        return index


def _build(config: Config, run_dir: Path, answer: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the page ends this process
    try:
        build(config, run_dir)
    except WinnowError as error:
        answer.send(str(error))
    except Exception as error:
        answer.send(f"{type(error).__name__}: {error}")
        raise
    else:
        answer.send("")
