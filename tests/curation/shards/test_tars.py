from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from webdataset.tariterators import group_by_keys, tar_file_expander

from curation.shards.tars import (
    Sample,
    ShardInfo,
    find_samples,
    map_shard,
    parse_json,
    write_index,
    write_shards,
)
from labeling.errors import InputError
from labeling.keys.ids import digest


def make_samples(n: int, n_bytes: int = 100) -> list[Sample]:
    keys = sorted(digest(f"sample {i}") for i in range(n))
    return [
        Sample(key, bytes([i % 256]) * n_bytes, {"name": "ä", "n": i}) for i, key in enumerate(keys)
    ]


def one_shard(samples: list[Sample], directory: Path) -> Path:
    (info,) = write_shards(samples, directory, "s", 10**9)
    return directory / info.name


def write_tar(path: Path, members: list[tuple[str, bytes]]) -> Path:
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in members:
            header = tarfile.TarInfo(name)
            header.size = len(data)
            tar.addfile(header, io.BytesIO(data))
    return path


def read_shard(path: Path) -> list[Sample]:
    with map_shard(path) as data:
        return [
            Sample(span.key, data[span.jpeg], parse_json(data[span.json], path, span.key))
            for span in find_samples(data, path)
        ]


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_shard(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


# The format


def test_samples_are_read_as_they_were_written(tmp_path: Path) -> None:
    samples = make_samples(5)
    assert read_shard(one_shard(samples, tmp_path)) == samples


def test_samples_are_found_in_tars_of_any_writer_and_order(tmp_path: Path) -> None:
    for kind in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        path = tmp_path / "s.tar"
        with tarfile.open(path, "w", format=kind) as tar:
            for key in ("b" * 32, "a" * 32):
                for name, data in ((f"{key}.jpg", key[:9].encode()), (f"{key}.json", b"{}")):
                    header = tarfile.TarInfo(name)
                    header.size, header.mtime, header.uname = len(data), 1_700_000_000, "someone"
                    tar.addfile(header, io.BytesIO(data))
        with map_shard(path) as data:
            samples = [(p.key, data[p.jpeg], data[p.json]) for p in find_samples(data, path)]
        assert samples == [("b" * 32, b"b" * 9, b"{}"), ("a" * 32, b"a" * 9, b"{}")]


def test_headers_hold_nothing_but_names_and_sizes(tmp_path: Path) -> None:
    samples = make_samples(3)
    with tarfile.open(one_shard(samples, tmp_path)) as tar:
        members = tar.getmembers()
    names = [f"{s.image_id}.{kind}" for s in samples for kind in ("jpg", "json")]
    assert [m.name for m in members] == names
    headers = {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode, m.type) for m in members}
    assert headers == {(0, 0, 0, "", "", 0o644, tarfile.REGTYPE)}


def test_json_is_compact_sorted_utf8(tmp_path: Path) -> None:
    sample = Sample("0" * 32, b"", {"b": "ä", "a": [1, 2.5]})
    with tarfile.open(one_shard([sample], tmp_path)) as tar:
        member = tar.extractfile(f"{sample.image_id}.json")
        assert member is not None
        assert member.read() == '{"a":[1,2.5],"b":"ä"}'.encode()


def test_webdataset_reads_the_shards(tmp_path: Path) -> None:
    samples = make_samples(4)
    path = one_shard(samples, tmp_path)
    with path.open("rb") as stream:
        read = list(group_by_keys(tar_file_expander([{"url": str(path), "stream": stream}])))
    assert [f["__key__"] for f in read] == [s.image_id for s in samples]
    assert [f["jpg"] for f in read] == [s.jpeg for s in samples]


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 3000), max_size=12),
    shard_bytes=st.integers(1, 12_000),
)
def test_shards_are_full_but_never_too_large(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], shard_bytes: int
) -> None:
    directory = tmp_path_factory.mktemp("shards")
    samples = [Sample(f"{i:032x}", b"x" * size, {}) for i, size in enumerate(sizes)]
    shards = write_shards(iter(samples), directory, "p", shard_bytes)
    assert [s.name for s in shards] == [f"p-{i:06d}.tar" for i in range(len(shards))]
    assert sorted(p.name for p in directory.iterdir()) == [s.name for s in shards]
    parts = [read_shard(directory / s.name) for s in shards]
    assert [sample for part in parts for sample in part] == samples
    for number, (info, part) in enumerate(zip(shards, parts, strict=True)):
        path = directory / info.name
        assert info == ShardInfo(path.name, len(part), path.stat().st_size)
        assert info.n_bytes <= shard_bytes or info.n_samples == 1
        if number:
            first = one_shard(part[:1], directory)
            assert shards[number - 1].n_bytes + first.stat().st_size - 1024 > shard_bytes


def test_samples_are_taken_one_at_a_time(tmp_path: Path) -> None:
    written_before = []

    def stream() -> Any:
        for sample in make_samples(20, n_bytes=5000):
            written_before.append(sum(p.stat().st_size for p in tmp_path.iterdir()))
            yield sample

    write_shards(stream(), tmp_path, "s", 20_000)
    assert written_before[-1] > 20_000


