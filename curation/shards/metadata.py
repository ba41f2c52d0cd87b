"""Image files without what is not their pixels: places, persons, thumbnails, texts."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from typing import TypeVar

_Result = TypeVar("_Result")

_SOI, _EOI, _SOS = b"\xff\xd8", 0xD9, 0xDA
_RESTARTS = range(0xD0, 0xD8)
_WITHOUT_LENGTH = (0x00, 0x01, *_RESTARTS, 0xD8)
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7]", re.DOTALL)
_APP0, _APP2, _APP14, _APP15, _COMMENT = 0xE0, 0xE2, 0xEE, 0xEF, 0xFE
_JFIF_BYTES = 14  # without the thumbnail; its size is in the last two

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_TEXTS = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")


def without_metadata(jpeg: bytes) -> bytes | None:
    """Return a JPEG with its pixels untouched and nothing else but its colour profile.

    EXIF, XMP, IPTC, comments, thumbnails and further images after the end are left out; what
    decoders need to know of the colours (JFIF, Adobe's segment, the ICC profile) stays. The
    orientation is lost too.

    Returns
    -------
    bytes or None
        None if the file is not of the form that is known.
    """
    parts = [_SOI]
    try:
        for marker, part in _segments(jpeg):
            kept = _kept(marker, part)
            if kept:
                parts.append(kept)
            if marker == _EOI:
                return b"".join(parts)
    except (IndexError, struct.error):  # cut
        return None
    return None


def read_despite_texts(read: Callable[[bytes], _Result], data: bytes) -> _Result:
    """Return what `read` makes of an image file; of a PNG, if need be, without its texts.

    Pillow refuses a PNG with texts or a colour profile of more than a megabyte when unpacked.
    """
    try:
        return read(data)
    except Exception:
        bare = without_texts(data)
        if len(bare) == len(data):
            raise
        return read(bare)


def without_texts(data: bytes) -> bytes:
    """Return a PNG without texts and colour profile, and any other file as it is."""
    if not data.startswith(_PNG):
        return data
    parts, at = [_PNG], len(_PNG)
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4])
        if data[at + 4 : at + 8] not in _PNG_TEXTS:
            parts.append(data[at : at + length + 12])
        at += length + 12
    return b"".join(parts)


def _segments(jpeg: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the marker and the bytes of each segment after the first marker, up to the end."""
    at = len(_SOI)
    while jpeg[at] == 0xFF:
        marker = jpeg[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker in _WITHOUT_LENGTH:
            raise IndexError("a marker that only scans hold")
        if marker == _EOI:
            yield marker, jpeg[at : at + 2]
            return
        (length,) = struct.unpack_from(">H", jpeg, at + 2)
        end = at + 2 + length
        if marker == _SOS:
            end = _end_of_scan(jpeg, end)
        yield marker, jpeg[at:end]
        at = end


def _end_of_scan(jpeg: bytes, at: int) -> int:
    """Return the position of the first marker after the pixels of a scan."""
    marker = _AFTER_SCAN.search(jpeg, at)
    if marker is None:
        raise IndexError("a scan does not end")
    return marker.start()


def _kept(marker: int, segment: bytes) -> bytes:
    """Return what stays of a segment; empty if nothing does."""
    content = segment[4:]
    if marker == _COMMENT:
        return b""
    if not _APP0 <= marker <= _APP15:
        return segment
    if marker == _APP0 and content.startswith(b"JFIF\0") and len(content) >= _JFIF_BYTES:
        header = content[: _JFIF_BYTES - 2] + b"\0\0"
        return segment[:2] + struct.pack(">H", 2 + len(header)) + header
    is_colour = (marker == _APP2 and content.startswith(b"ICC_PROFILE\0")) or (
        marker == _APP14 and content.startswith(b"Adobe")
    )
    return segment if is_colour else b""
