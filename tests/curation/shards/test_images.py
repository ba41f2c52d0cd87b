from __future__ import annotations

import dataclasses
import os
import struct
import time
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from curation.shards.images import (
    BAD_IMAGE_REASONS,
    BadImage,
    Decoded,
    ImageLimits,
    read_image,
    read_jpeg,
)
from labeling.keys.ids import digest

DEFAULT = ImageLimits()
SAVED_AS = {"JPEG": "RGB", "PNG": "RGBA", "WEBP": "RGB", "GIF": "P"}


def gradient(mode: str = "RGB", size: tuple[int, int] = (48, 32)) -> Image.Image:
    """An image that is darker at the left and the top, so that every turn of it differs."""
    across = np.linspace(0, 255, size[0])[None, :, None]
    down = np.linspace(0, 255, size[1])[:, None, None]
    pixels = np.concatenate([across + 0 * down, 0 * across + down, 0.5 * (across + down)], axis=2)
    return Image.fromarray(pixels.astype(np.uint8)).convert(mode)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def opened(decoded: Decoded) -> Image.Image:
    """Decode the result again and check what every result promises."""
    image = Image.open(BytesIO(decoded.jpeg), formats=["JPEG"])
    image.load()
    assert image.mode == "RGB"
    assert image.size == (decoded.width, decoded.height)
    assert not image.info.get("progressive")
    return image


def reason_of(data: bytes, limits: ImageLimits = DEFAULT) -> str:
    with pytest.raises(BadImage) as caught:
        read_jpeg(data, limits)
    assert caught.value.reason in BAD_IMAGE_REASONS
    return caught.value.reason


def difference(a: Image.Image, b: Image.Image) -> float:
    return float(np.abs(np.asarray(a, np.int32) - np.asarray(b, np.int32)).mean())


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, pixels: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