def test_equal_samples_make_equal_bytes(tmp_path: Path) -> None:
    twice = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        twice.append(one_shard(make_samples(6), tmp_path / name).read_bytes())
    assert twice[0] == twice[1]


@pytest.mark.parametrize(
    "key",
    ["", "../../etc/passwd", "/abs", "a/b", "con", "x.y", "__meta__", "f" * 31, "f" * 33,
     "F" * 32, "f" * 31 + "\n", "f" * 32 + "\n", "f" * 300],
)  # fmt: skip
def test_other_keys_never_become_file_names(tmp_path: Path, key: str) -> None:
    with pytest.raises(InputError):
        write_shards([Sample(key, b"", {})], tmp_path, "s", 10**6)


@pytest.mark.parametrize("order", [[1, 0], [0, 0]])
def test_unsorted_samples_are_refused(tmp_path: Path, order: list[int]) -> None:
    samples = make_samples(2)
    with pytest.raises(InputError, match="not sorted"):
        write_shards([samples[i] for i in order], tmp_path, "s", 1)


def test_the_index_gives_the_samples_of_each_shard(tmp_path: Path) -> None:
    write_index([ShardInfo("b-000000.tar", 2, 10), ShardInfo("a-000000.tar", 3, 9)], tmp_path)
    assert json.loads((tmp_path / "sizes.json").read_text()) == {
        "a-000000.tar": 3,
        "b-000000.tar": 2,
    }


def test_a_shard_cut_anywhere_is_refused(tmp_path: Path) -> None:
    whole = one_shard(make_samples(3), tmp_path).read_bytes()
    cut = tmp_path / "cut.tar"
    for n in [*range(0, len(whole), 256), len(whole) - 1]:
        cut.write_bytes(whole[:n])
        refusal(cut)


@settings(max_examples=100, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True), mask=st.integers(1, 255))
def test_a_damaged_header_is_refused(
    tmp_path_factory: pytest.TempPathFactory, share: float, mask: int
) -> None:
    directory = tmp_path_factory.mktemp("shard")
    path = one_shard(make_samples(2), directory)
    data = bytearray(path.read_bytes())
    # With 100 bytes in each member, every second block is a header.
    at = int(share * 2 * 512)
    data[at // 512 * 1024 + at % 512] ^= mask
    path.write_bytes(bytes(data))
    try:
        assert read_shard(path) == make_samples(2)
    except InputError as error:
        assert str(path) in str(error)


def test_samples_must_be_whole(tmp_path: Path) -> None:
    a, b = "a" * 32, "b" * 32
    jpg_a, json_a = (f"{a}.jpg", b"x"), (f"{a}.json", b"{}")
    jpg_b, json_b = (f"{b}.jpg", b"x"), (f"{b}.json", b"{}")
    wrong = {
        "json missing": [jpg_a, jpg_b, json_b],
        "json missing at the end": [jpg_a, json_a, jpg_b],
        "jpg missing": [json_a, jpg_b, json_b],
        "members swapped": [json_a, jpg_a],
        "member twice": [jpg_a, jpg_a, json_a, json_a],
    }
    for case, members in wrong.items():
        message = refusal(write_tar(tmp_path / f"{case}.tar", members))
        assert a in message or b in message, case


@pytest.mark.parametrize(
    "name", ["../x.jpg", "/etc/passwd", f"{'a' * 32}.png", f"d/{'a' * 32}.jpg"]
)
def test_foreign_names_are_refused(tmp_path: Path, name: str) -> None:
    assert name in refusal(write_tar(tmp_path / "foreign.tar", [(name, b"x")]))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.DIRTYPE, tarfile.GNUTYPE_SPARSE])
def test_members_that_are_not_files_are_refused(tmp_path: Path, kind: bytes) -> None:
    key = "a" * 32
    header = tarfile.TarInfo(f"{key}.jpg")
    header.type = kind
    header.linkname = "/etc/passwd" if kind == tarfile.SYMTYPE else ""
    (info,) = write_shards([Sample(key, b"", {})], tmp_path, "s", 10**6)
    whole = (tmp_path / info.name).read_bytes()
    (tmp_path / info.name).write_bytes(header.tobuf(tarfile.USTAR_FORMAT) + whole[512:])
    assert "not part of a sample" in refusal(tmp_path / info.name)


def test_shards_that_are_not_plain_tars_are_refused(tmp_path: Path) -> None:
    whole = one_shard(make_samples(2), tmp_path).read_bytes()
    wrong = {
        "gzip": gzip.compress(whole),
        "two": whole + whole,
        "half an end": whole[:-512],
        "text": b"hello" * 1000,
        "empty": b"",
    }
    for case, data in wrong.items():
        (tmp_path / case).write_bytes(data)
        message = refusal(tmp_path / case)
        assert ("gzip" in message) == (case == "gzip")
    refusal(tmp_path / "absent.tar")


@pytest.mark.parametrize("text", [b"{", b"[]", b"\xff", b"[" * 100_000])
def test_json_that_is_not_an_object_is_refused(tmp_path: Path, text: bytes) -> None:
    key = "a" * 32
    path = write_tar(tmp_path / "s.tar", [(f"{key}.jpg", b"x"), (f"{key}.json", text)])
    assert key in refusal(path)


# What goes in
