"""Shards to batches: images as pixels in memory, labels as soft targets with weights.

A kept label is a positive with its posterior as target. A label that is listed as unknown is
neither positive nor negative: its weight is 0. All other labels are negatives.
"""

from __future__ import annotations

import io
import json
import re
import struct
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps
from torch import Tensor
from webdataset.tariterators import group_by_keys, tar_file_expander

from labeling.errors import InputError
from labeling.schemas import HEX_ID

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""Mean and deviation of the channels of ImageNet, for pixels in [0, 1]."""

MAX_PIXELS = 1 << 26
"""An image of more pixels is refused before it is decoded."""

MAX_SET_BYTES = 2 << 30
"""A set of more decoded bytes is refused: 700,000 images of 32 pixels, 14,000 of 224."""


_UNUSABLE = (
    *(KeyError, TypeError, ValueError, AttributeError, RecursionError),
    *(OSError, SyntaxError, struct.error),
    *(Image.DecompressionBombError, Image.DecompressionBombWarning),
)
"""What a malformed json, and a damaged or enormous JPEG, are known to raise."""


@dataclass(frozen=True)
class Sample:
    """One sample of a shard.

    Parameters
    ----------
    key
        The image's id.
    pixels
        ``uint8[s, s, 3]``: red, green, blue.
    p_correct
        Posterior of each kept label, in [0, 1].
    unknown
        Labels that are neither known to be right nor known to be wrong.
    """

    key: str
    pixels: npt.NDArray[np.uint8]
    p_correct: Mapping[str, float]
    unknown: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Batch:
    """What one step trains on.

    Parameters
    ----------
    images
        ``float32[n, 3, s, s]``, normalised, channels last in memory.
    target
        ``float32[n, n_labels]``, in [0, 1].
    weight
        ``float32[n, n_labels]``, 0 for unknown labels and 1 for others.
    keys
        The n image ids.
    """

    images: Tensor
    target: Tensor
    weight: Tensor
    keys: list[str]


@dataclass(frozen=True, eq=False)
class ImageSet:
    """All samples of some shards, decoded.

    Parameters
    ----------
    keys
        The n image ids, in the order of the shards.
    pixels
        ``uint8[n, s, s, 3]``.
    n_labels
        Length of a target.
    offsets
        ``int64[n + 1]``: image i has the entries ``offsets[i]`` to ``offsets[i + 1]`` of the next.
    codes, target, weight
        Label, target and weight of each entry; labels without an entry have target 0, weight 1.
    """

    keys: list[str]
    pixels: Tensor
    n_labels: int
    offsets: Tensor
    codes: Tensor
    target: Tensor
    weight: Tensor

    def __len__(self) -> int:
        return len(self.keys)

    def batch(self, rows: Tensor, generator: torch.Generator | None = None) -> Batch:
        """Return the images of some rows, moved and mirrored at random if a generator is given."""
        pixels = self.pixels[rows]
        if generator is not None:
            pixels = _move_and_mirror(pixels, generator)
        counts = self.offsets[rows + 1] - self.offsets[rows]
        row = torch.repeat_interleave(torch.arange(len(rows)), counts)
        before = torch.cumsum(counts, 0) - counts
        entry = torch.arange(len(row)) + (self.offsets[rows] - before)[row]
        target = torch.zeros(len(rows), self.n_labels)
        weight = torch.ones(len(rows), self.n_labels)
        target[row, self.codes[entry]] = self.target[entry]
        weight[row, self.codes[entry]] = self.weight[entry]
        return Batch(normalise(pixels), target, weight, [self.keys[i] for i in rows.tolist()])


def read(shard_paths: Sequence[Path], label_ids: Sequence[str], image_size: int) -> ImageSet:
    """Read and decode all samples of some shards.

    Labels that are not among `label_ids` are left out.

    Raises
    ------
    InputError
        If there is no sample, a shard or sample is not whole, an image occurs twice or cannot be
        decoded, or the set is larger than `MAX_SET_BYTES`.
    """
    code_of = {label_id: code for code, label_id in enumerate(label_ids)}
    keys: list[str] = []
    pixels, counts = [], [0]
    entries: dict[str, list[float]] = {"codes": [], "target": [], "weight": []}
    for sample in samples(shard_paths, image_size):
        _refuse_too_many(len(keys) + 1, image_size)
        unknown = {code_of[i]: (0.0, 0.0) for i in sample.unknown if i in code_of}
        kept = {code_of[i]: (p, 1.0) for i, p in sample.p_correct.items() if i in code_of}
        own = unknown | kept
        keys.append(sample.key)
        pixels.append(sample.pixels)
        counts.append(len(own))
        entries["codes"] += own
        entries["target"] += [target for target, _ in own.values()]
        entries["weight"] += [weight for _, weight in own.values()]
    _refuse_empty_or_doubled(keys, shard_paths)
    return ImageSet(
        keys=keys,
        pixels=torch.from_numpy(np.stack(pixels)),
        n_labels=len(label_ids),
        offsets=torch.tensor(counts).cumsum(0),
        codes=torch.tensor(entries["codes"], dtype=torch.int64),
        target=torch.tensor(entries["target"], dtype=torch.float32),
        weight=torch.tensor(entries["weight"], dtype=torch.float32),
    )


def samples(shard_paths: Sequence[Path], image_size: int) -> Iterator[Sample]:
    """Read the samples of some shards one after the other, each image cut to a centred square.

    Raises
    ------
    InputError
        If a shard or sample is not whole, or an image cannot be decoded; it names shard and key.
    """
    for path in shard_paths:
        for members in _members(path):
            try:
                sample = _sample(members["__key__"], members, image_size)
            except _UNUSABLE as error:
                raise InputError(
                    "a sample of a shard cannot be used",
                    facts={"shard": path, "key": members["__key__"], "cause": repr(error)},
                    help="export the shards again, or take this image out",
                ) from error
            yield sample


def normalise(pixels: Tensor, mean: Sequence[float] = MEAN, std: Sequence[float] = STD) -> Tensor:
    """Return ``uint8[n, s, s, 3]`` as ``float32[n, 3, s, s]``, less the mean, over the deviation.

    Examples
    --------
    >>> normalise(torch.full((1, 2, 2, 3), 255, dtype=torch.uint8))[0, :, 0, 0]
    tensor([2.2489, 2.4286, 2.6400])
    """
    scale = 1 / (255 * torch.tensor(std))
    shift = torch.tensor(mean) / torch.tensor(std)
    return (pixels * scale - shift).permute(0, 3, 1, 2)


def _move_and_mirror(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Shift each image by up to an eighth of its side and mirror half of them.

    What moves in at an edge is the image's own reflection.
    """
    n, side = pixels.shape[:2]
    reach = side // 8
    shift = torch.randint(-reach, reach + 1, (2, n, 1), generator=generator)
    mirror = torch.randint(0, 2, (n, 1), generator=generator, dtype=torch.bool)
    rows, cols = (side - 1) - ((side - 1) - (torch.arange(side) + shift).abs()).abs()
    cols = torch.where(mirror, cols.flip(1), cols)
    return pixels[torch.arange(n)[:, None, None], rows[:, :, None], cols[:, None, :]]


