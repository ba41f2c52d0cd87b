"""A tiny training that tests stop, share and repeat."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.training.drawings import LABELS
from training.data.shard_index import open_shards
from training.fit.checkpoints import Checkpoints
from training.fit.config import TrainConfig
from training.fit.distributed import processes
from training.fit.train import train

CONFIG = TrainConfig(
    depth=18, width=8, stem="small", image_size=16, steps=3, batch_size=8, threads=1
)
FILES = ("model.safetensors", "model.json", "log.csv")


def silent(step: int, steps: int, loss: float) -> None:
    pass


def files(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


def trained(
    shard: Path, out_dir: Path, config: TrainConfig = CONFIG, **options
) -> dict[str, bytes]:
    out_dir.mkdir(exist_ok=True)
    train(open_shards([shard]), LABELS, config, out_dir, silent, **options)
    return files(out_dir)


if __name__ == "__main__":  # a process of its own: shard, folder, steps, micro_batch
    shard, out_dir, steps, micro_batch = sys.argv[1:]
    config = TrainConfig(
        depth=18,
        width=8,
        stem="small",
        image_size=16,
        steps=int(steps),
        batch_size=8,
        micro_batch=int(micro_batch),
        ema=0.9,
        precision="float32",
        threads=1,
    )
    states = Checkpoints(Path(out_dir) / "states", minutes=0, report=print)
    with processes() as world:
        shards = open_shards([Path(shard)])
        options = {"checkpoints": states, "world": world}
        train(shards, LABELS, config, Path(out_dir), silent, **options)
