"""Pictures of the audit page: decoded and encoded again, never the file itself."""

from __future__ import annotations

import functools
import io
import threading
from pathlib import Path

from PIL import Image
from starlette.responses import JSONResponse, Response

from curation.shards.images import BadImage, ImageLimits, read_image
from labeling.objects.paths import path_of
from pipelines.page.lookup import ImageFile
from pipelines.run.config import Config

SIDES = {"one": 1024, "rapid": 640, "grid": 384}
"""Longest side in pixels, by mode."""

REASONS = {
    "image_missing": "the file is missing",
    "content_changed": "the file is not the one that was labeled",
    "not_local": "only its URL is known",
}
"""Why a picture cannot be shown; other reasons are shown as they are."""

_DECODING = threading.BoundedSemaphore(2)
"""Pictures that are decoded at once: one of the largest takes 200 MB."""


@functools.lru_cache(maxsize=256)
def picture(content_id: str, location: str, data_dir: Path, mode: str) -> bytes:
    """Return an image as a small JPEG without metadata.

    Parameters
    ----------
    content_id, location, data_dir
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
        jpeg = read_image(content_id, location, data_dir, ImageLimits(short_side=side)).jpeg
    with Image.open(io.BytesIO(jpeg)) as image:
        image.thumbnail((side, side))
        small = io.BytesIO()
        image.save(small, "JPEG", quality=85)
    return small.getvalue()


def picture_response(file: ImageFile | None, config: Config, mode: str) -> Response:
    """Return the answer to a request for a picture.

    Parameters
    ----------
    file
        The file of the image, if the run knows it.
    config
        Settings of the run.
    mode
        Key of `SIDES`.
    """
    if mode not in SIDES or file is None:
        return JSONResponse({"error": "the run does not know where the image is"}, 404)
    try:
        jpeg = picture(*file, path_of(config.base), mode)
    except BadImage as error:
        return JSONResponse({"error": REASONS.get(error.reason, error.reason)}, 404)
    headers = {"cache-control": "private, max-age=3600"}
    return Response(jpeg, media_type="image/jpeg", headers=headers)
