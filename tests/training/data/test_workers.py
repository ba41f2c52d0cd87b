from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
import torch

from labeling.errors import InputError
from tests.training.drawings import LABELS, draw
from training.data import loader
from training.data.shard_index import open_shards
from training.data.targets import read_targets
from training.data.workers import in_processes, in_threads

# Python 3.12 and later warn of every fork of a process with threads.
pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
BOTH = pytest.mark.parametrize("workers", [in_threads, in_processes])


def slow_first(number: int) -> tuple[int, int, int]:
    time.sleep(0.05 if number == 0 else 0)
    return number, os.getpid(), threading.get_ident()


@BOTH
def test_results_of_workers_come_in_order(workers) -> None:
    results = list(workers(slow_first, range(9), 2))
    assert [number for number, *_ in results] == list(range(9))
    assert (os.getpid(), threading.get_ident()) not in {tuple(worker) for _, *worker in results}
    assert ({pid for _, pid, _ in results} == {os.getpid()}) == (workers is in_threads)


@BOTH
def test_an_error_of_a_worker_is_raised_in_order_with_its_facts(workers) -> None:
    def make(number: int) -> int:
        if number == 2:
            raise InputError("it is cut", facts={"file": Path("x.tar")}, help="mend it")
        return number

    made = workers(make, range(5), 2)
    assert [next(made), next(made)] == [0, 1]
    with pytest.raises(InputError, match="it is cut") as error:
        next(made)
    assert error.value.facts == {"file": Path("x.tar")}
    assert error.value.help == "mend it"


@BOTH
def test_workers_end_if_their_results_are_not_all_read(workers) -> None:
    made = workers(slow_first, range(1000), 2)
    next(made)
    n_threads = threading.active_count()
    made.close()
    assert threading.active_count() <= n_threads


@BOTH
def test_each_worker_computes_in_one_thread(workers) -> None:
    assert set(workers(lambda number: torch.get_num_threads(), range(6), 2)) == {1}


def test_processes_make_the_batches_that_threads_make(write_shard, monkeypatch) -> None:
    shards = open_shards([write_shard([draw(number) for number in range(7)])])
    given = (shards, read_targets(shards, LABELS), 8, 4, 0, range(5))
    by_threads = list(loader.training_batches(*given))
    monkeypatch.setattr(loader, "in_threads", in_processes)
    for batch, expected in zip(loader.training_batches(*given), by_threads, strict=True):
        assert batch.keys == expected.keys
        assert all(map(torch.equal, batch.tensors(), expected.tensors()))
