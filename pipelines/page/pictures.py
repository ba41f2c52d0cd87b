"""Pictures of the audit page: decoded and encoded again, never the file itself."""

from __future__ import annotations

import functools
import io
import threading
from pathlib import Path

from PIL import Image

from curation.shards.images import ImageLimits, read_image

SIDES = {"one": 1024, "rapid": 640, "grid": 384}
"""Longest side in pixels, by mode."""

_DECODING = threading.BoundedSemaphore(2)
"""Pictures that are decoded at once: one of the largest takes 200 MB."""


@functools.lru_cache(maxsize=256)
def picture(image_id: str, location: str, data_dir: Path, mode: str) -> bytes:
    """Return an image as a small JPEG without metadata.

    Parameters
    ----------
    image_id, location, data_dir
        As for `curation.shards.images.read_image`.
    mode
        Key of `SIDES`.

    Raises
    ------
    curation.shards.images.BadImage
        If it cannot be shown.
    """
    side = SIDES[mode]
    with _DECODING:
        jpeg = read_image(image_id, location, data_dir, ImageLimits(short_side=side)).jpeg
    with Image.open(io.BytesIO(jpeg)) as image:
        image.thumbnail((side, side))
        small = io.BytesIO()
        image.save(small, "JPEG", quality=85)
    return small.getvalue()
