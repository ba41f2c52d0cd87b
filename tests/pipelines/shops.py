"""A tiny shop: photos, a table of titles, links, feedback, a taxonomy and the truth."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from labeling.keys import ids

COLOURS = {
    "red": (200, 30, 30),
    "green": (30, 160, 40),
    "blue": (30, 40, 200),
    "yellow": (220, 210, 40),
}
N_PRODUCTS = 160

CONFIG = """\
[taxonomy]
path = "taxonomy.jsonl"

[[signals]]
path = "products.csv"
columns = { image = "image", text = "title", page = "page" }

[[signals]]
path = "captions.jsonl"
source = "caption"
columns = { image = "image", text = "caption", page = "page" }

[[links]]
path = "links.csv"

[[feedback]]
path = "feedback.csv"

[label]
support_only = []

[audit]
n = 150
truth = "truth.csv"

[train]
width = 8
stem = "small"
image_size = 16
steps = 30
batch_size = 16
threads = 1

[evaluate]
truth = "truth.csv"
"""


def write_shop(folder: Path) -> None:
    rng = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    colours = list(COLOURS)
    shown = rng.integers(len(colours), size=N_PRODUCTS)
    named = np.where(
        rng.random(N_PRODUCTS) < 0.7, shown, rng.integers(len(colours), size=N_PRODUCTS)
    )
    products, captions, links, feedback, truth = [], [], [], [], []
    for number in range(N_PRODUCTS):
        name = f"images/{number}.jpg"
        content = _photo(COLOURS[colours[shown[number]]], rng)
        (folder / name).write_bytes(content)
        page = f"https://shop{number % 3}.example/{number}"
        products.append(f"{name},a {colours[named[number]]} shirt,{page}")
        if rng.random() < 0.6:
            caption = {"image": name, "caption": f"in {colours[shown[number]]}", "page": page}
            captions.append(json.dumps(caption))
        other = f"https://shop{(number + 1) % 3}.example/{(number + 1) % N_PRODUCTS}"
        links.append(f"{page},{other}")
        for vote in range(3):
            kind = "up" if (named[number] == shown[number]) != (rng.random() < 0.1) else "down"
            row = f"e{number}-{vote},{name},{colours[named[number]]},,{kind},u{vote},,{number}"
            feedback.append(row)
        truth.append(f"{ids.digest(content)},{colours[shown[number]]}")
    labels = [{"id": "colour"}, {"id": "shirt", "names": ["shirt"]}]
    labels += [{"id": c, "names": [c], "parents": ["colour"]} for c in colours]
    truth += [row.split(",")[0] + ",shirt" for row in truth]
    _write(folder / "products.csv", ["image,title,page", *products])
    _write(folder / "captions.jsonl", captions)
    _write(folder / "links.csv", ["src,dst", *links])
    header = "event_id,image,label,query,kind,user,position,time"
    _write(folder / "feedback.csv", [header, *feedback])
    _write(folder / "truth.csv", ["image_id,label_id", *truth])
    _write(folder / "taxonomy.jsonl", [json.dumps(label) for label in labels])
    _write(folder / "run.toml", [CONFIG])


def _photo(colour: tuple[int, int, int], rng: np.random.Generator) -> bytes:
    pixels = np.clip(np.array(colour) + rng.normal(0, 12, (24, 24, 3)), 0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG")
    return out.getvalue()


def _write(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