def _members(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the members of each sample, with the image's id as ``__key__``."""
    try:
        with path.open("rb") as stream:
            _refuse_cut(path, stream)
            yield from group_by_keys(tar_file_expander([{"url": str(path), "stream": stream}]))
    except (OSError, ValueError, EOFError, tarfile.TarError) as error:
        raise InputError(
            "a shard cannot be read",
            facts={"shard": path, "cause": error.args[0] if error.args else error},
            help="export the shards again",
        ) from error


def _refuse_cut(path: Path, stream: BinaryIO) -> None:
    """Raise unless the tar ends as it should: a cut one can look whole to its reader."""
    stream.seek(max(0, path.stat().st_size - 1024))
    if stream.read() != bytes(1024):
        raise tarfile.ReadError("it is cut, compressed or not a tar file")
    stream.seek(0)


def _sample(key: str, members: Mapping[str, Any], image_size: int) -> Sample:
    if not re.fullmatch(HEX_ID, key):
        raise ValueError("its name is not 32 hexadecimal digits")
    found = {name for name in members if not name.startswith("__")}
    if found != {"jpg", "json"}:
        raise ValueError(f"it has the members {sorted(found)}, not jpg and json")
    facts = json.loads(members["json"])
    if facts["image_id"] != key:
        raise ValueError(f"its json is of image {facts['image_id']}")
    p_correct = {label["label_id"]: float(label["p_correct"]) for label in facts["labels"]}
    if not all(0 <= p <= 1 for p in p_correct.values()):
        raise ValueError("a p_correct is not in [0, 1]")
    return Sample(key, _decode(members["jpg"], image_size), p_correct, tuple(facts["unknown"]))


def _decode(data: bytes, image_size: int) -> npt.NDArray[np.uint8]:
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(f"its image has {image.width} x {image.height} pixels")
        upright = ImageOps.exif_transpose(image.convert("RGB"))
        square = ImageOps.fit(upright, (image_size, image_size), Image.Resampling.BILINEAR)
        return np.asarray(square)


def _refuse_too_many(n_images: int, image_size: int) -> None:
    if n_images * image_size**2 * 3 > MAX_SET_BYTES:
        raise InputError(
            "the decoded images do not fit into the memory set aside for them",
            facts={"image size": image_size, "most images": MAX_SET_BYTES // image_size**2 // 3},
            help="use fewer shards or a smaller image size",
        )


def _refuse_empty_or_doubled(keys: list[str], shard_paths: Sequence[Path]) -> None:
    if not keys:
        raise InputError(
            "there is no image in the shards",
            facts={"shards": len(shard_paths)},
            help="export a selection that keeps some labels; for held-out images, a larger share",
        )
    if len(set(keys)) < len(keys):
        twice = next(key for key, n in Counter(keys).items() if n > 1)
        raise InputError(
            "an image is in the shards twice",
            facts={"key": twice, "first shard": shard_paths[0]},
            help="use the shards of one export, each once",
        )
