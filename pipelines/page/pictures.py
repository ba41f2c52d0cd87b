"""Pictures of the audit page: decoded and encoded again, never the file itself."""

from __future__ import annotations

import functools
import io
from pathlib import Path

from PIL import Image

from curation.shards.images import read_image

SIDES = {"one": 1024, "grid": 384}
"""Longest side in pixels, by mode."""


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
    jpeg = read_image(image_id, location, data_dir).jpeg
    with Image.open(io.BytesIO(jpeg)) as image:
        image.thumbnail((SIDES[mode], SIDES[mode]))
        small = io.BytesIO()
        image.save(small, "JPEG", quality=85)
    return small.getvalue()
