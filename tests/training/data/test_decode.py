from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from tests.training.drawings import as_jpeg, draw
from training.data import decode as module
from training.data.decode import LEAST_AREA, UNUSABLE, View, box_of, decode

WHOLE = View(area=1.0, stretch=0.5, left=0.0, top=0.0, mirror=0.9)
share = st.floats(0, 1, exclude_max=True)


@pytest.fixture(params=["simplejpeg", "Pillow"])
def decoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run a test with either decoder."""
    if request.param == "Pillow":
        monkeypatch.setattr(module, "simplejpeg", None)
    else:
        pytest.importorskip("simplejpeg")
    yield request.param


def photo(width: int, height: int) -> Image.Image:
    """Clouds of several sizes with some sharp shapes on them."""
    rng = np.random.default_rng(0)
    clouds = np.zeros((height, width, 3))
    for n in (3, 9, 27):
        noise = Image.fromarray(rng.integers(0, 256, (n, n, 3), dtype=np.uint8))
        clouds += np.asarray(noise.resize((width, height), Image.Resampling.BICUBIC)) / 3
    image = Image.fromarray(clouds.astype(np.uint8))
    pen = ImageDraw.Draw(image)
    for x, y in rng.random((6, 2)).tolist():
        pen.ellipse((x * width, y * height, x * width + 40, y * height + 30), fill="orange")
    return image


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(np.int32) - b.astype(np.int32)).mean())


@given(st.integers(1, 5000), st.integers(1, 5000), st.tuples(*[share] * 5))
def test_every_view_is_within_its_image_and_large_enough(height: int, width: int, five) -> None:
    top, left, part_height, part_width = box_of(height, width, View(*five))
    assert 0 <= top <= top + part_height <= height
    assert 0 <= left <= left + part_width <= width
    # Both sides are rounded to whole pixels.
    assert (part_height + 0.5) * (part_width + 0.5) >= LEAST_AREA * height * width


def test_views_are_of_all_areas_shapes_and_places() -> None:
    boxes = [box_of(300, 400, View(*five)) for five in np.random.default_rng(0).random((4000, 5))]
    areas = np.array([b.height * b.width for b in boxes]) / (300 * 400)
    assert np.quantile(areas, (0.25, 0.5, 0.75)) == pytest.approx([0.625, 0.75, 0.875], abs=0.03)
    small = [b for b, area in zip(boxes, areas, strict=True) if area < 0.7]
    stretches = np.log([b.width / b.height for b in small])
    assert abs(stretches.mean()) < 0.02
    assert (stretches.min(), stretches.max()) == pytest.approx((-np.log(4 / 3), np.log(4 / 3)), 0.1)
    assert min(b.left for b in boxes) == 0
    assert max(b.left + b.width for b in boxes) == 400


@pytest.mark.parametrize("size", [(500, 375), (375, 500), (60, 20), (16, 16)])
def test_evaluation_sees_the_centred_square_as_pillow_resizes_it(
    size: tuple[int, int], decoder: str
) -> None:
    jpeg = as_jpeg(photo(*size))
    left, top = (size[0] - min(size)) // 2, (size[1] - min(size)) // 2
    with Image.open(io.BytesIO(jpeg)) as image:
        square = image.crop((left, top, left + min(size), top + min(size)))
    expected = square.resize((16, 16), Image.Resampling.BILINEAR)
    assert difference(decode(jpeg, 16), np.asarray(expected)) < 0.1


@pytest.mark.parametrize("size", [(1024, 768), (501, 375), (130, 97), (40, 30)])
def test_training_sees_the_part_it_draws_whatever_the_scale_of_decoding(
    size: tuple[int, int], decoder: str
) -> None:
    across, down = np.meshgrid(*(np.linspace(0, 255, n) for n in size))
    slopes = np.stack([across, down, 0 * down], axis=2).astype(np.uint8)
    jpeg = as_jpeg(Image.fromarray(slopes), subsampling="4:4:4")
    for five in np.random.default_rng(0).random((8, 5)).tolist():
        top, left, height, width = box_of(size[1], size[0], View(*five))
        part = Image.fromarray(slopes[top : top + height, left : left + width])
        expected = np.asarray(part.resize((32, 32), Image.Resampling.BILINEAR))
        expected = expected[:, ::-1] if five[4] < 0.5 else expected
        # One pixel of the result is at most eight levels.
        assert difference(decode(jpeg, 32, View(*five))[..., :2], expected[..., :2]) < 6


def test_large_images_are_decoded_small_for_training_alone(monkeypatch) -> None:
    jpeg, sides = as_jpeg(photo(800, 600)), []

    def resize(pixels: np.ndarray, side: int, mirrored: bool) -> np.ndarray:
        sides.append(pixels.shape[:2])
        return np.zeros((side, side, 3), np.uint8)

    monkeypatch.setattr(module, "_resize", resize)
    for side in (400, 300, 100, 60, 16):
        decode(jpeg, side, WHOLE)
    decode(jpeg, 16)
    assert sides == [(600, 800), (300, 400), (150, 200), (75, 100), (75, 100), (600, 600)]


def test_both_decoders_give_nearly_the_same(monkeypatch) -> None:
    pytest.importorskip("simplejpeg")
    jpeg = as_jpeg(photo(500, 375))
    views = [None, WHOLE, *(View(*five) for five in np.random.default_rng(1).random((6, 5)))]
    first = [decode(jpeg, side, view) for side in (64, 224) for view in views]
    monkeypatch.setattr(module, "simplejpeg", None)
    again = [decode(jpeg, side, view) for side in (64, 224) for view in views]
    assert max(difference(a, b) for a, b in zip(first, again, strict=True)) < 0.7
    assert difference(first[0], again[0]) < 0.01


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_grey_and_four_colours_become_rgb(mode: str, decoder: str) -> None:
    jpeg = as_jpeg(photo(64, 64).convert(mode))
    with Image.open(io.BytesIO(jpeg)) as image:
        expected = np.asarray(image.convert("RGB"))
    for view in (None, WHOLE):
        pixels = decode(jpeg, 64, view)
        assert pixels.shape == (64, 64, 3)
        assert difference(pixels, expected) < 1


def test_turned_images_are_read_upright(decoder: str) -> None:
    left_white = np.zeros((40, 80), np.uint8)
    left_white[:, :40] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise: left becomes the top
    jpeg = as_jpeg(Image.fromarray(left_white), exif=exif)
    squeezed = decode(jpeg, 16, WHOLE)
    assert squeezed[:7].min() > 200
    assert squeezed[9:].max() < 50
    square = decode(jpeg, 40)
    assert square[:18].min() > 200
    assert square[22:].max() < 50


def test_what_pillow_reads_in_spite_of_a_warning_is_read() -> None:
    jpeg = draw(0).jpeg
    with_rubbish = jpeg[:-2] + b"\0\1\2" + jpeg[-2:]
    assert (decode(with_rubbish, 16) == decode(jpeg, 16)).all()


@given(kept=st.floats(0, 0.9), view=st.sampled_from([None, WHOLE]))
def test_cut_images_are_refused(kept: float, view: View | None) -> None:
    jpeg = draw(0).jpeg
    with pytest.raises(UNUSABLE):
        decode(jpeg[: int(kept * len(jpeg))], 16, view)


def test_other_formats_are_refused(decoder: str) -> None:
    png = io.BytesIO()
    Image.new("RGB", (16, 16)).save(png, "PNG")
    for data in (png.getvalue(), b"<svg/>", b""):
        with pytest.raises(UNUSABLE):
            decode(data, 16)


def test_enormous_images_are_refused_before_decoding(decoder: str, monkeypatch) -> None:
    jpeg = draw(0).jpeg
    monkeypatch.setattr(module, "MAX_PIXELS", 255)
    with pytest.raises(ValueError, match="16 x 16 pixels"):
        decode(jpeg, 16)
    monkeypatch.setattr(module, "MAX_PIXELS", 256)
    assert decode(jpeg, 16).shape == (16, 16, 3)
