from __future__ import annotations

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from curation.shards.images import BadImage, Decoded, ImageLimits, read_jpeg
from curation.shards.metadata import read_despite_texts, without_metadata, without_texts

SECRETS = (b"54.32", b"Canon", b"photographer", b"by-line", b"thumbnail", b"comment")


def picture() -> Image.Image:
    rng = np.random.default_rng(3)
    return Image.fromarray(rng.integers(0, 256, (40, 56, 3), dtype=np.uint8))


def saved(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(content) + 2) + content


def with_segments(jpeg: bytes, *segments: bytes) -> bytes:
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


PRIVATE = {
    "exif": segment(0xE1, b"Exif\0\0MM\0*\0\0\0\x08\0\0 Canon 54.32"),
    "xmp": segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x>photographer</x>"),
    "iptc": segment(0xED, b"Photoshop 3.0\0by-line"),
    "jfxx": segment(0xE0, b"JFXX\0\x10thumbnail"),
    "comment": segment(0xFE, b"comment"),
    "mpf": segment(0xE2, b"MPF\0Canon"),
    "after fill bytes": b"\xff\xff" + segment(0xEF, b"Canon"),
}


def pixels(jpeg: bytes) -> bytes:
    with Image.open(io.BytesIO(jpeg)) as image:
        return image.tobytes()


@pytest.mark.parametrize("kind", PRIVATE)
@pytest.mark.parametrize("options", [{}, {"subsampling": "4:4:4"}, {"restart_marker_blocks": 2}])
def test_what_is_private_goes_and_the_pixels_stay(kind: str, options: dict[str, object]) -> None:
    plain = saved(picture(), quality=90, **options)
    data = with_segments(plain, PRIVATE[kind])
    assert without_metadata(data) == plain
    assert read_jpeg(data) == Decoded(plain, 56, 40, recoded=False)
    kept = read_jpeg(data, ImageLimits(keep_metadata=True))
    assert kept == Decoded(data, 56, 40, recoded=False)


def test_coordinates_of_a_camera_are_not_exported() -> None:
    exif = Image.Exif()
    exif[0x010F] = "Canon"
    exif[0x0112] = 1
    exif.get_ifd(0x8825)[2] = (54.0, 32.0, 1.0)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = saved(picture(), exif=exif, icc_profile=profile, comment=b"comment", dpi=(300, 300))
    stripped = read_jpeg(data).jpeg
    assert pixels(stripped) == pixels(data)
    with Image.open(io.BytesIO(stripped)) as image:
        assert not image.getexif()
        assert image.info["icc_profile"] == profile
        assert image.info["dpi"] == (300, 300)
        assert "comment" not in image.info


@pytest.mark.parametrize("mode", ["RGB", "CMYK", "L"])
def test_colours_are_read_as_before(mode: str) -> None:
    options = {"keep_rgb": True} if mode == "RGB" else {}
    plain = saved(picture().convert(mode), **options)
    bare = without_metadata(with_segments(plain, *PRIVATE.values()))
    assert bare == plain
    assert pixels(bare) == pixels(plain)


def test_a_second_image_after_the_end_is_left_out() -> None:
    plain = saved(picture())
    data = plain + with_segments(saved(picture()), PRIVATE["exif"])
    assert without_metadata(data) == plain
    assert read_jpeg(data) == Decoded(plain, 56, 40, recoded=False)


def test_a_thumbnail_of_jfif_is_left_out() -> None:
    plain = saved(picture())
    header = plain[6:20]
    data = plain[:2] + segment(0xE0, header[:12] + b"\x02\x01" + b"thumb!") + plain[20:]
    assert without_metadata(data) == plain


def test_progressive_scans_are_kept() -> None:
    plain = saved(picture(), progressive=True)
    assert without_metadata(with_segments(plain, PRIVATE["xmp"])) == plain


def test_a_file_of_another_form_is_encoded_again() -> None:
    plain = saved(picture())
    for odd in (b"\xff\x01", b"\xff\x00", b"\0\0", b"\xff\xd8"):
        data = plain[:20] + odd + PRIVATE["xmp"] + plain[20:]
        assert without_metadata(data) is None
        try:
            decoded = read_jpeg(data)
        except BadImage:
            continue
        assert decoded.recoded
        assert not any(secret in decoded.jpeg for secret in SECRETS)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damage_raises_nothing_and_adds_nothing(data: st.DataObject) -> None:
    whole = with_segments(saved(picture()), *PRIVATE.values())
    damaged = bytearray(whole[: data.draw(st.integers(1, len(whole)))])
    damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    bare = without_metadata(bytes(damaged))
    assert bare is None or len(bare) <= len(damaged)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_other_formats_lose_their_metadata_too(kind: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Canon"
    data = saved(picture(), kind, exif=exif, xmp=b"<x>photographer</x>")
    for limits in (ImageLimits(), ImageLimits(keep_metadata=True)):
        decoded = read_jpeg(data, limits)
        assert decoded.recoded
        assert not any(secret in decoded.jpeg for secret in SECRETS)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_with(image: Image.Image, *chunks: bytes, at_end: bool = False) -> bytes:
    png = saved(image, "PNG")
    at = len(png) - 12 if at_end else 33
    return png[:at] + b"".join(chunks) + png[at:]


ZEROS = zlib.compress(bytes(3 << 20), 9)
LARGE = {
    "zipped XMP": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + ZEROS),
    "zipped text": chunk(b"zTXt", b"Comment\0\0" + ZEROS),
    "text": chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b"x" * (3 << 20)),
    "profile": chunk(b"iCCP", b"sRGB\0\0" + ZEROS),
    "many": chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1 << 20))) * 70,
}


@pytest.mark.parametrize("at_end", [False, True])
@pytest.mark.parametrize("name", LARGE)
def test_large_texts_do_not_cost_the_image(name: str, at_end: bool) -> None:
    data = png_with(picture(), LARGE[name], at_end=at_end)
    assert read_jpeg(data) == read_jpeg(saved(picture(), "PNG"))


def test_a_text_that_unpacks_to_a_hundred_megabytes_is_not_unpacked() -> None:
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(100)) + packer.flush()
    data = png_with(picture(), chunk(b"zTXt", b"Comment\0\0" + packed))
    tracemalloc.start()
    assert read_jpeg(data).width == 56
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 << 20


def test_the_orientation_in_a_small_text_still_counts() -> None:
    texts = PngImagePlugin.PngInfo()
    xmp = '<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    texts.add_itxt("XML:com.adobe.xmp", xmp)
    assert read_jpeg(saved(picture(), "PNG", pnginfo=texts)).width == 40


def test_only_texts_are_left_out_and_only_of_a_png() -> None:
    plain = saved(picture(), "PNG")
    assert without_texts(png_with(picture(), *LARGE.values())) == plain
    for data in (b"", b"GIF89a", plain, plain[:50], saved(picture())):
        assert without_texts(data) == data


def test_an_error_of_other_causes_is_raised_once() -> None:
    calls = []

    def read(data: bytes) -> None:
        calls.append(data)
        raise ValueError("always")

    with pytest.raises(ValueError, match="always"):
        read_despite_texts(read, saved(picture(), "PNG"))
    assert len(calls) == 1
