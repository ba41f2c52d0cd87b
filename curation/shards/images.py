"""Bounded decoding: any bytes in, one RGB JPEG out, or a reason why not.

The bytes are not trusted. Checks come in this order: size of the file; format, one of four; pixels
by the header, before any is decoded; and decoding of the whole image, which alone finds a file that
is cut.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from curation.shards.metadata import read_despite_texts, without_metadata
from labeling.errors import InputError
from labeling.keys.ids import digest
from labeling.objects.client import is_address
from labeling.objects.paths import join, read_part
from labeling.readers.listing import RECORD_SUFFIXES
from labeling.readers.web_archives.archives import read_stored
from labeling.readers.zips import read_zipped

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
"""Formats that are decoded, by Pillow's names."""

BAD_IMAGE_REASONS = (
    "not_local",
    "image_missing",
    "content_changed",
    "same_bytes",
    "too_large",
    "too_many_pixels",
    "format_not_allowed",
    "bad_image",
)
"""Reasons to refuse an image; `read_jpeg` gives all but the first four."""

_MAGIC = re.compile(rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|RIFF....WEBP|GIF8[79]a", re.DOTALL)
_START_OF_SCAN, _END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
_ARCHIVED = re.compile(
    rf"(.+(?:{'|'.join(map(re.escape, RECORD_SUFFIXES))}))#(\d{{1,18}})",
    re.DOTALL | re.IGNORECASE | re.ASCII,
)
_IN_TAR = re.compile(r"(.+\.tar)#(\d{1,15})\+(\d{1,15})", re.DOTALL | re.ASCII)
_ZIPPED = re.compile(r"(.+?\.zip)#(.+)", re.DOTALL | re.IGNORECASE)
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# A scan of a progressive JPEG covers every pixel and can be two bytes long: cameras and encoders
# write about ten, and a file with thousands would take hours to decode.
_MAX_SCANS = 100
_SMALLER_QUALITY = 90


class BadImage(Exception):
    """An image that is refused; `reason` is one of `BAD_IMAGE_REASONS`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class ImageLimits:
    """Largest image that is decoded, in pixels and bytes, and quality of re-encoded ones.

    An image whose shorter side has more than ``short_side`` pixels is reduced to it, at quality 90.
    ``keep_metadata`` leaves EXIF, XMP, IPTC and comments in JPEGs that are not encoded again.
    """

    max_pixels: int = 64_000_000
    max_bytes: int = 32 * 1024 * 1024
    quality: int = 95
    short_side: int | None = None
    keep_metadata: bool = False


@dataclass(frozen=True)
class Decoded:
    """A whole RGB JPEG, upright; `recoded` if its pixels were encoded again."""

    jpeg: bytes
    width: int
    height: int
    recoded: bool


DEFAULT_LIMITS = ImageLimits()


def read_jpeg(data: bytes, limits: ImageLimits = DEFAULT_LIMITS) -> Decoded:
    r"""Return an image of any allowed format as an upright RGB JPEG.

    A whole baseline RGB JPEG that is upright and not too large keeps its pixels bit for bit, and
    its colour profile; its metadata (where and by whom a picture was taken, a thumbnail) are left
    out, unless the limits keep them. All else is encoded again: the first frame of an animation,
    grey, palette, CMYK and 16-bit images as RGB, transparent ones over white. Metadata and colour
    profiles are then lost.

    Parameters
    ----------
    data
        The bytes of an image file.
    limits
        Limits on the bytes of the file and the pixels in its header; size and quality of the
        result.

    Raises
    ------
    BadImage
        ``too_large``, ``too_many_pixels``, ``format_not_allowed``, or ``bad_image`` where the
        file is cut, damaged or empty.

    Examples
    --------
    >>> png = BytesIO()
    >>> Image.new("P", (3, 2)).save(png, "PNG")
    >>> decoded = read_jpeg(png.getvalue())
    >>> decoded.width, decoded.height, decoded.recoded, decoded.jpeg[:2]
    (3, 2, True, b'\xff\xd8')
    """
    if len(data) > limits.max_bytes:
        raise BadImage("too_large")
    if data and not _MAGIC.match(data):
        raise BadImage("format_not_allowed")
    return read_despite_texts(partial(_decode, limits=limits), data)


def _decode(data: bytes, limits: ImageLimits) -> Decoded:
    with _refusing(), Image.open(BytesIO(data), formats=FORMATS) as image:
        _check_header(image, data, limits)
        smaller = _smaller_size(image, limits)
        if smaller:
            # JPEGs can be decoded at 1/2, 1/4 or 1/8 of their size, which costs less; twice the
            # size of the result is enough for its quality.
            image.draft(image.mode, (2 * smaller[0], 2 * smaller[1]))
        image.load()
        turn = _TURNS.get(_orientation(image))
        if turn is None and not smaller and _is_plain(image, data):
            plain = data if limits.keep_metadata else without_metadata(data)
            if plain is not None:
                return Decoded(plain, image.width, image.height, recoded=False)
        rgb = _to_rgb(image).resize(smaller or image.size, Image.Resampling.LANCZOS)
        upright = rgb if turn is None else rgb.transpose(turn)
        jpeg = _encode(upright, _SMALLER_QUALITY if smaller else limits.quality)
        return Decoded(jpeg, upright.width, upright.height, recoded=True)


def read_image(
    content_id: str, location: str, data_dir: Path, limits: ImageLimits = DEFAULT_LIMITS
) -> Decoded:
    """Return the image at a location below `data_dir`, if its bytes have a digest.

    It is what `read_jpeg` makes of `image_bytes`.

    Parameters
    ----------
    content_id
        Digest of the file's bytes (see `labeling.keys.ids.digest`): the id of the image, except of
        one that was imported under another id.
    location
        Path of the file, relative to `data_dir`; for an image in a web archive, the archive's path,
        ``#`` and the offset of its record, in a WACZ ``<path>.wacz#<member>#<offset>``; for one in
        a tar, ``<path>.tar#<offset>+<length>``; for one in a zip file, ``<path>.zip#<name>``.
    data_dir
        The run's data folder.
    limits
        As for `read_jpeg`.

    Raises
    ------
    BadImage
        For a reason of `image_bytes` or of `read_jpeg`.
    """
    return read_jpeg(image_bytes(content_id, location, data_dir, limits), limits)


def image_bytes(
    content_id: str, location: str, data_dir: Path, limits: ImageLimits = DEFAULT_LIMITS
) -> bytes:
    """Return the bytes of an image, not decoded. The parameters are those of `read_image`.

    Raises
    ------
    BadImage
        ``not_local`` for a URL that is not of an object store, an absolute path or one with ``..``;
        ``image_missing`` if the file does not exist or cannot be read; ``too_large``; or
        ``content_changed`` if its bytes have another digest.
    """
    path = PurePosixPath(location)
    is_web = _SCHEME.match(location) and not is_address(location)
    if is_web or path.is_absolute() or ".." in path.parts or "\0" in location:
        raise BadImage("not_local")
    data = _read_bytes(location, data_dir, limits.max_bytes + 1)
    if data is None:
        raise BadImage("image_missing")
    if len(data) > limits.max_bytes:
        raise BadImage("too_large")
    if digest(data) != content_id:
        raise BadImage("content_changed")
    return data


def _read_bytes(location: str, data_dir: Path, most: int) -> bytes | None:
    """Return the file at a location, its first `most` bytes or more; None if it cannot be read."""
    archived, in_tar, zipped = (p.fullmatch(location) for p in (_ARCHIVED, _IN_TAR, _ZIPPED))
    try:
        if archived:
            return read_stored(join(data_dir, archived[1]), int(archived[2]))
        if in_tar:
            offset, length = int(in_tar[2]), int(in_tar[3])
            return read_part(join(data_dir, in_tar[1]), offset, min(length, most))
        if zipped and join(data_dir, zipped[1]).is_file():
            return read_zipped(join(data_dir, zipped[1]), zipped[2], most)
        return read_part(join(data_dir, location), 0, most)
    except (OSError, InputError):
        return None


@contextmanager
def _refusing() -> Iterator[None]:
    """Raise `BadImage` for any error of Pillow, and silence its warnings."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (BadImage, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise BadImage("too_many_pixels") from error
    # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error, zlib.error and more.
    except Exception as error:
        raise BadImage("bad_image") from error


def _check_header(image: Image.Image, data: bytes, limits: ImageLimits) -> None:
    n_pixels = image.width * image.height
    if n_pixels > limits.max_pixels:
        raise BadImage("too_many_pixels")
    if n_pixels == 0:
        raise BadImage("bad_image")
    if image.info.get("progressive") and data.count(_START_OF_SCAN) > _MAX_SCANS:
        raise BadImage("bad_image")


def _smaller_size(image: Image.Image, limits: ImageLimits) -> tuple[int, int] | None:
    """Return the width and height to reduce an image to, or None if it is small enough."""
    if limits.short_side is None or min(image.size) <= limits.short_side:
        return None
    scale = limits.short_side / min(image.size)
    return round(image.width * scale), round(image.height * scale)


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 if it is missing or the EXIF block is damaged."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    # A damaged block raises SyntaxError, struct.error, ValueError and more; the pixels are intact.
    except Exception:
        return 1


def _is_plain(image: Image.Image, data: bytes) -> bool:
    """Return whether an image is a baseline RGB JPEG without bytes after its end."""
    baseline = image.format == "JPEG" and not image.info.get("progressive")
    return baseline and image.mode == "RGB" and data.endswith(_END_OF_IMAGE)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        high = (np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8)
        return Image.fromarray(high).convert("RGB")
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return image.convert("RGB")


def _encode(image: Image.Image, quality: int) -> bytes:
    image.info.clear()
    jpeg = BytesIO()
    image.save(jpeg, "JPEG", quality=quality, subsampling="4:2:0")
    return jpeg.getvalue()
