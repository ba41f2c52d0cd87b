"""Training a network on shards, for a fixed number of steps.

Steps are fixed rather than epochs: with a number of epochs a larger set is also trained for
longer, and the worth of the data is confounded with that of the training.
"""

from __future__ import annotations

import csv
import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor, nn

from labeling.errors import ConfigError, InputError, QualityError
from training.checkpoint import ModelCard, save_model
from training.devices import chosen_device, seeded
from training.index import Shards
from training.loader import MEAN, STD, Batch, normalise, training_batches
from training.losses import logistic
from training.optimising import decayed, rate_at
from training.resnet import Architecture, ResNet, build
from training.targets import Targets, read_targets

MOMENTUM = 0.9

Precision: TypeAlias = Literal["auto", "float32", "bfloat16"]


@dataclass(frozen=True)
class TrainConfig:
    """Settings of one training.

    Parameters
    ----------
    depth, width, stem
        The network; see `training.resnet.Architecture`.
    image_size
        Side of the square images, in pixels.
    steps, batch_size
        Steps to train, and images in each.
    learning_rate
        Its highest value: it grows linearly over the first `warmup_share` of the steps and falls
        to 0 along a cosine.
    weight_decay
        Of matrices and kernels; biases and normalisations have none.
    precision
        ``bfloat16`` computes convolutions in 16 bits (weights stay in 32): 1.8 times as fast on
        processors with such instructions, and slower on others; ``auto`` takes it on the former.
    seed, threads
        On the CPU, the same seed and number of threads give the same weights, bit for bit.
        No number of threads leaves it to torch.
    """

    depth: int = 18
    width: int = 64
    stem: Literal["imagenet", "small"] = "imagenet"
    image_size: int = 224
    steps: int = 1000
    batch_size: int = 64
    learning_rate: float = 0.3
    weight_decay: float = 5e-4
    warmup_share: float = 0.05
    precision: Precision = "auto"
    seed: int = 0
    threads: int | None = None

    def __post_init__(self) -> None:
        wrong = {
            name: value
            for name, value, fine in (
                ("image_size", self.image_size, 8 <= self.image_size <= 4096),
                ("steps", self.steps, self.steps >= 1),
                ("batch_size", self.batch_size, self.batch_size >= 2),
                ("learning_rate", self.learning_rate, 0 < self.learning_rate < math.inf),
                ("weight_decay", self.weight_decay, 0 <= self.weight_decay < math.inf),
                ("warmup_share", self.warmup_share, 0 <= self.warmup_share <= 1),
                ("precision", self.precision, self.precision in get_args(Precision)),
                ("seed", self.seed, 0 <= self.seed < 2**63),
                ("threads", self.threads, self.threads is None or self.threads >= 1),
            )
            if not fine
        }
        if wrong:
            raise ConfigError("settings of the training are out of range", facts=wrong)

    @property
    def architecture(self) -> Architecture:
        """The network to train."""
        return Architecture(self.depth, self.width, self.stem)


@dataclass(frozen=True)
class TrainResult:
    """What a training did.

    Parameters
    ----------
    steps
        Steps done.
    images
        Images seen, with repeats.
    seconds
        Time of the steps, without reading the shards.
    final_loss
        Mean loss of the last tenth of the steps, in nats an image.
    images_per_second
        ``images / seconds``.
    """

    steps: int
    images: int
    seconds: float
    final_loss: float
    images_per_second: float


