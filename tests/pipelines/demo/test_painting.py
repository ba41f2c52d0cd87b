from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from pipelines.demo.painting import SIDE, draw_logo, draw_scene
from pipelines.demo.shapes import COLOURS, SHAPES


def _pixels(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        assert image.format == "JPEG"
        return np.asarray(image, np.float64)


def _rng(*seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(list(seed)))


@pytest.mark.parametrize("label_id", SHAPES)
def test_every_variant_uses_colours_of_the_table_and_stays_near_its_place(label_id: str) -> None:
    for variant in SHAPES[label_id].variants:
        for colour, points in variant:
            assert colour.startswith("paint") or colour in COLOURS
            assert np.abs(points).max() <= 1.2


def test_a_scene_is_a_small_jpeg_that_only_the_seed_decides() -> None:
    for n_labels in (1, 2, 3):
        labels = list(SHAPES)[:n_labels]
        content = draw_scene(labels, _rng(n_labels))
        assert _pixels(content).shape == (SIDE, SIDE, 3)
        assert content == draw_scene(labels, _rng(n_labels))
        assert content != draw_scene(labels, _rng(n_labels, 1))


def test_a_logo_is_a_small_jpeg() -> None:
    assert _pixels(draw_logo(_rng(0))).shape == (SIDE, SIDE, 3)


def test_labels_differ_more_than_pictures_of_one_label() -> None:
    def features(label_id: str, seed: int) -> np.ndarray:
        pixels = _pixels(draw_scene([label_id], _rng(seed))) / 255
        blocks = pixels.reshape(8, 8, 8, 8, 3).mean(axis=(1, 3))
        return (blocks - blocks[[0, 0, -1, -1], [0, -1, 0, -1]].mean(axis=0)).ravel()

    seen = np.array([np.mean([features(x, s) for s in range(25)], axis=0) for x in SHAPES])
    new = np.array([[features(x, s) for s in range(100, 108)] for x in SHAPES])
    distance = ((new[:, :, None] - seen) ** 2).sum(axis=-1)
    right = distance.argmin(axis=-1) == np.arange(len(SHAPES))[:, None]
    assert right.mean() > 5 / len(SHAPES)
