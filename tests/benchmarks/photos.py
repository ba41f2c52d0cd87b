"""Drawn photos, and what the export writes of each, for benchmarks that read shards."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw


def draw_photo(seed: int, width: int, height: int, quality: int, strength: float) -> bytes:
    """Draw noise whose amplitude falls with its frequency (Field 1987), and shapes on it."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = 1
    colours = []
    for weight in (1.0, 0.25, 0.25):
        phases = np.exp(2j * np.pi * rng.random(frequency.shape))
        noise = np.fft.irfft2(phases / frequency, (height, width))
        colours.append(128 + strength * weight * noise / noise.std())
    pixels = np.clip(np.stack(colours, 2), 0, 255).astype(np.uint8)
    image = Image.fromarray(pixels, "YCbCr").convert("RGB")
    pen = ImageDraw.Draw(image)
    for x, y, r, *colour in rng.random((12, 6)):
        box = (x * width, y * height, (x + r / 5) * width, (y + r / 5) * height)
        pen.ellipse(box, outline=tuple((255 * np.array(colour)).astype(int).tolist()), width=3)
    data = io.BytesIO()
    image.save(data, "JPEG", quality=quality)
    return data.getvalue()


def facts(number: int, label_ids: Sequence[str]) -> dict[str, object]:
    """Return what the export writes of an image with three labels."""
    evidence = [{"source": "alt", "strength": 0.5, "n_pages": 3, "n_hosts": 2}] * 2
    ids = [label_ids[(number * 7 + k) % len(label_ids)] for k in range(5)]
    labels = [
        {"label_id": i, "p_correct": 0.875, "implied": False, "evidence": evidence} for i in ids[:3]
    ]
    path = f"images/{number:09d}.jpg"
    return {"labels": labels, "unknown": ids[3:], "location": path, "width": 1, "height": 1}
