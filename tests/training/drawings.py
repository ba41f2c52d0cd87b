"""A tiny drawn world: images of one shape in one colour, in shards as the export writes them."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from labeling.keys.ids import digest

COLOURS = {"red": (220, 40, 40), "green": (40, 200, 60), "blue": (50, 70, 220)}
SHAPES = ("disc", "square")
LABELS = tuple(sorted([*COLOURS, *SHAPES]))


@dataclass(frozen=True)
class Drawing:
    """One image of the world, as the two members of a sample."""

    image_id: str
    shows: tuple[str, ...]
    jpeg: bytes
    facts: Mapping[str, Any]

    @property
    def members(self) -> dict[str, bytes]:
        facts = json.dumps(self.facts, sort_keys=True).encode()
        return {f"{self.image_id}.jpg": self.jpeg, f"{self.image_id}.json": facts}


def draw(number: int, side: int = 16) -> Drawing:
    rng = np.random.default_rng(number)
    colour, shape = list(COLOURS)[number % 3], SHAPES[number // 3 % 2]
    image = Image.fromarray(rng.integers(90, 160, (side, side, 3), dtype=np.uint8))
    x, y = rng.integers(0, side // 3, 2).tolist()
    box = (x, y, x + side // 2, y + side // 2)
    pen = ImageDraw.Draw(image)
    (pen.ellipse if shape == "disc" else pen.rectangle)(box, fill=COLOURS[colour])
    jpeg = as_jpeg(image)
    shows = (colour, shape)
    labels = [{"label_id": label, "p_correct": 0.9, "implied": False} for label in shows]
    facts = {"image_id": digest(jpeg), "labels": labels, "unknown": [], "source": "drawn"}
    return Drawing(digest(jpeg), shows, jpeg, facts)


def as_jpeg(image: Image.Image, **options: Any) -> bytes:
    data = io.BytesIO()
    image.save(data, "JPEG", quality=92, **options)
    return data.getvalue()


def write_tar(path: Path, members: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def replace_facts(drawing: Drawing, **facts: Any) -> Drawing:
    """Return a drawing with other facts."""
    return replace(drawing, facts={**drawing.facts, **facts})
