from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labeling.errors import InputError
from labeling.keys import ids
from pipelines.shuffle.engine import Shuffle, Split, Tables, run

N_ROWS = 500


def read_numbers(split: Split) -> Iterator[tuple[str, pa.Table]]:
    numbers = list(split.arguments)
    keys = [ids.digest(str(n % 50)) for n in numbers]
    yield "numbers", pa.table({"key": keys, "number": numbers})
    yield "squares", pa.table({"key": keys, "square": [n * n for n in numbers]})
    yield (
        "numbers",
        pa.table({"key": pa.array([], pa.string()), "number": pa.array([], pa.int64())}),
    )


def sum_by_key(tables: Tables) -> Tables:
    numbers = tables["numbers"].group_by("key").aggregate([("number", "sum")])
    squares = tables["squares"].group_by("key").aggregate([("square", "sum")])
    return {"sums": numbers.join(squares, keys="key").sort_by("key")}


def keep_order(tables: Tables) -> Tables:
    return {"rows": tables["numbers"]}


def refuse(split: Split) -> Iterator[tuple[str, pa.Table]]:
    if "3" in split.split_id:
        raise InputError("a row is bad", facts={"split": split.split_id}, help="mend it")
    yield from read_numbers(split)


def interrupt(split: Split) -> Iterator[tuple[str, pa.Table]]:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.1)
    yield from read_numbers(split)


def interrupt_unheard(split: Split) -> Iterator[tuple[str, pa.Table]]:
    with contextlib.suppress(KeyboardInterrupt):
        yield from interrupt(split)


def splits(n: int) -> list[Split]:
    numbers = range(N_ROWS)
    return [Split(f"{i:03d}", "numbers", tuple(numbers[i::n])) for i in range(n)]


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def shuffled(
    tmp_path: Path, name: str, parts: list[Split], n_buckets: int = 4, options: tuple[str, ...] = ()
) -> Path:
    out = tmp_path / name
    keys = {"numbers": "key", "squares": "key"}
    work = tmp_path / f"{name}-work"
    run(Shuffle(read_numbers, keys, sum_by_key, n_buckets, str(work), str(out)), parts, options)
    return out


def test_every_row_arrives_once_in_the_order_of_the_ids(tmp_path: Path) -> None:
    out = shuffled(tmp_path, "out", splits(7))
    table = pa.concat_tables([pq.read_table(path) for path in sorted(out.iterdir())])
    keys = table["key"].to_pylist()
    assert keys == sorted(keys)
    expected = {ids.digest(str(k)): sum(n for n in range(N_ROWS) if n % 50 == k) for k in range(50)}
    assert dict(zip(keys, table["number_sum"].to_pylist(), strict=True)) == expected
    assert sum(table["square_sum"].to_pylist()) == sum(n * n for n in range(N_ROWS))


def test_files_are_equal_whatever_the_splits_their_order_and_the_workers(tmp_path: Path) -> None:
    straight = contents(shuffled(tmp_path, "straight", splits(5)))
    parts = splits(11)
    random.Random(0).shuffle(parts)
    assert contents(shuffled(tmp_path, "mixed", parts)) == straight
    threads = ("--direct_num_workers=3", "--direct_running_mode=multi_threading")
    assert contents(shuffled(tmp_path, "threads", parts, options=threads)) == straight


def test_parts_of_a_bucket_come_in_the_order_of_their_splits(tmp_path: Path) -> None:
    parts = splits(6)
    results = []
    for order in (parts, parts[::-1]):
        out = tmp_path / order[0].split_id
        keys = {"numbers": "key", "squares": "key"}
        run(Shuffle(read_numbers, keys, keep_order, 2, str(out / "w"), str(out / "o")), order)
        results.append(contents(out / "o"))
    assert results[0] == results[1]


def test_the_first_error_is_raised_with_its_facts_and_help(tmp_path: Path) -> None:
    keys = {"numbers": "key", "squares": "key"}
    shuffle = Shuffle(refuse, keys, sum_by_key, 2, str(tmp_path / "w"), str(tmp_path / "o"))
    with pytest.raises(InputError) as caught:
        run(shuffle, splits(40))
    assert caught.value.facts == {"split": "003"}
    assert caught.value.help == "mend it"


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Handle SIGINT, also if the tests run in the background of a shell, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("read", [interrupt, interrupt_unheard])
def test_an_interrupt_is_raised_even_if_a_kernel_swallows_it(
    tmp_path: Path, read: Any, interruptible: None
) -> None:
    keys = {"numbers": "key", "squares": "key"}
    shuffle = Shuffle(read, keys, sum_by_key, 4, str(tmp_path / "work"), str(tmp_path / "out"))
    with pytest.raises(KeyboardInterrupt):
        run(shuffle, splits(1))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
