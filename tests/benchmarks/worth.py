"""Value of labels: networks trained on the selected third, on all and on a random third.

    python tests/benchmarks/worth.py DATA [--work FOLDER]

DATA holds ``fashion_dev.tar.gz``, ``clothing_small_dev.tar.gz`` and ``detection_dev.tar.gz``. The
fashion recipe (`docs/recipes/fashion.toml`) is run, and for each of three seeds its network is
trained on each label set for the same number of steps. All are measured

- by the mAP on the photos held out from fashion, against the attributes of the shop's staff;
- on clothes at home, in 10 classes (clothing_small), at the 96 pixels of their training: nearest
  neighbours, linear probe, fine-tuned, and the same network from scratch with the same budget;
- and the first of the selected labels on boxes of blood cells (BCCD): frozen, fine-tuned and from
  scratch.

The seed of a training is also that of what follows it. What FOLDER holds already is not done again.
The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from curation.runs.stage import open_stage
from curation.runs.staging import reuse, write_stage
from pipelines.delivery.evaluate import evaluate
from pipelines.delivery.export import export
from pipelines.delivery.train import train
from pipelines.jobs.label import label
from pipelines.run.config import Config, read_config, with_overrides
from pipelines.selecting.select import select
from training.model.model_file import read_card
from training.transfer.classify import Classification
from training.transfer.detect import Detection
from training.transfer.task import evaluate_on

RECIPES = Path(__file__).resolve().parent.parent.parent / "docs" / "recipes"
FASHION = "fashion_dev.tar.gz"
TASKS = ("clothing_small_dev.tar.gz", "detection_dev.tar.gz")
SETS = ("selected", "all", "random")
SEEDS, BOX_SEEDS = range(3), range(1)
BOXES_SIDE = 192

Measures = Iterable[tuple[str, float]]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what selected labels are worth.")
    parser.add_argument("data", type=Path, help=f"folder of {FASHION}, {', '.join(TASKS)}")
    parser.add_argument("--work", type=Path, help="folder to keep trainings and measures in")
    arguments = parser.parse_args()
    missing = [name for name in (FASHION, *TASKS) if not (arguments.data / name).is_file()]
    if missing:
        print(f"skipped: there is no {', no '.join(missing)} in {arguments.data}")
        return
    with tempfile.TemporaryDirectory() as folder:
        result = run(arguments.data, arguments.work or Path(folder))
    print(json.dumps(result))


def run(data: Path, work: Path) -> dict[str, list[float]]:
    """Print each measure as it comes, and the means; return the values of all seeds."""
    unpack(data, work)
    settings = ["train.threads=1", "select.floor=0", "train.sampling=uniform"]
    config = read_config(RECIPES / "fashion.toml", settings)
    config = config.model_copy(update={"base": str((work / "fashion").resolve())})
    run_dir = work / "run"
    label(config, run_dir)
    select(config, run_dir)
    result: dict[str, list[float]] = {}
    for measured, seeds in ((measures, SEEDS), (on_boxes, BOX_SEEDS)):
        for seed in seeds:
            seeded = with_overrides(config, [f"train.seed={seed}"])
            for name, value in measured(seeded, run_dir, work, seed):
                result.setdefault(name, []).append(round(value, 4))
                print(f"seed {seed}  {name:32} {value:.4f}", flush=True)
    for name, values in result.items():
        print(f"{name:32} {np.mean(values):.4f}   {min(values):.4f} to {max(values):.4f}")
    return result


def unpack(data: Path, work: Path) -> None:
    work.mkdir(parents=True, exist_ok=True)
    if not (work / "fashion").is_dir():
        script, archive = str(RECIPES / "fashion.py"), str(data / FASHION)
        subprocess.run([sys.executable, script, archive, str(work / "fashion")], check=True)
    for task, folder in zip(TASKS, ("clothing_small", "bccd"), strict=True):
        if not (work / folder).is_dir():
            with tarfile.open(data / task) as tar:
                tar.extractall(work, filter="data")


def measures(config: Config, run_dir: Path, work: Path, seed: int) -> Iterator[tuple[str, float]]:
    """Yield every measure of one seed but those of boxes."""
    for name in SETS:
        export(config, run_dir, name)
        model = train(config, run_dir, name).dir
        held_out = evaluate(config, run_dir, name).facts
        for measure in ("map", "precision_at_1", "precision_at_5"):
            yield f"{name}_{measure}", held_out[measure]
        for methods in (("knn", "linear"), ("finetune",)):
            for measure, value in on_clothing(run_dir, model, work, methods, seed):
                yield f"{name}_{measure}", value
        if name == "selected":
            yield from on_clothing(run_dir, model, work, ("scratch",), seed)


def on_clothing(
    run_dir: Path, model: Path, work: Path, methods: tuple[str, ...], seed: int
) -> Measures:
    """Return measures on clothes at home, at the side of the model's training."""
    task = work / "clothing_small"
    return remembered(
        run_dir,
        "transfer-clothing",
        model,
        {"methods": methods, "seed": seed, "side": None},
        lambda: evaluate_on(Classification, model, task, methods, seeds=(seed,)),
    )


def on_boxes(config: Config, run_dir: Path, work: Path, seed: int) -> Measures:
    """Yield measures of the selected labels' model on blood cells."""
    model = train(config, run_dir, "selected").dir
    result = remembered(
        run_dir,
        "transfer-bccd",
        model,
        {"seed": seed, "side": BOXES_SIDE},
        lambda: evaluate_on(Detection, model, work / "bccd", seeds=(seed,), image_size=BOXES_SIDE),
    )
    return [(f"bccd_{measure}", value) for measure, value in result]


def remembered(
    run_dir: Path,
    stage: str,
    model: Path,
    settings: dict[str, object],
    measure: Callable[[], Measures],
) -> Measures:
    """Return the measures of a model, taken now or before; sizes of the task are left out."""
    inputs = {"weights": read_card(model).weights_sha256}
    if reuse(run_dir, stage, inputs=inputs, config=settings) is None:
        with write_stage(run_dir, stage, inputs=inputs, config=settings) as output:
            output.facts |= {k: v for k, v in measure() if not k.startswith("n_")}
    facts: dict[str, float] = open_stage(run_dir, stage).facts
    return facts.items()


if __name__ == "__main__":
    main()
