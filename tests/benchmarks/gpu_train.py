"""Speed of training our networks on a GPU, beside timm's and torchvision's, and its bounds.

    python tests/benchmarks/gpu_train.py [--depths 50 101 152] [--shards 50] [--batch 256]

One step is that of `training.fit.learner`: bfloat16, channels last, ``torch.compile``, 18,291
labels of which a few are sent for each image, momentum. The networks take turns in each round, on
the same images, which lie on the GPU; ratios are medians over the rounds. Then our network of one
depth is trained on such images and from shards of drawn photos of 500 x 375 pixels, in turns.

The memory floor of a step is what its convolutions and normalisations have to read and write, with
normalisation, ReLU and addition in one pass, over the bandwidth of a large copy on this GPU
(its matrix units would allow two to three times that rate). The last line is JSON. Without a GPU
there is nothing to measure.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from photos import draw_photo, facts
from torch import Tensor, nn

from curation.shards.tars import Sample, write_shards
from labeling.keys.ids import digest
from training.data.loader import Batch, training_batches
from training.data.shard_index import open_shards
from training.data.targets import read_targets
from training.fit.config import TrainConfig
from training.fit.learner import Learner
from training.model.architecture import Architecture
from training.model.resnet import Basic, Bottleneck, ResNet

SIDE, N_LABELS, STEPS, N_PHOTOS, N_ENTRIES = 224, 18_291, 20, 128, 5
N_AHEAD = 32
"""Steps after which nothing is left of what the loader had made ahead."""
LABELS = [f"label {number}" for number in range(N_LABELS)]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure training on a GPU.")
    parser.add_argument("--depths", type=int, nargs="*", default=[50, 101, 152])
    parser.add_argument("--shards", type=int, default=50, help="depth that is trained from shards")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--eager", action="store_true", help="do not compile")
    asked = parser.parse_args()
    if not torch.cuda.is_available():
        print("there is no GPU here, so there is nothing to measure")
        return
    bandwidth = copy_bandwidth()
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}: copies {bandwidth:.2e} B/s")
    result: dict[str, object] = {"gpu": torch.cuda.get_device_name(), "bytes_per_s": bandwidth}
    for depth in asked.depths:
        result[str(depth)] = compare(config_of(depth, asked), asked.rounds, bandwidth)
    result["shards"] = from_shards(config_of(asked.shards, asked), asked.rounds)
    print(json.dumps(result))


def config_of(depth: int, asked: argparse.Namespace) -> TrainConfig:
    compiled = not asked.eager
    return TrainConfig(depth=depth, batch_size=asked.batch, precision="bfloat16", compile=compiled)


def compare(config: TrainConfig, rounds: int, bandwidth: float) -> dict[str, float]:
    """Time a step of each library's network in turns; print and return the rates."""
    batch = synthetic(config.batch_size)
    learners: dict[str, Learner] = {}
    for name, network in networks(config.depth):
        started = time.perf_counter()
        learners[name] = learner_of(network, config)
        run(learners[name], [batch] * 3)
        print(f"ResNet-{config.depth} {name}: ready in {time.perf_counter() - started:.0f} s")
    seconds: dict[str, list[float]] = {name: [] for name in learners}
    for number in range(rounds):
        turn = list(learners.items())
        for name, learner in turn[number % len(turn) :] + turn[: number % len(turn)]:
            seconds[name].append(run(learner, [batch] * STEPS))
    rates = {name: STEPS * config.batch_size / statistics.median(s) for name, s in seconds.items()}
    floor = bandwidth / bytes_of_step(config.depth)
    result: dict[str, float] = {"images_per_s": rates["winnow"], "floor": floor}
    result["share_of_floor"] = rates["winnow"] / floor
    for name in learners:
        pairs = zip(seconds[name], seconds["winnow"], strict=True)
        result[f"ratio_{name}"] = statistics.median(theirs / ours for theirs, ours in pairs)
        ratio = result[f"ratio_{name}"]
        print(
            f"ResNet-{config.depth} {name:12} {rates[name]:8,.0f} images/s, ours {ratio:.3f} times"
        )
    print(
        f"ResNet-{config.depth} of the memory floor, {floor:,.0f}: {result['share_of_floor']:.2f}"
    )
    print(f"peak memory {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB")
    return {name: round(value, 4) for name, value in result.items()}


def networks(depth: int) -> Iterator[tuple[str, nn.Module]]:
    yield "winnow", ResNet(Architecture(depth), N_LABELS)
    for library in ("timm", "torchvision"):
        try:
            module = importlib.import_module(library)
        except ImportError:
            print(f"{library} is not installed: left out")
            continue
        if library == "timm":
            yield library, module.create_model(f"resnet{depth}", num_classes=N_LABELS)
        else:
            yield library, getattr(module.models, f"resnet{depth}")(num_classes=N_LABELS)


