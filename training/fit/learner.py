"""One step of training a network, on one device or shared by several."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from training.data.loader import Batch, normalise
from training.fit.averaging import moving_average
from training.fit.config import Precision, TrainConfig
from training.fit.devices import memory_format
from training.fit.distributed import ALONE, World
from training.fit.schedule import decayed, rate_at
from training.losses import LOSSES
from training.losses.rejection import without_largest

MOMENTUM = 0.9


class Learner:
    """A network, its optimiser, and the average of its weights if the settings ask for one.

    Parameters
    ----------
    network
        Takes normalised images ``float32[n, 3, s, s]`` and returns logits ``float[n, n_labels]``.
        It is moved to the device and trained in place.
    config
        The settings; of the architecture only the width is used.
    n_labels
        Number of logits.
    device
        Device that computes.
    world
        The processes that share the work.
    """

    def __init__(
        self,
        network: nn.Module,
        config: TrainConfig,
        n_labels: int,
        device: torch.device,
        world: World = ALONE,
    ) -> None:
        self._layout = memory_format(device, config.width)
        moved = network.to(device=device, memory_format=self._layout)  # type: ignore[call-overload]
        self.network: nn.Module = moved.train()
        self.optimizer = torch.optim.SGD(
            decayed(self.network, config.weight_decay),
            lr=config.learning_rate,
            momentum=MOMENTUM,
            nesterov=True,
            fused=device.type == "cuda",
        )
        self.average = moving_average(self.network, config.ema) if config.ema else None
        self._config, self._n_labels, self._device, self._world = config, n_labels, device, world
        self._short = chosen_precision(config, device) == "bfloat16"
        self._shared: nn.Module = self.network
        self._logits: Callable[[Tensor], Tensor] = self._forward

    def begin(self) -> None:
        """Prepare the network for its first step here: share it, and compile it if asked for."""
        if self._world.size > 1:
            self._shared = DistributedDataParallel(self.network)
        if self._config.compile:
            self._logits = torch.compile(self._forward)

    def step(self, number: int, batches: Sequence[Batch]) -> Tensor:
        """Train for one step, and return its mean loss in nats an image: ``float32[]``.

        Parameters
        ----------
        number
            Number of the step, from 1.
        batches
            The micro-batches of this process, all of one size.
        """
        config = self._config
        share = rate_at(number, config.steps, config.warmup_share)
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * share
        self.optimizer.zero_grad()
        total = torch.zeros((), device=self._device)
        for batch in batches:
            # Gradients are exchanged once, with the last micro-batch.
            waits = batch is not batches[-1] and isinstance(self._shared, DistributedDataParallel)
            with self._shared.no_sync() if waits else nullcontext():  # type: ignore[operator]
                loss = self._loss(number, batch) / len(batches)
                loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        self.optimizer.step()
        if self.average:
            self.average.update_parameters(self.network)
        return self._world.mean(total)

    @property
    def learning_rate(self) -> float:
        """Learning rate of the last step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def weights(self) -> Mapping[str, Tensor]:
        """Return the state dict of the model: that of the average if there is one."""
        return (self.average.module if self.average else self.network).state_dict()

    def state(self) -> dict[str, Tensor]:
        """Return every tensor on which the next steps depend, by name."""
        parts = {"network": self.network.state_dict(), "momentum": self._momentum()}
        if self.average:
            parts["average"] = self.average.module.state_dict()
        return {f"{part}.{name}": t for part, named in parts.items() for name, t in named.items()}

    def restore(self, state: Mapping[str, Tensor], n_steps: int) -> None:
        """Continue from the `state` after some steps; before `begin`.

        Raises
        ------
        KeyError, RuntimeError
            If the state is of another network.
        """
        self.network.load_state_dict(_part(state, "network"))
        momentum = _part(state, "momentum")
        for name, parameter in self.network.named_parameters():
            buffer = torch.empty_like(parameter).copy_(momentum[name])
            self.optimizer.state[parameter]["momentum_buffer"] = buffer.detach()
        if self.average:
            self.average.module.load_state_dict(_part(state, "average"))
            self.average.n_averaged.fill_(n_steps + 1)

    def _forward(self, pixels: Tensor) -> Tensor:
        images = normalise(pixels).contiguous(memory_format=self._layout)
        logits: Tensor = self._shared(images)
        return logits

    def _loss(self, number: int, batch: Batch) -> Tensor:
        pixels = batch.pixels.to(self._device)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._short):
            logits = self._logits(pixels)
        target, weight = batch.dense(self._n_labels, self._device)
        losses = LOSSES[self._config.loss](logits.float(), target, weight)
        n_rejected = self._n_rejected(number, batch)
        if n_rejected:
            losses = without_largest(losses, target, weight, n_rejected)
        return losses.sum() / len(losses)

    def _n_rejected(self, number: int, batch: Batch) -> int:
        n_assumed = len(batch.keys) * self._n_labels - len(batch.code)
        return round(self._config.reject * n_assumed * (number - 1) / self._config.steps)

    def _momentum(self) -> dict[str, Tensor]:
        return {
            name: self.optimizer.state[parameter]["momentum_buffer"]
            for name, parameter in self.network.named_parameters()
        }


def chosen_precision(config: TrainConfig, device: torch.device) -> Precision:
    """Return the precision of a training on a device; ``auto`` depends on its instructions."""
    if config.precision != "auto":
        return config.precision
    if device.type == "cuda":
        has_instructions = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # A private name of torch 2.13: if a release drops it, float32 is always right.
        has_instructions = getattr(torch.cpu, "_is_avx512_bf16_supported", bool)()
    return "bfloat16" if has_instructions else "float32"


def _part(state: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    named = (name.partition(".") for name in state)
    return {rest: state[f"{first}.{rest}"] for first, _, rest in named if first == part}
