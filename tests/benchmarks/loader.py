"""Speed of loading training images, beside webdataset with Pillow and beside bare decoding.

    python tests/benchmarks/loader.py [--rounds 7]

Photos are drawn: noise of all scales, as in nature, with sharp shapes, at 500 x 375 (quality 90)
and 1024 x 768 (quality 85), and as many bytes as real photos of these sizes have (60 and 200 kB).
Each loader goes from shards to batches of 64 images of 224 pixels with their targets, and draws the
same parts of the images:

- ours, from opening the shards on; its batches are of bytes, which the device turns into floats;
- ours in floats: the same, normalised here;
- webdataset, with Pillow for decoding and resizing: crop, flip, ToTensor, stack;
- bare: simplejpeg decodes every image whole, from memory, and nothing else.

They take turns, and the ratios are medians over the rounds of CPU time, each on one thread.
Reading without decoding is measured on the same shards, with the JSON of each sample. The last
line is JSON.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import simplejpeg
import torch
import webdataset
from photos import draw_photo, facts
from PIL import Image

from curation.shards.tars import Sample, write_shards
from labeling.keys.ids import digest
from training.data import decode
from training.data.decode import View, box_of
from training.data.loader import normalise, training_batches
from training.data.shard_index import open_shards
from training.data.targets import read_targets

SIDE, BATCH = 224, 64
LABELS = [f"label {number}" for number in range(1000)]
SETS = {"500": (256, 500, 375, 90, 12.0), "1024": (128, 1024, 768, 85, 15.0)}
"""Photos, width, height, quality, and the strength of the noise that gives the bytes."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare loaders of training images.")
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    result: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in SETS:
            path = make_shard(name, Path(folder))
            seconds = time_in_turns(loaders(path), rounds)
            print_rates(name, seconds, result)
            if name == "500":
                seconds = time_in_turns(readers(path), rounds)
                for reader, times in seconds.items():
                    rate = SETS[name][0] * REPEATS / statistics.median(times)
                    print(f"{reader:22} {rate:8,.0f} samples/s undecoded")
                    result[f"{reader}_samples_per_s"] = rate
    print(json.dumps({key: round(value, 3) for key, value in result.items()}))


def make_shard(name: str, folder: Path) -> Path:
    n, width, height, quality, strength = SETS[name]
    samples = []
    for number in range(n):
        jpeg = draw_photo(number, width, height, quality, strength)
        samples.append(
            Sample(digest(jpeg), jpeg, facts(number, LABELS) | {"image_id": digest(jpeg)})
        )
    print(f"{name}: {n} photos of {sum(len(s.jpeg) for s in samples) / n / 1000:.0f} kB")
    samples.sort(key=lambda sample: sample.image_id)
    (shard,) = write_shards(samples, folder, name, 1 << 40)
    return folder / shard.name


def loaders(path: Path) -> dict[str, Callable[[], None]]:
    shards = open_shards([path])
    jpegs = [bytes(shards.jpeg(row)) for row in range(len(shards))]
    return {
        "ours": lambda: ours(path),
        "ours in floats": lambda: ours(path, normalise),
        "ours without simplejpeg": lambda: ours_on_pillow(path),
        "webdataset and Pillow": lambda: webdataset_and_pillow(path),
        "bare simplejpeg": lambda: [simplejpeg.decode_jpeg(jpeg) for jpeg in jpegs],
    }


def ours(path: Path, use: Callable[[torch.Tensor], object] = len) -> None:
    shards = open_shards([path])
    targets = read_targets(shards, LABELS)
    steps = range(len(shards) // BATCH)
    for batch in training_batches(shards, targets, SIDE, BATCH, 0, steps, n_workers=1):
        use(batch.pixels)


def ours_on_pillow(path: Path) -> None:
    kept, decode.simplejpeg = decode.simplejpeg, None
    try:
        ours(path)
    finally:
        decode.simplejpeg = kept


def webdataset_and_pillow(path: Path) -> None:
    code_of = {label_id: code for code, label_id in enumerate(LABELS)}
    rng = np.random.default_rng(0)
    samples = iter(webdataset.WebDataset(str(path), shardshuffle=False))
    while part := list(islice(samples, BATCH)):
        images = []
        for sample in part:
            content = json.loads(sample["json"])
            [(code_of[label["label_id"]], label["p_correct"]) for label in content["labels"]]
            view = View(*rng.random(5).tolist())
            with Image.open(io.BytesIO(sample["jpg"])) as image:
                image = image.convert("RGB")
            top, left, height, width = box_of(image.height, image.width, view)
            image = image.crop((left, top, left + width, top + height))
            image = image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
            if view.mirror < 0.5:
                image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()
            images.append(pixels.float().div_(255))
        torch.stack(images)


REPEATS = 8
"""Times that each reader goes over the shard, to have enough to measure."""


def readers(path: Path) -> dict[str, Callable[[], None]]:
    return {"tar": lambda: read_ours(path), "webdataset": lambda: read_webdataset(path)}


def read_ours(path: Path) -> None:
    for _ in range(REPEATS):
        shards = open_shards([path])
        for row in range(len(shards)):
            shards.jpeg(row), shards.facts(row)


def read_webdataset(path: Path) -> None:
    for _ in range(REPEATS):
        for sample in webdataset.WebDataset(str(path), shardshuffle=False):
            sample["jpg"], json.loads(sample["json"])


def time_in_turns(tasks: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """Return the CPU seconds of each task in each round, after one that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds + 1):
        for name, task in tasks.items():
            begin = time.process_time()
            task()
            seconds[name].append(time.process_time() - begin)
    return {name: times[1:] for name, times in seconds.items()}


def print_rates(name: str, seconds: dict[str, list[float]], result: dict[str, float]) -> None:
    for loader, times in seconds.items():
        print(f"{loader:24} {SETS[name][0] / statistics.median(times):6,.0f} images/CPU-s")

    def ratio(other: str, mine: str) -> float:
        pairs = zip(seconds[other], seconds[mine], strict=True)
        return statistics.median(a / b for a, b in pairs)

    result[f"ratio_pillow_{name}"] = ratio("webdataset and Pillow", "ours")
    for other in ("ours in floats", "ours without simplejpeg"):
        key = f"ratio_pillow_{name}_{other.partition(' ')[2].replace(' ', '_')}"
        result[key] = ratio("webdataset and Pillow", other)
    key = "decoder_share" if name == "500" else f"decoder_share_{name}"
    result[key] = ratio("bare simplejpeg", "ours")


if __name__ == "__main__":
    main()
