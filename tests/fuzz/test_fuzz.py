"""A minute of mutated files for every reader, and the search itself."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.__main__ import FEWEST, input_of, next_target, try_one
from tests.fuzz.targets import TARGETS, prepare, reading

# The modes of zlib and of pyarrow's readers leave files to the garbage collector on errors.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_valid_forms_are_read_and_few_mutations_refused_without_a_traceback(
    target: str, tmp_path: Path
) -> None:
    prepare(tmp_path)
    read = reading(target, tmp_path)
    for form in TARGETS[target].forms:
        read(form)
    n_tries = 3 if target == "parquet" else 20  # a process of its own for each
    assert [try_one(read, input_of(target, 1, number)) for number in range(n_tries)] == (
        [None] * n_tries
    )


def test_inputs_depend_on_seed_target_and_number_alone() -> None:
    contents = {input_of("csv", seed, number) for seed in (0, 1) for number in range(20)}
    assert len(contents) > 35
    random.seed(0)
    assert input_of("tar", 5, 7) == input_of("tar", 5, 7)


def test_another_error_is_a_fault() -> None:
    def read(content: bytes) -> None:
        raise KeyError(content)

    assert "KeyError" in (try_one(read, b"x") or "")


def test_every_target_gets_some_inputs_and_then_the_same_time() -> None:
    costs = {"slow": 100, "fast": 1, "medium": 10}
    tried, spent = dict.fromkeys(costs, 0), dict.fromkeys(costs, 0.0)
    for n_inputs in (30, 3 * FEWEST, 3 * FEWEST + 2000):
        while sum(tried.values()) < n_inputs:
            target = next_target(tried, spent)
            tried[target] += 1
            spent[target] += costs[target]
        assert min(tried.values()) >= min(n_inputs // 3, FEWEST)
    assert tried["slow"] == FEWEST
    assert abs(spent["fast"] - spent["medium"]) <= 10


@pytest.mark.slow
def test_no_reader_fails_within_a_minute() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--seconds", "60"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["faults"] == {}, done.stderr[-5000:]
    assert set(result["tried"]) == set(TARGETS)
    assert min(result["tried"].values()) >= FEWEST
    assert sum(result["tried"].values()) > 500
