from __future__ import annotations

import dataclasses
import gzip
import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from drawings import LABELS, as_jpeg, draw, write_tar
from PIL import Image

from curation.tars import Sample, write_shards
from labeling.errors import InputError
from training import data

SIDE = 16


def with_facts(drawing, **facts):
    return dataclasses.replace(drawing, facts={**drawing.facts, **facts})


def test_kept_labels_are_soft_positives_and_unknown_ones_weigh_nothing(write_shard) -> None:
    labels = [
        {"label_id": "blue", "p_correct": 0.75, "implied": False},
        {"label_id": "square", "p_correct": 0.5, "implied": True},
        {"label_id": "a label that is not trained on", "p_correct": 1.0},
    ]
    first = with_facts(draw(0), labels=labels, unknown=["disc", "another such label"])
    second = with_facts(draw(1), labels=[], unknown=[])
    images = data.read([write_shard([first, second])], LABELS, SIDE)
    batch = images.batch(torch.tensor([1, 0, 0]))
    # LABELS: blue, disc, green, red, square
    known = torch.tensor([0.75, 0, 0, 0, 0.5])
    assert batch.keys == [second.image_id, first.image_id, first.image_id]
    assert torch.equal(batch.target, torch.stack([torch.zeros(5), known, known]))
    weight = torch.tensor([1.0, 0, 1, 1, 1])
    assert torch.equal(batch.weight, torch.stack([torch.ones(5), weight, weight]))


def test_pixels_are_those_of_the_image_normalised_and_channels_last(write_shard) -> None:
    drawing = draw(0)
    batch = data.read([write_shard([drawing])], LABELS, SIDE).batch(torch.tensor([0]))
    pixels = np.asarray(Image.open(io.BytesIO(drawing.jpeg)), np.float64) / 255
    expected = (pixels - data.MEAN) / data.STD
    assert np.allclose(batch.images[0].permute(1, 2, 0), expected, atol=1e-5)
    assert batch.images.is_contiguous(memory_format=torch.channels_last)


def test_other_sizes_are_cut_to_a_centred_square(write_shard) -> None:
    stripes = np.zeros((20, 60, 3), np.uint8)
    stripes[:, 20:40] = 255
    drawing = dataclasses.replace(draw(0), jpeg=as_jpeg(Image.fromarray(stripes)))
    pixels = data.read([write_shard([drawing])], LABELS, 8).pixels
    assert pixels.shape == (1, 8, 8, 3)
    assert pixels.min() > 200


def test_grey_and_turned_images_are_read_upright(write_shard) -> None:
    left_white = np.zeros((16, 16), np.uint8)
    left_white[:, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise: left comes to the top
    jpeg = as_jpeg(Image.fromarray(left_white), exif=exif)
    pixels = data.read(
        [write_shard([dataclasses.replace(draw(0), jpeg=jpeg)])], LABELS, SIDE
    ).pixels
    assert pixels[0, :7].min() > 200
    assert pixels[0, 9:].max() < 50


def test_moved_images_are_windows_of_the_reflected_image() -> None:
    side, reach, n = 16, 2, 400
    image = torch.arange(side * side).reshape(side, side)
    pixels = image[None, :, :, None].expand(n, side, side, 3)
    moved = data._move_and_mirror(pixels, torch.Generator().manual_seed(0))[..., 0].numpy()
    padded = np.pad(image.numpy(), reach, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side)).reshape(-1, side, side)
    allowed = {w.tobytes() for w in windows} | {w[:, ::-1].tobytes() for w in windows}
    assert {m.tobytes() for m in moved} == allowed
    again = data._move_and_mirror(pixels, torch.Generator().manual_seed(0))[..., 0].numpy()
    assert (again == moved).all()


def test_shards_are_read_in_order(write_shard) -> None:
    drawings = [draw(number) for number in range(5)]
    paths = [write_shard(drawings[:2], "a.tar"), write_shard(drawings[2:], "b.tar")]
    assert data.read(paths, LABELS, SIDE).keys == [d.image_id for d in drawings]


def test_the_shards_of_the_export_are_read(tmp_path: Path) -> None:
    drawings = sorted((draw(number) for number in range(4)), key=lambda d: d.image_id)
    samples = [Sample(d.image_id, d.jpeg, d.facts) for d in drawings]
    written = write_shards(samples, tmp_path, "train", shard_bytes=1 << 13)
    assert len(written) > 1
    images = data.read([tmp_path / shard.name for shard in written], LABELS, SIDE)
    assert images.keys == [d.image_id for d in drawings]
    shown = images.batch(torch.arange(4)).target > 0
    assert [[LABELS[i] for i in row.nonzero()[:, 0]] for row in shown] == [
        sorted(d.shows) for d in drawings
    ]


