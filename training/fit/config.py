"""Settings of a training, without torch."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from training.model.architecture import Architecture

Precision: TypeAlias = Literal["auto", "float32", "bfloat16"]
Loss: TypeAlias = Literal["logistic", "softmax", "asymmetric"]
Sampling: TypeAlias = Literal["uniform", "square-root"]


class TrainConfig(BaseModel):
    """Settings that decide the result of a training.

    On the CPU, equal settings give equal weights, bit for bit.
    """

    # Infinite rates and decays would pass the lower bounds.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    depth: Literal[18, 34, 50, 101, 152] = Field(18, description="depth of the ResNet")
    width: int = Field(64, ge=4, le=1024, description="channels of the first stage")
    stem: Literal["imagenet", "small"] = Field("imagenet", description="`small` for ≤ 64 pixels")
    image_size: int = Field(224, ge=16, le=4096, description="side of the square input, in pixels")
    steps: int = Field(10_000, ge=1, description="optimisation steps")
    batch_size: int = Field(64, ge=2, description="images in a step")
    micro_batch: int | None = Field(
        None, ge=2, description="images computed at a time, a divisor of `batch_size`: less memory"
    )
    learning_rate: float = Field(0.3, gt=0, description="highest learning rate")
    weight_decay: float = Field(5e-4, ge=0, description="decay of the convolutions' weights")
    warmup_share: float = Field(
        0.05, ge=0, le=1, description="share of the steps in which the learning rate grows"
    )
    loss: Loss = Field("logistic", description="what is made small")
    reject: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of the negatives nobody stated, those of largest loss, left out at the"
        " end; grows from 0",
    )
    sampling: Sampling = Field(
        "uniform", description="`square-root`: images of rare labels are looked at more often"
    )
    ema: float = Field(
        0.0, ge=0, lt=1, description="decay of the moving average of weights that is the model"
    )
    precision: Precision = Field(
        "auto", description="of convolutions; `auto`: bfloat16 where the processor computes in it"
    )
    compile: bool = Field(False, description="compile the network: faster on GPUs, slow to start")
    seed: int = Field(0, ge=0, lt=2**63, description="seed of the weights, the order and the crops")
    threads: int | None = Field(
        None, ge=1, description="threads on the CPU; another number gives other weights"
    )

    @model_validator(mode="after")
    def _negatives_to_reject(self) -> TrainConfig:
        if self.reject and self.loss == "softmax":
            raise PydanticCustomError(
                "reject", "loss `softmax` has no negatives to reject: leave out `reject`"
            )
        return self

    @property
    def architecture(self) -> Architecture:
        """The network to train."""
        return Architecture(self.depth, self.width, self.stem)