def train(
    shards: Shards,
    label_ids: Sequence[str],
    config: TrainConfig,
    out_dir: Path,
    progress: Callable[[int, int, float], None],
) -> TrainResult:
    """Train a network and write ``model.safetensors``, ``model.json`` and ``log.csv``.

    Parameters
    ----------
    shards
        The images; see `training.index.open_shards`.
    label_ids
        The label of each logit; other labels of the shards are left out.
    config
        The settings.
    out_dir
        An existing folder.
    progress
        Called after each step with the step (from 1), the number of steps and the loss.

    Raises
    ------
    InputError
        If there are no labels, or the shards cannot be used.
    QualityError
        If the loss is not finite; nothing is written then.
    """
    if not label_ids or len(set(label_ids)) < len(label_ids):
        raise InputError(
            "the labels to train on are none, or not distinct", facts={"labels": len(label_ids)}
        )
    targets = read_targets(shards, label_ids)
    device = chosen_device()
    with seeded(config.seed, device, config.threads):
        network = build(config.architecture, len(label_ids))
        _begin_at_base_rates(network, targets)
        network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        started = time.perf_counter()
        log = []
        for step, rate, loss in _steps(network, shards, targets, config, device):
            log.append((step, loss, rate))
            progress(step, config.steps, loss)
        seconds = time.perf_counter() - started
    card = ModelCard(
        architecture=config.architecture,
        label_ids=tuple(label_ids),
        image_size=config.image_size,
        mean=MEAN,
        std=STD,
        step=config.steps,
        training=dataclasses.asdict(config),
    )
    save_model(out_dir, network, card)
    _write_log(out_dir / "log.csv", log)
    n_images = config.steps * config.batch_size
    last = [loss for _, loss, _ in log[-max(1, config.steps // 10) :]]
    return TrainResult(config.steps, n_images, seconds, sum(last) / len(last), n_images / seconds)


def learning_rate_at(step: int, config: TrainConfig) -> float:
    """Return the learning rate of a step (from 1); see `training.optimising.rate_at`.

    Examples
    --------
    >>> config = TrainConfig(steps=100, learning_rate=0.4, warmup_share=0.1)
    >>> [round(learning_rate_at(step, config), 3) for step in (1, 5, 10, 55, 100)]
    [0.04, 0.2, 0.4, 0.2, 0.0]
    """
    return config.learning_rate * rate_at(step, config.steps, config.warmup_share)


def chosen_precision(config: TrainConfig, device: torch.device) -> Precision:
    """Return the precision that ``auto`` means on a device; any other is what it says."""
    if config.precision != "auto":
        return config.precision
    if device.type == "cuda":
        has_instructions = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # A private name of torch: where a release drops it, float32 is always right.
        has_instructions = getattr(torch.cpu, "_is_avx512_bf16_supported", bool)()
    return "bfloat16" if has_instructions else "float32"


def _steps(
    network: ResNet, shards: Shards, targets: Targets, config: TrainConfig, device: torch.device
) -> Iterator[tuple[int, float, float]]:
    """Train, and yield the number, learning rate and loss of each step done."""
    optimizer = _optimizer(network, config)
    batches = training_batches(
        shards, targets, config.image_size, config.batch_size, config.seed, range(config.steps)
    )
    network.train()
    short = chosen_precision(config, device) == "bfloat16"
    for step, batch in enumerate(batches, 1):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate_at(step, config)
        with torch.autocast(device.type, torch.bfloat16, enabled=short):
            logits = network(normalise(batch.pixels.to(device)))
        loss = logistic(logits.float(), *batch.dense(targets.n_labels, device))
        _refuse_not_finite(loss, step, batch)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        yield step, group["lr"], loss.item()


def _begin_at_base_rates(network: ResNet, targets: Targets) -> None:
    """Set the biases so that each label begins at its share of the images (Lin et al. 2017, 4.1).

    Otherwise the many labels that an image does not show govern the first steps.
    """
    n_images = len(targets.offsets) - 1
    share = (torch.from_numpy(targets.n_shown()) + 1) / (n_images + 2)
    with torch.no_grad():
        network.fc.bias.copy_(torch.logit(share))


def _optimizer(network: nn.Module, config: TrainConfig) -> torch.optim.SGD:
    groups = decayed(network, config.weight_decay)
    return torch.optim.SGD(groups, lr=config.learning_rate, momentum=MOMENTUM, nesterov=True)


def _refuse_not_finite(loss: Tensor, step: int, batch: Batch) -> None:
    if not torch.isfinite(loss):
        raise QualityError(
            "the loss is not finite",
            facts={"step": step, "loss": loss.item(), "images": " ".join(batch.keys)},
            help="lower the learning rate or lengthen the warm-up, and look at these images",
        )


def _write_log(path: Path, log: Sequence[tuple[int, float, float]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(("step", "loss", "learning_rate"))
        writer.writerows((step, f"{loss:.6g}", f"{rate:.6g}") for step, loss, rate in log)