@pytest.fixture
def no_decoding(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    decoded = []
    monkeypatch.setattr(ImageFile.ImageFile, "load", decoded.append)
    yield
    assert decoded == []


def test_a_plain_jpeg_passes_byte_for_byte() -> None:
    data = saved(gradient(), "JPEG", quality=80)
    decoded = read_jpeg(data)
    assert decoded == Decoded(data, 48, 32, recoded=False)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
def test_other_formats_are_encoded_as_jpeg(kind: str) -> None:
    decoded = read_jpeg(saved(gradient(), kind))
    assert decoded.recoded
    assert difference(opened(decoded), gradient()) < 8


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_large_images_are_reduced_once_and_upright(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(gradient(size=(480, 301)), kind, exif=exif, quality=95)
    limits = ImageLimits(short_side=32)
    decoded = read_jpeg(data, limits)
    assert (decoded.width, decoded.height) == ((32, 51) if orientation == 6 else (51, 32))
    assert decoded.recoded
    expected = gradient(size=(51, 32))
    if orientation == 6:
        expected = expected.transpose(Image.Transpose.ROTATE_270)
    assert difference(opened(decoded), expected) < 5
    assert read_jpeg(data, limits) == decoded
    assert read_jpeg(decoded.jpeg, limits) == dataclasses.replace(decoded, recoded=False)


def test_fine_patterns_do_not_alias_when_they_are_reduced() -> None:
    board = np.indices((512, 512)).sum(0) % 2 * 255
    data = saved(Image.fromarray(board.astype(np.uint8)).convert("RGB"), "PNG")
    pixels = np.asarray(opened(read_jpeg(data, ImageLimits(short_side=100))), int)
    assert np.abs(pixels[2:-2, 2:-2] - 127).max() < 8


@pytest.mark.parametrize("size", [(32, 500), (31, 31)])
def test_images_that_are_small_enough_are_left_as_they_are(size: tuple[int, int]) -> None:
    data = saved(gradient(size=size), "JPEG")
    assert read_jpeg(data, ImageLimits(short_side=32)) == Decoded(data, *size, recoded=False)


def test_a_large_image_that_is_cut_is_refused() -> None:
    data = saved(gradient(size=(640, 640)), "JPEG")
    with pytest.raises(BadImage, match="bad_image"):
        read_jpeg(data[: len(data) // 2], ImageLimits(short_side=32))


def test_encoding_is_deterministic() -> None:
    data = saved(gradient(), "PNG")
    assert read_jpeg(data) == read_jpeg(data)


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_jpegs_of_other_colours_become_rgb(mode: str) -> None:
    decoded = read_jpeg(saved(gradient(mode), "JPEG", quality=95))
    assert decoded.recoded
    assert difference(opened(decoded), gradient(mode).convert("RGB")) < 4


def test_a_progressive_jpeg_becomes_baseline() -> None:
    decoded = read_jpeg(saved(gradient(), "JPEG", progressive=True))
    assert decoded.recoded
    assert difference(opened(decoded), gradient()) < 4


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    grey = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    pixels = np.asarray(opened(read_jpeg(saved(Image.fromarray(grey), "PNG"))))
    assert np.abs(pixels[:, :, 0].astype(int) - (grey >> 8)).max() <= 4


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_transparent_pixels_become_white(mode: str, kind: str) -> None:
    image = Image.new(mode, (16, 16), (0,) * len(mode))
    assert np.asarray(opened(read_jpeg(saved(image, kind)))).min() >= 254


def test_a_transparent_palette_colour_becomes_white() -> None:
    image = Image.new("P", (16, 16), 3)
    image.putpalette([0, 0, 0] * 8)
    data = saved(image, "GIF", transparency=3)
    assert np.asarray(opened(read_jpeg(data))).min() >= 254


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    decoded = read_jpeg(saved(gradient(), "JPEG", quality=95, exif=exif))
    swapped = orientation >= 5
    assert (decoded.width, decoded.height) == ((32, 48) if swapped else (48, 32))
    assert decoded.recoded == (orientation != 1)
    # The stored picture's dark corner is where the orientation puts that of the upright one.
    upright = np.asarray(opened(decoded).convert("L"), int)
    corners = {
        "top left": upright[0, 0],
        "top right": upright[0, -1],
        "bottom left": upright[-1, 0],
        "bottom right": upright[-1, -1],
    }
    darkest = {1: "top left", 2: "top right", 3: "bottom right", 4: "bottom left"}
    darkest |= {5: "top left", 6: "top right", 7: "bottom right", 8: "bottom left"}
    assert min(corners, key=corners.__getitem__) == darkest[orientation]


def test_orientation_leaves_no_trace_to_be_applied_twice() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    once = read_jpeg(saved(gradient(), "JPEG", exif=exif))
    assert read_jpeg(once.jpeg) == Decoded(once.jpeg, 32, 48, recoded=False)


@pytest.mark.parametrize(
    "block", [b"", b"MM\x00\x2a", b"MM\x00\x2a\xff\xff\xff\xff\x00\x00", b"II*\x00" + b"\xff" * 40]
)
def test_a_damaged_exif_block_does_not_cost_the_image(block: bytes) -> None:
    plain = saved(gradient(), "JPEG")
    body = b"Exif\x00\x00" + block
    data = plain[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + plain[2:]
    assert read_jpeg(data) == Decoded(plain, 48, 32, recoded=False)


def test_only_the_first_of_very_many_frames_is_decoded() -> None:
    first = saved(Image.new("P", (8, 8), 0), "GIF")
    palette_end = 13 + 3 * 2 ** ((first[10] & 7) + 1)
    frame = first[first.index(b"\x2c", palette_end) : -1]
    data = first[:-1] + frame * 100_000 + first[-1:]
    with Image.open(BytesIO(data)) as image:
        image.seek(9)
    started = time.perf_counter()
    assert read_jpeg(data).width == 8
    assert time.perf_counter() - started < 2


def test_a_pixel_bomb_is_refused_from_its_header(no_decoding: None) -> None:
    row = b"\x00" * (1 + 40_000 // 8)
    squeeze = zlib.compressobj(9)
    pixels = b"".join(squeeze.compress(row * 1000) for _ in range(40)) + squeeze.flush()
    bomb = png(40_000, 40_000, pixels)
    assert len(bomb) < 300_000
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert reason_of(bomb) == "too_many_pixels"
        assert reason_of(png(10_000, 10_000, b"")) == "too_many_pixels"
    assert caught == []


def test_the_pixel_limit_is_inclusive() -> None:
    data = saved(gradient(size=(10, 10)), "PNG")
    assert reason_of(data, ImageLimits(max_pixels=99)) == "too_many_pixels"
    assert read_jpeg(data, ImageLimits(max_pixels=100)).width == 10


def test_the_byte_limit_is_inclusive() -> None:
    data = saved(gradient(), "JPEG")
    assert reason_of(data, ImageLimits(max_bytes=len(data) - 1)) == "too_large"
    assert read_jpeg(data, ImageLimits(max_bytes=len(data))).jpeg == data


@pytest.mark.parametrize(
    "data",
    [
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>',
        b"8BPS\x00\x01" + b"\x00" * 40,
        b"<!doctype html><script>alert(1)</script>",
        b"RIFF\x24\x00\x00\x00WAVEfmt " + b"\x00" * 24,
        saved(gradient(), "BMP"),
        saved(gradient(), "TIFF"),
        saved(gradient(), "ICO"),
        b"<!--" + saved(gradient(), "JPEG"),
    ],
    ids=["eps", "svg", "psd", "html", "wav", "bmp", "tiff", "ico", "html+jpeg"],
)
def test_other_kinds_of_file_are_refused(data: bytes, no_decoding: None) -> None:
    assert reason_of(data) == "format_not_allowed"


def test_a_file_after_the_jpeg_is_cut_off() -> None:
    data = saved(gradient(), "JPEG") + b"PK\x03\x04<script>alert(1)</script>"
    decoded = read_jpeg(data)
    assert decoded.recoded
    assert b"script" not in decoded.jpeg


@pytest.mark.parametrize(
    "data", [b"", png(0, 0, b""), b"\xff\xd8\xff", b"GIF89a", b"\x89PNG\r\n\x1a\n"]
)
def test_images_without_pixels_are_bad(data: bytes) -> None:
    assert reason_of(data) == "bad_image"


def test_a_truncated_jpeg_is_bad() -> None:
    data = saved(gradient(size=(200, 200)), "JPEG", quality=95)
    assert {reason_of(data[:n]) for n in range(20, len(data) - 700, 97)} == {"bad_image"}


def test_thousands_of_scans_are_refused() -> None:
    data = saved(gradient(), "JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    assert read_jpeg(data[:-2] + scan * 10 + data[-2:]).width == 48
    assert reason_of(data[:-2] + scan * 5000 + data[-2:]) == "bad_image"


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(sorted(SAVED_AS)),
    cut=st.floats(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=4),
)
def test_damaged_files_give_a_whole_image_or_a_reason(
    kind: str, cut: float, flips: list[tuple[float, int]]
) -> None:
    data = bytearray(saved(gradient(SAVED_AS[kind]), kind))
    for offset, mask in flips:
        data[int(offset * len(data))] ^= mask
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            decoded = read_jpeg(bytes(data[: int(cut * len(data))]), ImageLimits(10**6))
        except BadImage as error:
            assert error.reason in BAD_IMAGE_REASONS
        else:
            opened(decoded)
    assert caught == []


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_a_reason(data: bytes) -> None:
    assert reason_of(data) in ("format_not_allowed", "bad_image")


def test_an_image_is_read_from_the_location_in_its_table(tmp_path: Path) -> None:
    data = saved(gradient(), "JPEG")
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b" / "ä.png").write_bytes(data)
    assert read_image(digest(data), "a b/ä.png", tmp_path).jpeg == data


def test_an_image_is_read_out_of_a_tar(tmp_path: Path) -> None:
    data = saved(gradient(), "JPEG")
    (tmp_path / "a.tar").write_bytes(bytes(512) + data + bytes(99))
    location = f"a.tar#512+{len(data)}"
    assert read_image(digest(data), location, tmp_path).jpeg == data


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("a.tar#511+{n}", "content_changed"),
        ("a.tar#512+0", "content_changed"),
        ("a.tar#99999999+{n}", "content_changed"),
        ("a.tar#512+99999999999", "content_changed"),
        ("a.tar#9999999999999999999+1", "image_missing"),
        ("b.tar#512+{n}", "image_missing"),
        ("a.tar#-1+{n}", "image_missing"),
        ("a.tar#٥+{n}", "image_missing"),
        ("../a.tar#512+{n}", "not_local"),
        ("/a.tar#512+{n}", "not_local"),
        ("file:a.tar#512+{n}", "not_local"),
        ("pipe.tar#0+{n}", "image_missing"),
        (".tar#0+1", "image_missing"),
    ],
)
def test_other_parts_of_tars_give_a_reason(tmp_path: Path, location: str, reason: str) -> None:
    data = saved(gradient(), "JPEG")
    (tmp_path / "a.tar").write_bytes(bytes(512) + data + bytes(99))
    os.mkfifo(tmp_path / "pipe.tar")
    with pytest.raises(BadImage, match=reason):
        read_image(digest(data), location.format(n=len(data)), tmp_path)


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("https://example.org/x.jpg", "not_local"),
        ("file:///etc/hostname", "not_local"),
        ("data:image/gif;base64,R0lGODlhAQABAAAAACw=", "not_local"),
        ("/etc/hostname", "not_local"),
        ("../x.jpg", "not_local"),
        ("sub/../x.jpg", "not_local"),
        ("x.jpg\0", "not_local"),
        ("", "image_missing"),
        (".", "image_missing"),
        ("absent.jpg", "image_missing"),
        ("x.jpg/y.jpg", "image_missing"),
        ("f" * 300, "image_missing"),
        ("pipe", "image_missing"),
        ("large.jpg", "too_large"),
        ("other.jpg", "content_changed"),
    ],
)
def test_other_locations_give_a_reason(tmp_path: Path, location: str, reason: str) -> None:
    data = saved(gradient(), "JPEG")
    (tmp_path / "sub").mkdir()
    (tmp_path / "x.jpg").write_bytes(data)
    (tmp_path / "large.jpg").write_bytes(data + bytes(9))
    (tmp_path / "other.jpg").write_bytes(data[:-1] + b"x")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadImage, match=reason):
        read_image(digest(data), location, tmp_path, ImageLimits(max_bytes=len(data)))


def test_an_image_in_a_zip_file_is_read_by_its_name(tmp_path: Path) -> None:
    data = saved(gradient(), "JPEG")
    with zipfile.ZipFile(tmp_path / "web.zip", "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("a.org/x#1.jpg", data)
    assert read_image(digest(data), "web.zip#a.org/x#1.jpg", tmp_path).jpeg == data
    for location, limits, reason in (
        ("web.zip#a.org/y.jpg", DEFAULT, "image_missing"),
        ("web.zip#../x.jpg", DEFAULT, "image_missing"),
        ("other.zip#a.org/x#1.jpg", DEFAULT, "image_missing"),
        ("web.zip#a.org/x#1.jpg", ImageLimits(max_bytes=len(data) - 1), "too_large"),
    ):
        with pytest.raises(BadImage) as refused:
            read_image(digest(data), location, tmp_path, limits)
        assert refused.value.reason == reason
