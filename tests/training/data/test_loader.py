from __future__ import annotations

import dataclasses
import threading
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.errors import InputError
from tests.training.drawings import LABELS, draw, write_tar
from training.data import loader
from training.data.decode import View, decode
from training.data.loader import MEAN, STD, Batch, normalise, pixels_in_order, training_batches
from training.data.shard_index import Shards, open_shards
from training.data.targets import Targets, read_targets

DRAWINGS = [draw(number) for number in range(7)]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shards, Targets]:
    members = {k: v for drawing in DRAWINGS for k, v in drawing.members.items()}
    shards = open_shards([write_tar(tmp_path_factory.mktemp("set") / "s.tar", members)])
    return shards, read_targets(shards, LABELS)


def content(batch: Batch) -> list[object]:
    values = [getattr(batch, field.name) for field in dataclasses.fields(batch)]
    return [v.tolist() if isinstance(v, torch.Tensor) else v for v in values]


@settings(max_examples=15, deadline=None)
@given(
    start=st.integers(0, 9),
    batch_size=st.integers(1, 12),
    seed=st.integers(0, 2**63 - 1),
    n_workers=st.integers(1, 4),
)
def test_a_training_resumes_at_any_step_with_any_number_of_threads(
    images, start: int, batch_size: int, seed: int, n_workers: int
) -> None:
    whole = list(training_batches(*images, 8, batch_size, seed, range(10), 1))
    rest = list(training_batches(*images, 8, batch_size, seed, range(start, 10), n_workers))
    assert list(map(content, rest)) == list(map(content, whole[start:]))


def test_parts_of_a_step_are_the_step(images) -> None:
    whole = list(training_batches(*images, 8, 6, 3, range(3)))
    parts = [slice(0, 2), slice(4, 6)]
    batches = list(training_batches(*images, 8, 6, 3, range(3), parts=parts))
    assert [batch.keys for batch in batches] == [b.keys[part] for b in whole for part in parts]
    pixels = [b.pixels[part].tolist() for b in whole for part in parts]
    assert [batch.pixels.tolist() for batch in batches] == pixels
    target, _ = batches[1].dense(len(LABELS), torch.device("cpu"))
    assert target.equal(whole[0].dense(len(LABELS), torch.device("cpu"))[0][4:])


def test_rounds_seeds_and_steps_differ(images) -> None:
    first, second, third = training_batches(*images, 8, 7, 0, range(3))
    (other,) = training_batches(*images, 8, 7, 1, range(1))
    assert len({tuple(batch.keys) for batch in (first, second, third, other)}) == 4

    def of(batch: Batch) -> bytes:
        return batch.pixels[batch.keys.index(DRAWINGS[0].image_id)].numpy().tobytes()

    assert len({of(batch) for batch in (first, second, third, other)}) == 4


def test_a_batch_holds_the_pixels_and_targets_of_its_keys(images) -> None:
    (batch,) = training_batches(*images, 8, 5, 3, range(1))
    drawing_of = {drawing.image_id: drawing for drawing in DRAWINGS}
    views = np.random.default_rng((3, 1, 0)).random((5, 5)).tolist()
    target, weight = batch.dense(len(LABELS), torch.device("cpu"))
    assert weight.min() == weight.max() == 1
    for row, key in enumerate(batch.keys):
        drawing = drawing_of[key]
        assert (batch.pixels[row].numpy() == decode(drawing.jpeg, 8, View(*views[row]))).all()
        shown = [0.9 if label in drawing.shows else 0 for label in LABELS]
        assert target[row].tolist() == pytest.approx(shown)


def test_entries_are_scattered_and_the_rest_is_negative() -> None:
    batch = Batch(
        keys=["a", "b", "c"],
        pixels=torch.zeros(3, 1, 1, 3, dtype=torch.uint8),
        image=torch.tensor([0, 2, 2]),
        code=torch.tensor([1, 0, 3]),
        target=torch.tensor([0.75, 0.5, 0.0]),
        weight=torch.tensor([1.0, 1.0, 0.0]),
    )
    target, weight = batch.dense(4, torch.device("cpu"))
    assert target.tolist() == [[0, 0.75, 0, 0], [0, 0, 0, 0], [0.5, 0, 0, 0]]
    assert weight.tolist() == [[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 0]]


def test_threads_that_decode_start_no_others(images, monkeypatch) -> None:
    seen = set()

    def look(*given: object) -> np.ndarray:
        seen.add((threading.get_ident(), torch.get_num_threads()))
        return decode(*given)

    monkeypatch.setattr(loader, "decode", look)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        list(training_batches(*images, 8, 5, 0, range(6), 3))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert {n for _, n in seen} == {1}
    assert threading.get_ident() not in {thread for thread, _ in seen}


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_gpu_is_given_each_batch_once_and_copied_one_ahead(images, monkeypatch) -> None:
    done: list[str] = []
    stream = SimpleNamespace(wait_stream=lambda other: done.append("waited"))
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: stream)
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda tensor, stream: None)
    monkeypatch.setattr(Batch, "on", lambda batch, device: done.append("copied") or batch)
    given = (*images, 8, 5, 0, range(4), 2)
    batches = training_batches(*given, device=torch.device("cuda"))
    first = next(batches)
    assert done == ["copied", "waited", "copied"]
    expected = list(map(content, training_batches(*given)))
    assert [content(batch) for batch in (first, *batches)] == expected
    assert (done.count("copied"), done.count("waited")) == (4, 4)


@pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
def test_evaluation_sees_all_images_in_order_cut_to_squares(images, batch_size: int) -> None:
    parts = list(pixels_in_order(images[0], 16, batch_size))
    assert [len(part) for part in parts[:-1]] == [batch_size] * (len(parts) - 1)
    expected = np.stack([decode(drawing.jpeg, 16) for drawing in DRAWINGS])
    assert (torch.cat(parts).numpy() == expected).all()


def test_pixels_are_normalised_and_channels_last() -> None:
    pixels = torch.randint(0, 256, (2, 5, 5, 3), dtype=torch.uint8)
    batches = normalise(pixels)
    expected = (pixels.numpy() / 255 - MEAN) / STD
    assert np.allclose(batches.permute(0, 2, 3, 1), expected, atol=1e-5)
    assert batches.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("jpeg", [draw(0).jpeg[:-200], b"<svg/>", b""])
def test_images_that_cannot_be_decoded_are_refused_by_shard_and_key(
    jpeg: bytes, tmp_path: Path
) -> None:
    key = draw(0).image_id
    path = write_tar(
        tmp_path / "bad.tar",
        {**draw(2).members, **draw(0).members, f"{key}.jpg": jpeg},
    )
    shards = open_shards([path])
    targets = read_targets(shards, LABELS)
    for batches in (
        pixels_in_order(shards, 16, 1),
        training_batches(shards, targets, 16, 2, 0, range(9)),
    ):
        with pytest.raises(InputError, match="cannot be used") as error:
            list(batches)
        assert error.value.facts["shard"] == path
        assert error.value.facts["key"] == key


def test_all_threads_end(images) -> None:
    before = threading.active_count()
    batches = training_batches(*images, 8, 2, 0, range(1000), 3)
    next(batches)
    assert threading.active_count() > before
    batches.close()
    assert threading.active_count() == before
