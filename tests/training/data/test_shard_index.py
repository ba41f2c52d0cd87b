from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.shards.tars import Sample, write_shards
from labeling.errors import InputError
from tests.training.drawings import draw, write_tar
from training.data import shard_index
from training.data.shard_index import open_shards

DRAWINGS = sorted((draw(number) for number in range(9)), key=lambda d: d.image_id)


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(st.integers(0, 8), max_size=12), shard_bytes=st.integers(1, 20_000))
def test_any_sample_is_read_from_the_shards_of_the_export(
    tmp_path_factory: pytest.TempPathFactory, rows: list[int], shard_bytes: int
) -> None:
    folder = tmp_path_factory.mktemp("shards")
    samples = (Sample(d.image_id, d.jpeg, d.facts) for d in DRAWINGS)
    paths = [folder / s.name for s in write_shards(samples, folder, "train", shard_bytes)]
    shards = open_shards(paths)
    assert shards.keys == [d.image_id for d in DRAWINGS]
    for row in rows:
        assert bytes(shards.jpeg(row)) == DRAWINGS[row].jpeg
        assert shards.facts(row) == DRAWINGS[row].facts
        assert f"{DRAWINGS[row].image_id}.jpg".encode() in shards.path(row).read_bytes()


def test_samples_come_in_the_order_of_the_shards_sorted_or_not(write_shard) -> None:
    drawings = [DRAWINGS[number] for number in (4, 2, 0, 3)]
    paths = [write_shard(drawings[:2], "b.tar"), write_shard(drawings[2:], "a.tar")]
    assert open_shards(paths).keys == [d.image_id for d in drawings]


def test_more_shards_than_may_be_open_are_read(write_shard, monkeypatch) -> None:
    monkeypatch.setattr(shard_index, "MAX_OPEN", 2)
    shards = open_shards([write_shard([d], f"{n}.tar") for n, d in enumerate(DRAWINGS)])
    views = [shards.jpeg(row) for row in range(9)]
    assert [bytes(view) for view in views] == [d.jpeg for d in DRAWINGS]


def test_no_shards_and_empty_shards_are_refused(write_shard) -> None:
    for paths in ([], [write_shard([])]):
        with pytest.raises(InputError, match="no image in the shards") as error:
            open_shards(paths)
        assert error.value.help


def test_an_image_twice_is_refused(write_shard) -> None:
    paths = [write_shard([draw(0)], "a.tar"), write_shard([draw(1), draw(0)], "b.tar")]
    with pytest.raises(InputError, match="twice") as error:
        open_shards(paths)
    assert error.value.facts["key"] == draw(0).image_id


def faulty() -> dict[str, dict[str, bytes]]:
    drawing = draw(0)
    jpg, note = drawing.members
    return {
        "no json": {jpg: drawing.jpeg},
        "no jpg": {note: drawing.members[note]},
        "json first": {note: drawing.members[note], jpg: drawing.jpeg},
        "foreign member": {**drawing.members, f"{drawing.image_id}.txt": b""},
    }


@pytest.mark.parametrize("fault", faulty())
def test_samples_that_are_not_whole_are_refused_by_shard_and_key(
    fault: str, tmp_path: Path
) -> None:
    path = write_tar(tmp_path / "bad.tar", {**draw(2).members, **faulty()[fault]})
    with pytest.raises(InputError) as error:
        open_shards([path])
    assert error.value.facts["shard"] == path
    assert draw(0).image_id in str(error.value.facts["key"])


def test_a_member_twice_is_refused(write_shard, tmp_path: Path) -> None:
    shard_bytes = write_shard([draw(0)]).read_bytes()
    first = shard_bytes[: 512 + len(draw(0).jpeg) + -len(draw(0).jpeg) % 512]
    path = tmp_path / "twice.tar"
    path.write_bytes(first + shard_bytes)
    with pytest.raises(InputError, match="one .jpg and then one .json") as error:
        open_shards([path])
    assert draw(0).image_id in str(error.value.facts["key"])


def test_keys_that_are_not_digests_are_refused(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "bad.tar", {"../img.jpg": b"", "../img.json": b""})
    with pytest.raises(InputError, match="not part of a sample"):
        open_shards([path])


def test_a_shard_cut_anywhere_is_refused(write_shard, tmp_path: Path) -> None:
    whole = write_shard([draw(0), draw(1)]).read_bytes()
    end = len(whole.rstrip(b"\0")) + 1024
    path = tmp_path / "cut.tar"
    for length in [0, 1, *range(512, end, 512)]:
        path.write_bytes(whole[:length])
        with pytest.raises(InputError) as error:
            open_shards([path])
        assert error.value.facts["shard"] == path


def test_absent_and_compressed_shards_are_refused(write_shard, tmp_path: Path) -> None:
    packed = tmp_path / "packed.tar"
    packed.write_bytes(gzip.compress(write_shard([draw(0)]).read_bytes()))
    for path in (packed, tmp_path / "absent.tar", tmp_path):
        with pytest.raises(InputError) as error:
            open_shards([path])
        assert error.value.facts["shard"] == path


def test_some_of_the_samples_are_shards_too(write_shard) -> None:
    shards = open_shards([write_shard(DRAWINGS[:5], "a.tar"), write_shard(DRAWINGS[5:], "b.tar")])
    taken = shards.take(np.array([7, 2]))
    assert taken.keys == [DRAWINGS[7].image_id, DRAWINGS[2].image_id]
    assert bytes(taken.jpeg(0)) == DRAWINGS[7].jpeg
    assert taken.path(0).name == "b.tar"
    assert taken.facts(1) == DRAWINGS[2].facts
