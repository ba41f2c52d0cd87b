"""Costly things are kept by content: a worker outlives runs, in which paths get other content."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labeling.errors import InputError
from labeling.feedback import debias
from labeling.matching import name_statistics
from labeling.matching.matcher import find
from labeling.matching.surface_forms import NameStatistics
from labeling.taxonomy.published import TaxonomyFiles, pinned
from pipelines.passes.hosts import boilerplate_in
from pipelines.passes.votes import feedback_model_in
from pipelines.workers.cached import MAX_RESULTS, Cache
from pipelines.workers.matchers import MatcherFiles, matcher_at
from pipelines.workers.taxonomies import taxonomy_at


def write_taxonomy(path: Path, *names: str) -> TaxonomyFiles:
    lines = [json.dumps({"id": f"x{n}", "names": [name]}) for n, name in enumerate(names)]
    path.write_text("\n".join(lines))
    return TaxonomyFiles(path)


def write_tables(folder: Path, tables: dict[str, pa.Table]) -> None:
    folder.mkdir(exist_ok=True)
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}-00000-of-00001.parquet")


def write_usage(folder: Path, stop: str, weight: Sequence[float]) -> None:
    used = NameStatistics(stop=((stop,),), weight=pa.array(weight, pa.float64()).to_numpy())
    write_tables(folder, name_statistics.to_tables(used))


def test_a_taxonomy_that_changed_at_its_path_is_read_again(tmp_path: Path) -> None:
    files = write_taxonomy(tmp_path / "t.jsonl", "cat", "dog")
    assert taxonomy_at(files).display_name(0) == "cat"
    write_taxonomy(tmp_path / "t.jsonl", "dog", "cat")
    assert taxonomy_at(files).display_name(0) == "dog"


def test_a_taxonomy_is_parsed_once_and_never_confused_with_another(tmp_path: Path) -> None:
    files = pinned(write_taxonomy(tmp_path / "t.jsonl", "cat", "dog"))
    first = taxonomy_at(files)
    write_taxonomy(tmp_path / "t.jsonl", "dog", "cat")
    assert taxonomy_at(files) is first


@pytest.mark.parametrize("content", ['{"id": "y", "names": ["owl"]}', "no JSON", None])
def test_another_taxonomy_than_that_of_the_command_is_refused(
    tmp_path: Path, content: str | None
) -> None:
    files = pinned(write_taxonomy(tmp_path / "t.jsonl", "emu"))
    files.path.unlink() if content is None else files.path.write_text(content)
    expected = "does not exist" if content is None else "has changed since the command began"
    with pytest.raises(InputError, match=expected) as caught:
        taxonomy_at(files)
    assert caught.value.facts["file"] == files.path


def test_a_matcher_follows_its_taxonomy_and_the_usage_of_its_names(tmp_path: Path) -> None:
    work_dir = tmp_path / "work"
    files = write_taxonomy(tmp_path / "t.jsonl", "cat", "dog")
    plain = MatcherFiles(files, work_dir, has_statistics=False)
    used = MatcherFiles(files, work_dir, has_statistics=True)
    assert [code for code, *_ in find(matcher_at(plain), "A dog")] == [1]
    write_taxonomy(tmp_path / "t.jsonl", "dog", "cat")
    assert [code for code, *_ in find(matcher_at(plain), "A dog")] == [0]
    work_dir.mkdir(exist_ok=True)
    write_usage(work_dir / "name_statistics", "dog", [1, 1])
    assert list(find(matcher_at(used), "A dog")) == []
    write_usage(work_dir / "name_statistics", "cat", [1, 1])
    assert [code for code, *_ in find(matcher_at(used), "A dog")] == [0]
    assert matcher_at(used) is matcher_at(used)


def test_boilerplate_and_feedback_models_follow_their_files(tmp_path: Path) -> None:
    for things in ([1, 2], [3]):
        write_tables(tmp_path, {"boilerplate": pa.table({"thing": pa.array(things, pa.uint64())})})
        assert boilerplate_in(tmp_path).tolist() == things
    assert feedback_model_in(tmp_path / "no feedback").drops_early is False
    for drops_early in (True, False):
        tables = debias.to_tables(debias.neutral_model()._replace(drops_early=drops_early))
        write_tables(tmp_path, tables)
        assert feedback_model_in(tmp_path).drops_early is drops_early


def test_a_result_is_made_once_while_other_threads_wait() -> None:
    cache, made = Cache[int](), []

    def make() -> int:
        time.sleep(0.05)
        made.append(1)
        return len(made)

    threads = [threading.Thread(target=cache.get, args=("a", make)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]


def test_the_latest_results_are_kept() -> None:
    cache = Cache[int]()
    for number in (*range(MAX_RESULTS), 0, MAX_RESULTS):
        cache.get(number, lambda: 1)
    assert [cache.get(number, lambda: 2) for number in (0, MAX_RESULTS, 1)] == [1, 1, 2]