def test_no_shards_and_empty_shards_are_refused(write_shard) -> None:
    for paths in ([], [write_shard([])]):
        with pytest.raises(InputError, match="no image in the shards") as error:
            data.read(paths, LABELS, SIDE)
        assert error.value.help


def broken_samples():
    drawing = draw(0)
    key, jpg, facts = drawing.image_id, drawing.members[f"{drawing.image_id}.jpg"], drawing.facts
    png = io.BytesIO()
    Image.new("RGB", (16, 16)).save(png, "PNG")
    labels = [{"label_id": "red", "p_correct": float("nan")}]
    return {
        "no json": {f"{key}.jpg": jpg},
        "no jpg": {f"{key}.json": json.dumps(facts).encode()},
        "foreign member": {**drawing.members, f"{key}.txt": b""},
        "cut jpg": {**drawing.members, f"{key}.jpg": jpg[:-200]},
        "png": {**drawing.members, f"{key}.jpg": png.getvalue()},
        "text": {**drawing.members, f"{key}.jpg": b"<svg/>"},
        "cut json": {**drawing.members, f"{key}.json": b'{"image_id": '},
        "list": {**drawing.members, f"{key}.json": b"[]"},
        "no labels": {**drawing.members, f"{key}.json": json.dumps({"image_id": key}).encode()},
        "NaN": with_facts(drawing, labels=labels).members,
        "other image": with_facts(drawing, image_id=draw(1).image_id).members,
    }


@pytest.mark.parametrize("fault", broken_samples())
def test_unusable_samples_are_refused_by_shard_and_key(fault: str, tmp_path: Path) -> None:
    good = draw(2)
    path = write_tar(tmp_path / "bad.tar", {**good.members, **broken_samples()[fault]})
    with pytest.raises(InputError, match="cannot be used") as error:
        data.read([path], LABELS, SIDE)
    assert error.value.facts["shard"] == path
    assert error.value.facts["key"] == draw(0).image_id


def test_keys_that_are_not_digests_are_refused(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "bad.tar", {"../img.jpg": b"", "../img.json": b""})
    with pytest.raises(InputError, match="cannot be used"):
        data.read([path], LABELS, SIDE)


def test_enormous_images_are_refused_before_decoding(write_shard, monkeypatch) -> None:
    monkeypatch.setattr(data, "MAX_PIXELS", 255)
    with pytest.raises(InputError, match="16 x 16 pixels"):
        data.read([write_shard([draw(0)])], LABELS, SIDE)


def test_sets_larger_than_memory_are_refused(write_shard, monkeypatch) -> None:
    path = write_shard([draw(0), draw(1)])
    monkeypatch.setattr(data, "MAX_SET_BYTES", 2 * SIDE * SIDE * 3)
    assert len(data.read([path], LABELS, SIDE)) == 2
    monkeypatch.setattr(data, "MAX_SET_BYTES", 2 * SIDE * SIDE * 3 - 1)
    with pytest.raises(InputError, match="do not fit") as error:
        data.read([path], LABELS, SIDE)
    assert error.value.facts["most images"] == 1


def test_an_image_twice_is_refused(write_shard) -> None:
    paths = [write_shard([draw(0)], "a.tar"), write_shard([draw(1), draw(0)], "b.tar")]
    with pytest.raises(InputError, match="twice") as error:
        data.read(paths, LABELS, SIDE)
    assert error.value.facts["key"] == draw(0).image_id


def test_a_shard_cut_anywhere_is_refused(write_shard, tmp_path: Path) -> None:
    whole = write_shard([draw(0), draw(1)]).read_bytes()
    end = len(whole.rstrip(b"\0")) + 1024
    for length in [0, 1, *range(512, end, 512)]:
        path = tmp_path / "cut.tar"
        path.write_bytes(whole[:length])
        with pytest.raises(InputError) as error:
            data.read([path], LABELS, SIDE)
        assert error.value.facts["shard"] == path


def test_absent_and_compressed_shards_are_refused(write_shard, tmp_path: Path) -> None:
    packed = tmp_path / "packed.tar"
    packed.write_bytes(gzip.compress(write_shard([draw(0)]).read_bytes()))
    for path in (packed, tmp_path / "absent.tar", tmp_path):
        with pytest.raises(InputError, match="cannot be read") as error:
            data.read([path], LABELS, SIDE)
        assert error.value.facts["shard"] == path
