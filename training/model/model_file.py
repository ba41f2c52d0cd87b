"""A model on disk: ``model.safetensors`` with the weights and ``model.json`` with the rest.

Nothing is pickled, so that opening a model from elsewhere runs no code. The weights have
torchvision's names.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from labeling.arguments import Positive, accept, check_fields, checks_arguments
from labeling.errors import InputError, IntegrityError
from training.model.architecture import Architecture
from training.model.resnet import ResNet

FORMAT = "winnow-model-1"
WEIGHTS_NAME = "model.safetensors"
CARD_NAME = "model.json"


@dataclass(frozen=True)
class ModelCard:
    """Description of a model, stored beside its weights.

    Parameters
    ----------
    architecture
        The network.
    label_ids
        The label of each logit.
    image_size
        Side of the images that it was trained on, in pixels.
    mean, std
        Mean and deviation of the channels, for pixels in [0, 1], with which images are normalised.
    step
        Steps of training done.
    training
        The settings of the training.
    weights_sha256
        Digest of the file of the weights; set by `save_model`.
    """

    architecture: Architecture
    label_ids: tuple[str, ...]
    image_size: Positive
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    step: int
    training: Mapping[str, Any]
    weights_sha256: str = ""

    def __post_init__(self) -> None:
        check_fields(self)


@checks_arguments
def save_model(model_dir: Path | str, weights: Mapping[str, Tensor], card: ModelCard) -> None:
    """Write a model into an existing folder; the same model gives the same bytes.

    Parameters
    ----------
    model_dir
        The folder.
    weights
        State dict of a network of the card's architecture; torchvision's and timm's ResNets have
        the same names.
    card
        Its description.

    Raises
    ------
    InputError
        If a weight is not a tensor, or there is no such folder.
    """
    model_dir = Path(model_dir)
    for name, weight in weights.items():
        accept(weight, Tensor, f"the weight {name}", "training.save_model")
    if not model_dir.is_dir():
        raise InputError(
            "there is no such folder for a model",
            facts={"folder": model_dir},
            help="make the folder first",
        )
    data = safetensors.torch.save({name: t.contiguous().cpu() for name, t in weights.items()})
    (model_dir / WEIGHTS_NAME).write_bytes(data)
    facts = {"format": FORMAT, **dataclasses.asdict(card), "weights_sha256": _digest(data)}
    (model_dir / CARD_NAME).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


@checks_arguments
def load_model(model_dir: Path | str) -> tuple[ResNet, ModelCard]:
    """Read a model.

    Parameters
    ----------
    model_dir
        Folder that `winnow train` or `save_model` wrote.

    Returns
    -------
    ResNet
        The network, on the CPU and in evaluation mode.
    ModelCard
        Its description: labels of the logits, size and normalisation of the images.

    Raises
    ------
    InputError
        If there is no model in the folder, or a file of it is of another kind.
    IntegrityError
        If the weights differ from those that the card was written for.
    """
    model_dir = Path(model_dir)
    card = read_card(model_dir)
    path = model_dir / WEIGHTS_NAME
    data = _read(path)
    if _digest(data) != card.weights_sha256:
        raise IntegrityError(
            "the weights of a model are cut or changed",
            facts={"file": path, "expected": card.weights_sha256, "found": _digest(data)},
            help="restore the file, or train the model again",
        )
    try:
        with torch.device("meta"):
            network = ResNet(card.architecture, len(card.label_ids))
        network.load_state_dict(safetensors.torch.load(data), assign=True)
    except (RuntimeError, SafetensorError) as error:
        raise InputError(
            "the weights of a model do not fit its card",
            facts={"file": path, "cause": error},
            help="train the model again",
        ) from error
    return network.float().eval(), card


def read_card(model_dir: Path) -> ModelCard:
    """Read a model's card alone.

    Raises
    ------
    InputError
        If there is no card, or it is of another kind.
    """
    path = model_dir / CARD_NAME
    data = _read(path)
    try:
        facts = json.loads(data)
        if facts.pop("format") != FORMAT:
            raise ValueError("it has another format")
        facts["architecture"] = Architecture(**facts["architecture"])
        for name in ("label_ids", "mean", "std"):
            facts[name] = tuple(facts[name])
        return ModelCard(**facts)
    except (ValueError, KeyError, TypeError, AttributeError, InputError) as error:
        raise InputError(
            "this is not the card of a model of winnow",
            facts={"file": path, "expected format": FORMAT, "cause": repr(error)},
            help="name a folder that `winnow train` wrote",
        ) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            "a file of the model cannot be read",
            facts={"file": path, "cause": error.strerror},
            help="train the model first, or name its folder",
        ) from error


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
