from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest
from apache_beam.utils.subprocess_server import pick_port

from labeling.errors import ConfigError, InputError
from pipelines.shuffle.engine import Carrier, Shuffle, Split, Tables, run
from pipelines.shuffle.runners import ready
from tests.engines import ENVIRONMENT, answers, wait_until
from tests.pipelines.shuffle.test_engine import contents, read_numbers, refuse, splits, sum_by_key

pytestmark = pytest.mark.engine

KEYS = {"numbers": "key", "squares": "key"}
N_SPLITS, N_BUCKETS = 24, 8
PATIENCE = 60.0


@dataclass(frozen=True)
class Gate:
    """A place where a worker writes down its process and waits until it may pass."""

    folder: Path

    def __call__(self) -> None:
        (self.folder / f"at-{os.getpid()}").touch()
        deadline = time.monotonic() + PATIENCE
        while not (self.folder / "open").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def visitors(self) -> set[int]:
        return {int(path.name[3:]) for path in self.folder.glob("at-*")}

    def kill_first_visitor(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self.visitors():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(min(self.visitors()), signal.SIGKILL)
        (self.folder / "open").touch()


@dataclass(frozen=True)
class GatedRead:
    gate: Gate
    split_id: str

    def __call__(self, split: Split) -> Iterator[tuple[str, pa.Table]]:
        for number, rows in enumerate(read_numbers(split)):
            if split.split_id == self.split_id and number == 1:
                self.gate()
            yield rows


@dataclass(frozen=True)
class GatedReduce:
    gate: Gate

    def __call__(self, tables: Tables) -> Tables:
        self.gate()
        return sum_by_key(tables)


def shuffled(
    folder: Path,
    options: Sequence[str],
    read: Callable[[Split], Iterator[tuple[str, pa.Table]]] = read_numbers,
    reduce: Callable[[Tables], Tables] = sum_by_key,
    carrier: Carrier = "files",
) -> dict[str, bytes]:
    work, out = str(folder / "work"), str(folder / "out")
    shuffle = Shuffle(read, KEYS, reduce, N_BUCKETS, work, out, carrier=carrier)
    run(shuffle, splits(N_SPLITS), options)
    return contents(folder / "out")


@pytest.fixture(scope="module")
def dask() -> Iterator[list[str]]:
    with ready(["--runner=Dask", "--dask_workers=2"]) as options:
        yield options


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return shuffled(tmp_path_factory.mktemp("embedded"), ())


@pytest.mark.parametrize("carrier", ["files", "engine"])
def test_files_equal_those_of_the_embedded_runner(
    tmp_path: Path, dask: list[str], expected: dict[str, bytes], carrier: Carrier
) -> None:
    assert shuffled(tmp_path, dask, carrier=carrier) == expected


@pytest.mark.parametrize(
    ("moment", "carrier"),
    [
        ("first split", "files"),
        ("last split", "files"),
        ("bucket", "files"),
        ("last split", "engine"),
        ("bucket", "engine"),
    ],
)
def test_files_are_the_same_after_a_worker_was_killed(
    tmp_path: Path, dask: list[str], expected: dict[str, bytes], moment: str, carrier: Carrier
) -> None:
    gate = Gate(tmp_path / "gate")
    gate.folder.mkdir()
    killer = threading.Thread(target=gate.kill_first_visitor)
    killer.start()
    if moment == "bucket":
        digests = shuffled(tmp_path, dask, reduce=GatedReduce(gate), carrier=carrier)
    else:
        split_id = f"{0 if moment == 'first split' else N_SPLITS - 1:03d}"
        digests = shuffled(tmp_path, dask, read=GatedRead(gate, split_id), carrier=carrier)
    killer.join()
    assert digests == expected
    assert len(gate.visitors()) > 1


def test_an_error_in_a_worker_arrives_with_its_facts_and_help(
    tmp_path: Path, dask: list[str]
) -> None:
    with pytest.raises(InputError) as caught:
        shuffled(tmp_path, dask, read=refuse)
    assert caught.value.facts == {"split": "003"}
    assert caught.value.help == "mend it"


def test_a_scheduler_that_does_not_answer_is_reported() -> None:
    address = "--dask_client_address=tcp://127.0.0.1:1"
    with (
        pytest.raises(ConfigError, match="no Dask scheduler answers"),
        ready(["--runner=dask", address, "--dask_connection_timeout=1"]),
    ):
        pass


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[str]:
    """Run a scheduler and two workers as the docs start them; yield the address."""
    (port,) = pick_port(None)
    address = f"tcp://127.0.0.1:{port}"
    commands = (
        ["scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"],
        ["worker", address, "--nthreads", "1", "--nworkers", "2", "--no-dashboard"],
    )
    processes = []
    for command in commands:
        with (tmp_path / f"{command[0]}.log").open("w") as log:
            program = [sys.executable, "-m", "dask", *command]
            processes.append(
                subprocess.Popen(
                    program, env=ENVIRONMENT, stdout=log, stderr=log, start_new_session=True
                )
            )
        wait_until(lambda: answers(port))
    yield address
    for process in reversed(processes):
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def test_a_cluster_that_runs_already_gives_the_same_files(
    tmp_path: Path, scheduler: str, expected: dict[str, bytes]
) -> None:
    with ready(["--runner=dask", f"--dask_client_address={scheduler}"]) as options:
        assert shuffled(tmp_path, options) == expected
