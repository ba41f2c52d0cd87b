from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from labeling.errors import InputError
from tests.training.drawings import draw
from training.data.remote import fetch_shards
from training.data.shard_index import open_shards


def test_commands_and_urls_are_fetched_in_their_order(write_shard, tmp_path: Path) -> None:
    first = write_shard([draw(0)], "a.tar")
    second = write_shard([draw(1), draw(2)], "it's b.tar")
    names = [f"pipe:cat {shlex.quote(str(second))} | cat", first.as_uri(), str(second)]
    folder = tmp_path / "here"
    folder.mkdir()
    paths = fetch_shards(names, folder)
    assert sorted(folder.iterdir()) == paths
    read = [path.read_bytes() for path in paths]
    assert read == [second.read_bytes(), first.read_bytes(), second.read_bytes()]
    assert open_shards(paths[:2]).keys == [draw(n).image_id for n in (1, 2, 0)]


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("pipe:echo no such bucket >&2; exit 3", "ended with 3: no such bucket"),
        ("file:///absent/s.tar", "absent"),
        ("nonesuch://bucket/s.tar", "nonesuch"),
    ],
)
def test_what_cannot_be_fetched_is_refused_by_name(tmp_path: Path, name: str, cause: str) -> None:
    with pytest.raises(InputError, match="cannot be fetched") as error:
        fetch_shards([name], tmp_path)
    assert error.value.facts["shard"] == name
    assert cause in str(error.value.facts["cause"])


def test_a_shard_that_comes_cut_is_refused(write_shard, tmp_path: Path) -> None:
    shard = write_shard([draw(0)])
    (cut,) = fetch_shards([f"pipe:head -c 900 {shlex.quote(str(shard))}"], tmp_path)
    with pytest.raises(InputError, match="is cut"):
        open_shards([cut])
