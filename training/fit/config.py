"""The settings of a training."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from labeling.errors import ConfigError
from training.model.resnet import Architecture

Precision: TypeAlias = Literal["auto", "float32", "bfloat16"]
Loss: TypeAlias = Literal["logistic", "softmax", "asymmetric"]
Sampling: TypeAlias = Literal["uniform", "square-root"]


@dataclass(frozen=True)
class TrainConfig:
    """Settings of one training: what its result depends on.

    Parameters
    ----------
    depth, width, stem
        The network; see `training.model.resnet.Architecture`.
    image_size
        Side of the square images, in pixels.
    steps, batch_size
        Steps to train, and images in each.
    micro_batch
        Images that are computed at a time, a divisor of `batch_size`: fewer need less memory, and
        batch normalisation sees only these. The whole step if not given, or its share of each
        process. Any number of processes that shares the same micro-batches learns the same.
    learning_rate
        Its highest value: it grows linearly over the first `warmup_share` of the steps and falls
        to 0 along a cosine.
    weight_decay
        Of matrices and kernels; biases and normalisations have none.
    loss
        See `training.fit.losses`.
    reject
        Share of the negatives nobody has stated that is left out at the end of training, those of
        the largest loss; it grows from 0. See `training.fit.losses.without_largest`.
    sampling
        ``square-root`` looks at images of rare labels more often; see `training.data.sampling`.
    ema
        Decay, below 1, of the moving average of the weights, which is the model then; 0 for none.
    precision
        ``bfloat16`` computes convolutions in 16 bits (weights stay in 32): 1.8 times as fast on
        processors with such instructions, and slower on others; ``auto`` takes it on the former.
    compile
        Compile the network with ``torch.compile``: a minute at the start, and faster steps on GPUs.
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
    micro_batch: int | None = None
    learning_rate: float = 0.3
    weight_decay: float = 5e-4
    warmup_share: float = 0.05
    loss: Loss = "logistic"
    reject: float = 0.0
    sampling: Sampling = "uniform"
    ema: float = 0.0
    precision: Precision = "auto"
    compile: bool = False
    seed: int = 0
    threads: int | None = None

    def __post_init__(self) -> None:
        micro_batch = self.micro_batch or self.batch_size
        wrong = {
            name: getattr(self, name)
            for name, fine in (
                ("image_size", 8 <= self.image_size <= 4096),
                ("steps", self.steps >= 1),
                ("batch_size", self.batch_size >= 2),
                ("micro_batch", micro_batch >= 2 and self.batch_size % micro_batch == 0),
                ("learning_rate", 0 < self.learning_rate < math.inf),
                ("weight_decay", 0 <= self.weight_decay < math.inf),
                ("warmup_share", 0 <= self.warmup_share <= 1),
                ("loss", self.loss in get_args(Loss)),
                ("reject", 0 <= self.reject < 1 and not (self.reject and self.loss == "softmax")),
                ("sampling", self.sampling in get_args(Sampling)),
                ("ema", 0 <= self.ema < 1),
                ("precision", self.precision in get_args(Precision)),
                ("seed", 0 <= self.seed < 2**63),
                ("threads", self.threads is None or self.threads >= 1),
            )
            if not fine
        }
        if wrong:
            raise ConfigError(
                "settings of the training are out of range",
                facts=wrong,
                help="micro_batch divides batch_size; softmax knows no negatives to reject"
                if {"micro_batch", "reject"} & set(wrong)
                else "docs/reference/config.md gives their ranges",
            )

    @property
    def architecture(self) -> Architecture:
        """The network to train."""
        return Architecture(self.depth, self.width, self.stem)