def learner_of(network: nn.Module, config: TrainConfig) -> Learner:
    learner = Learner(network, config, N_LABELS, torch.device("cuda"))
    learner.begin()
    return learner


def run(learner: Learner, batches: Iterable[Batch]) -> float:
    """Return the seconds of some steps, of which each loss is read, as in a training."""
    torch.cuda.synchronize()
    started = time.perf_counter()
    for number, batch in enumerate(batches, 1):
        learner.step(number, [batch]).item()
    return time.perf_counter() - started


def synthetic(n: int) -> Batch:
    """Return a batch of noise on the GPU, five labels an image."""
    pixels = torch.randint(0, 256, (n, SIDE, SIDE, 3), dtype=torch.uint8, device="cuda")
    row = torch.arange(n, device="cuda").repeat_interleave(N_ENTRIES)
    code = torch.randint(0, N_LABELS, (len(row),), device="cuda")
    ones = torch.ones(len(row), device="cuda")
    return Batch([str(number) for number in range(n)], pixels, row, code, ones * 0.9, ones)


def from_shards(config: TrainConfig, rounds: int) -> dict[str, float]:
    """Train on images of the GPU and from shards in turns; return the rates.

    ``loader``: from shards without training.
    """
    device = torch.device("cuda")
    learner = learner_of(ResNet(config.architecture, N_LABELS), config)
    batch = synthetic(config.batch_size)
    run(learner, [batch] * 3)
    seconds: dict[str, list[float]] = {"synthetic": [], "shards": [], "loader": []}
    with tempfile.TemporaryDirectory() as folder:
        shards = open_shards(write_photos(Path(folder)))
        targets = read_targets(shards, LABELS)
        for _ in range(rounds):
            seconds["synthetic"].append(run(learner, [batch] * STEPS))
            n = config.batch_size
            steps = range(2 * (STEPS + N_AHEAD))
            loaded = training_batches(shards, targets, SIDE, n, 0, steps, device=device)
            run(learner, itertools.islice(loaded, N_AHEAD))
            seconds["shards"].append(run(learner, itertools.islice(loaded, STEPS)))
            seconds["loader"].append(load(loaded))
    rate_of = {name: STEPS * n / statistics.median(times) for name, times in seconds.items()}
    for name, rate in rate_of.items():
        print(f"{name:12} {rate:8,.0f} images/s, {rate / rate_of['synthetic']:.3f} of synthetic")
    pairs = zip(seconds["synthetic"], seconds["shards"], strict=True)
    rate_of["of_synthetic"] = statistics.median(ours / theirs for ours, theirs in pairs)
    return {name: round(value, 4) for name, value in rate_of.items()}


def load(batches: Iterator[Batch]) -> float:
    """Return the seconds that the loader needs for as many batches as there are steps."""
    for _ in range(N_AHEAD):
        next(batches)
    started = time.perf_counter()
    for _ in range(STEPS):
        next(batches)
    return time.perf_counter() - started


def write_photos(folder: Path) -> list[Path]:
    samples = []
    for number in range(N_PHOTOS):
        jpeg = draw_photo(number, 500, 375, 90, 12.0)
        content = facts(number, LABELS) | {"image_id": digest(jpeg)}
        samples.append(Sample(digest(jpeg), jpeg, content))
    samples.sort(key=lambda sample: sample.image_id)
    return [folder / s.name for s in write_shards(samples, folder, "photos", 1 << 40)]


def copy_bandwidth() -> float:
    """Return the bytes a second, read and written, of a large copy on the GPU."""
    source = torch.randint(0, 256, (1 << 32,), dtype=torch.uint8, device="cuda")
    sink = torch.empty_like(source)
    times = []
    for _ in range(8):
        torch.cuda.synchronize()
        started = time.perf_counter()
        sink.copy_(source)
        torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return 2 * len(source) / statistics.median(times)


def bytes_of_step(depth: int) -> float:
    """Return the bytes of activations that a training step has to move for one image.

    In 16 bits, for a convolution from I to O numbers and what follows it: forward, it reads I and
    writes O; the statistics read O; normalising reads and writes O. Backward, the sums read O and
    its gradient; the gradient of the normalisation reads both and writes one; those of input and
    kernel read O twice, read I and write I. Adding a shortcut reads it once each way.
    """
    total = 0

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        total += 2 * (3 * inputs[0].numel() + 11 * output.numel())

    def count_sum(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        total += 2 * 2 * output.numel()

    with torch.device("meta"):
        network = ResNet(Architecture(depth), N_LABELS)
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.register_forward_hook(count)
            elif isinstance(module, Basic | Bottleneck):
                module.register_forward_hook(count_sum)
        network(torch.zeros(1, 3, SIDE, SIDE))
    return float(total)


if __name__ == "__main__":
    main()
