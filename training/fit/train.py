"""Training of a network on shards, for a fixed number of steps.

The number of steps is fixed, not that of epochs: with equal epochs a larger set would also be
trained for longer, and the worth of the data be confounded with that of the training.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from labeling.errors import ConfigError, InputError, QualityError
from training.data.loader import MEAN, STD, Batch, training_batches
from training.data.shard_index import Shards
from training.data.targets import Targets, read_targets
from training.fit.checkpoints import Checkpoints, newest_state, save_state
from training.fit.config import TrainConfig
from training.fit.devices import chosen_device, seeded
from training.fit.distributed import ALONE, World
from training.fit.interrupts import interrupts_wait
from training.fit.learner import Learner, chosen_precision
from training.fit.logs import Done, events, write_log
from training.model.model_file import ModelCard, save_model
from training.model.resnet import ResNet

LOG = "log"
"""Name of the log in a state: ``float64[steps, 3]``."""


@dataclass(frozen=True)
class TrainResult:
    """Result of a training, apart from the model.

    Parameters
    ----------
    steps
        Steps done.
    images
        Images used, with repeats.
    final_loss
        Mean loss of the last tenth of the steps, in nats an image.
    images_per_second
        Rate since the training began or was resumed, without opening the shards.
    computed
        Device, processes, threads and precision.
    """

    steps: int
    images: int
    final_loss: float
    images_per_second: float
    computed: str


def train(
    shards: Shards,
    label_ids: Sequence[str],
    config: TrainConfig,
    out_dir: Path,
    progress: Callable[[int, int, float], None],
    *,
    targets: Targets | None = None,
    checkpoints: Checkpoints | None = None,
    events_dir: Path | None = None,
    world: World = ALONE,
) -> TrainResult:
    """Train a network and write ``model.safetensors``, ``model.json`` and ``log.csv``.

    Parameters
    ----------
    shards
        The images; see `training.data.shard_index.open_shards`.
    label_ids
        Label of each logit; other labels of the shards are left out.
    config
        Settings.
    out_dir
        An existing folder; only the first process writes.
    progress
        Called after each step with the step (from 1), the number of steps and the loss.
    targets
        Targets of the images; by default those that the shards hold.
    checkpoints
        Folder of the states. A stopped training continues from the newest one, and on the CPU
        reaches the same weights, bit for bit, as one without a stop.
    events_dir
        Folder for TensorBoard's events.
    world
        The processes that share each step; all call this function alike.

    Raises
    ------
    InputError
        If there are no labels, or the shards cannot be used.
    ConfigError
        If the processes cannot share a step.
    QualityError
        If the loss is not finite; no model is written then, and the last state is kept.
    KeyboardInterrupt
        On Ctrl-C, after the step is done and its state is written.
    """
    if not label_ids or len(set(label_ids)) < len(label_ids):
        raise InputError(
            "the labels to train on are missing or not distinct", facts={"labels": len(label_ids)}
        )
    parts = micro_batches(config, world)
    given, targets = targets, targets or read_targets(shards, label_ids)
    device = chosen_device()
    identity = _identity(shards, label_ids, config, given)
    with seeded(config.seed, device, config.threads):
        learner = _fresh(config, targets, device, world)
        log = _resume(learner, checkpoints, identity, world)
        learner.begin()
        first, started = len(log), time.perf_counter()
        batches = training_batches(
            shards,
            targets,
            config.image_size,
            config.batch_size,
            config.seed,
            range(first, config.steps),
            sampling=config.sampling,
            parts=parts,
            device=device,
        )
        is_first = world.rank == 0
        keep = _keeper(learner, checkpoints if is_first else None, identity)
        with events(events_dir if is_first else None, first + 1) as watch:
            for done in _steps(learner, _grouped(batches, len(parts)), config, log, keep):
                rate = (done.step - first) * config.batch_size / (time.perf_counter() - started)
                progress(done.step, config.steps, done.loss)
                watch(done, rate)
        seconds = time.perf_counter() - started
        computed = _computed(config, device, world)
    if is_first:
        _write(out_dir, learner, label_ids, config, log)
    return _result(config, log, config.steps - first, seconds, computed)


def micro_batches(config: TrainConfig, world: World) -> list[slice]:
    """Return the parts of a step that a process computes.

    Raises
    ------
    ConfigError
        If each process cannot have the same number of them.

    Examples
    --------
    >>> micro_batches(TrainConfig(batch_size=32, micro_batch=8), World(rank=1, size=2))
    [slice(8, 16, None), slice(24, 32, None)]
    """
    micro_batch = config.micro_batch or config.batch_size // world.size
    if micro_batch < 2 or config.batch_size % (micro_batch * world.size):
        raise ConfigError(
            "the images of a step cannot be shared evenly",
            facts={
                "batch_size": config.batch_size,
                "micro_batch": micro_batch,
                "processes": world.size,
            },
            help="let batch_size be a multiple of micro_batch times processes",
        )
    starts = range(world.rank * micro_batch, config.batch_size, world.size * micro_batch)
    return [slice(start, start + micro_batch) for start in starts]


def _steps(
    learner: Learner,
    batches: Iterator[list[Batch]],
    config: TrainConfig,
    log: list[Done],
    keep: Callable[[list[Done], bool], None],
) -> Iterator[Done]:
    """Train for the steps that the log lacks; append each to the log and yield it."""
    with interrupts_wait() as interrupted:
        for number, group in enumerate(batches, len(log) + 1):
            loss = learner.step(number, group).item()
            _refuse_not_finite(loss, number, group)
            log.append(Done(number, loss, learner.learning_rate))
            yield log[-1]
            keep(log, interrupted())
            if interrupted():
                raise KeyboardInterrupt


def _refuse_not_finite(loss: float, step: int, batches: Sequence[Batch]) -> None:
    if not math.isfinite(loss):
        images = " ".join(key for batch in batches for key in batch.keys)
        raise QualityError(
            "the loss is not finite",
            facts={"step": step, "loss": loss, "images": images},
            help="lower the learning rate or lengthen the warm-up, and look at these images",
        )


def _keeper(
    learner: Learner, checkpoints: Checkpoints | None, identity: str
) -> Callable[[list[Done], bool], None]:
    """Return a function that writes a state if one is due, or at once; only finite ones."""
    saved = time.monotonic()

    def keep(log: list[Done], at_once: bool) -> None:
        nonlocal saved
        if checkpoints and (at_once or checkpoints.due(saved)):
            tensors = {**learner.state(), LOG: torch.tensor(log, dtype=torch.float64)}
            if all(tensor.isfinite().all() for tensor in tensors.values()):
                save_state(checkpoints, len(log), identity, tensors)
            saved = time.monotonic()

    return keep


def _resume(
    learner: Learner, checkpoints: Checkpoints | None, identity: str, world: World
) -> list[Done]:
    """Restore the newest state into a learner; return the log of the steps before it."""
    state = None
    if checkpoints and world.rank == 0:
        state = newest_state(checkpoints, identity)
    state = world.from_first(state)
    if state is None:
        return []
    log = [Done(int(step), loss, rate) for step, loss, rate in state[LOG].tolist()]
    learner.restore(state, len(log))
    return log


def _identity(
    shards: Shards, label_ids: Sequence[str], config: TrainConfig, targets: Targets | None
) -> str:
    """Return a digest of everything that decides the weights: settings, labels, images, targets."""
    facts = json.dumps([config.model_dump(), list(label_ids), shards.keys])
    digest = hashlib.sha256(facts.encode())
    if targets is not None:
        for column in (targets.offsets, targets.codes, targets.target, targets.weight):
            digest.update(column.tobytes())
    return digest.hexdigest()


def _grouped(batches: Iterator[Batch], n: int) -> Iterator[list[Batch]]:
    """Yield n batches at a time."""
    while group := list(itertools.islice(batches, n)):
        yield group


def _fresh(config: TrainConfig, targets: Targets, device: torch.device, world: World) -> Learner:
    network = ResNet(config.architecture, targets.n_labels)
    _begin_at_base_rates(network, targets)
    return Learner(network, config, targets.n_labels, device, world)


def _begin_at_base_rates(network: ResNet, targets: Targets) -> None:
    """Set the biases so that each label begins at its share of the images (Lin et al. 2017, 4.1).

    Otherwise the many absent labels of each image dominate the first steps.
    """
    share = (torch.from_numpy(targets.n_shown()) + 1) / (targets.n_images + 2)
    with torch.no_grad():
        network.fc.bias.copy_(torch.logit(share))


def _computed(config: TrainConfig, device: torch.device, world: World) -> str:
    """Return device, processes, threads and precision of a training in words.

    Examples
    --------
    >>> config = TrainConfig(precision="float32", threads=2)
    >>> _computed(config, torch.device("cpu"), World(0, 2))
    '2 processes of 2 CPU threads, float32'
    """
    n_threads = config.threads or torch.get_num_threads()
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    else:
        name = f"{n_threads} CPU thread{'s' if n_threads > 1 else ''}"
    processes = f"{world.size} processes of " if world.size > 1 else ""
    return f"{processes}{name}, {chosen_precision(config, device)}"


def _result(
    config: TrainConfig, log: Sequence[Done], n_done: int, seconds: float, computed: str
) -> TrainResult:
    """Return the result of a training whose last `n_done` steps were done in this attempt."""
    last = [done.loss for done in log[-max(1, config.steps // 10) :]]
    return TrainResult(
        config.steps,
        config.steps * config.batch_size,
        sum(last) / len(last),
        n_done * config.batch_size / seconds,
        computed,
    )


def _write(
    out_dir: Path,
    learner: Learner,
    label_ids: Sequence[str],
    config: TrainConfig,
    log: Sequence[Done],
) -> None:
    card = ModelCard(
        architecture=config.architecture,
        label_ids=tuple(label_ids),
        image_size=config.image_size,
        mean=MEAN,
        std=STD,
        step=config.steps,
        training=config.model_dump(),
    )
    save_model(out_dir, learner.weights(), card)
    write_log(out_dir / "log.csv", log)
