from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labeling.errors import InputError
from labeling.keys import ids
from pipelines.jobs.label import label
from pipelines.run.config import read_config
from pipelines.shuffle import chain, engine_jobs
from pipelines.shuffle.engine import Shuffle, Split, Tables
from tests.pipelines.shuffle.test_carriers import Walk
from tests.pipelines.shuffle.test_workspace import files_of

N_STEPS, N_BUCKETS = 3, 4


@dataclass(frozen=True)
class Doubling:
    """A step that doubles numbers; `fault` names what fails while a file of its name exists."""

    folder: Path
    number: int
    fault: str = ""

    @property
    def out_dir(self) -> Path:
        return self.folder / f"out-{self.number}"

    def shuffle(self) -> Shuffle:
        work = str(self.folder / f"work-{self.number}")
        keys, name = {"numbers": "key"}, f"step-{self.number}"
        return Shuffle(self.read, keys, self.double, N_BUCKETS, work, str(self.out_dir), name=name)

    def read(self, split: Split) -> Iterator[tuple[str, pa.Table]]:
        self.note("read")
        numbers = list(split.arguments)
        if split.kind == "file":
            numbers = pq.read_table(split.arguments[0])["number"].to_pylist()
        keys = [ids.digest(str(number)) for number in numbers]
        yield "numbers", pa.table({"key": keys, "number": numbers})

    def double(self, tables: Tables) -> Tables:
        self.note("reduce")
        rows = tables["numbers"].sort_by("number")
        return {"numbers": pa.table({"number": [2 * n for n in rows["number"].to_pylist()]})}

    def splits(self) -> list[Split]:
        if self.number == 0:
            return [Split(f"{n}", "numbers", tuple(range(n, 90, 3))) for n in range(3)]
        paths = sorted((self.folder / f"out-{self.number - 1}").glob("numbers-*"))
        return [Split(f"{n}", "file", (str(path),)) for n, path in enumerate(paths)]

    def conclude(self) -> None:
        self.note("conclude")

    def note(self, what: str) -> None:
        with (self.folder / f"{what}-{self.number}").open("a") as file:
            file.write(".")
        if what == self.fault and (self.folder / "fault").exists():
            raise InputError(f"{what} failed")

    def count(self, what: str) -> int:
        path = self.folder / f"{what}-{self.number}"
        return len(path.read_text()) if path.exists() else 0


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Join shuffles as for an engine; return the names of the jobs that are run."""
    names: list[str] = []
    with_name = engine_jobs.with_name
    monkeypatch.setattr(engine_jobs, "is_sent", lambda options: True)
    monkeypatch.setattr(
        engine_jobs, "with_name", lambda o, name: (names.append(name), with_name(o, name))[1]
    )
    return names


def steps(folder: Path, fault: str = "") -> list[Doubling]:
    folder.mkdir(exist_ok=True)
    return [Doubling(folder, n, fault if n == 1 else "") for n in range(N_STEPS)]


def numbers_of(step: Doubling) -> list[int]:
    tables = [pq.read_table(path) for path in step.out_dir.iterdir()]
    return sorted(pa.concat_tables(tables)["number"].to_pylist())


def test_a_job_does_all_shuffles_and_each_is_concluded_once(
    tmp_path: Path, jobs: list[str]
) -> None:
    done = steps(tmp_path)
    chain.run(done, (), is_shared=True)
    assert jobs == ["step-0-to-step-2"]
    assert numbers_of(done[-1]) == [8 * n for n in range(90)]
    assert [step.count("conclude") for step in done] == [1, 1, 1]


def test_shuffles_on_folders_that_are_not_shared_and_large_ones_are_jobs_of_their_own(
    tmp_path: Path, jobs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    chain.run(steps(tmp_path / "apart"), (), is_shared=False)
    monkeypatch.setattr(chain, "MAX_BUCKETS", N_BUCKETS - 1)
    chain.run(steps(tmp_path / "large"), (), is_shared=True)
    assert jobs == [f"step-{n}" for n in range(N_STEPS)] * 2


@pytest.mark.parametrize("fault", ["read", "reduce", "conclude"])
def test_an_error_on_the_way_is_raised_and_the_rest_done_when_it_is_gone(
    tmp_path: Path, jobs: list[str], fault: str
) -> None:
    (tmp_path / "fault").touch()
    failing = steps(tmp_path, fault)
    with pytest.raises(InputError, match=f"{fault} failed"):
        chain.run(failing, (), is_shared=True)
    assert failing[2].count("read") == 0
    n_read = failing[0].count("read")
    (tmp_path / "fault").unlink()
    chain.run(failing, (), is_shared=True)
    assert numbers_of(failing[-1]) == [8 * n for n in range(90)]
    assert failing[0].count("read") == n_read
    assert jobs == ["step-0-to-step-2", "step-1-to-step-2"]


def test_a_chain_is_built_of_what_all_runners_do_right(tmp_path: Path) -> None:
    pipeline = beam.Pipeline()
    made = steps(tmp_path)
    transform = chain._Chain(tuple(made), tuple(step.shuffle() for step in made))
    _ = pipeline | beam.Create([(0, Split("0", "any", ()))]) | transform
    visitor = Walk()
    pipeline.visit(visitor)
    assert set(visitor.names) == {"Create", "GroupByKey", "ParDo"}
    (terminal,) = [made for made in visitor.made if made not in visitor.used]
    assert terminal is visitor.made[-1]


def test_a_run_of_two_jobs_has_the_same_bytes(shop: Path, tmp_path: Path, jobs: list[str]) -> None:
    label(read_config(shop), tmp_path / "joined")
    assert jobs == ["inputs", "hosts-to-merge"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_jobs, "is_sent", lambda options: False)
        label(read_config(shop), tmp_path / "apart")
    assert files_of(tmp_path / "joined") == files_of(tmp_path / "apart")
