"""Value of a model on real tasks: photos of clothes in ten classes, and boxes of blood cells.

    WINNOW_DATA=... python tests/benchmarks/transfer.py runs/mine/model/DIGEST

Every method has the same budget, so ``scratch`` is what the task alone is worth. Blood
cells (BCCD) are shrunk to 192 pixels. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from training.transfer.classify import Classification
from training.transfer.detect import Detection
from training.transfer.task import evaluate_on

ARCHIVES = ("clothing_small_dev.tar.gz", "detection_dev.tar.gz")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure a model on real tasks.")
    parser.add_argument("model", type=Path, help="folder that holds model.json")
    parser.add_argument("--only", choices=["classes", "boxes"], help="one of the two tasks")
    options = parser.parse_args()
    result: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for archive in ARCHIVES:
            with tarfile.open(Path(os.environ["WINNOW_DATA"]) / archive) as tar:
                tar.extractall(folder, filter="data")
        started = time.perf_counter()
        for name, value in measures(options.model, Path(folder), options.only):
            result[name] = round(value, 4)
            print(f"{name:36} {value:10.4f} {time.perf_counter() - started:7.1f} s", flush=True)
    print(json.dumps(result))


def measures(model_dir: Path, folder: Path, only: str | None) -> Iterator[tuple[str, float]]:
    if only != "boxes":
        task = folder / "clothing_small"
        for name, value in evaluate_on(Classification, model_dir, task, image_size=48):
            yield f"clothing_{name}", value
    if only != "classes":
        for name, value in evaluate_on(Detection, model_dir, folder / "bccd", image_size=192):
            yield f"bccd_{name}", value


if __name__ == "__main__":
    main()
