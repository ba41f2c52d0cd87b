"""Value of three people's noisy labels to a network, as they are and after winnow.

    python tests/benchmarks/cifar10n.py DATA [--work FOLDER] [--steps N]

DATA holds ``cifar10n_dev.tar.gz``: 8,000 images of CIFAR-10 with the true label and those of three
people (Wei et al. 2022, "Learning with noisy labels revisited"), and 1,500 test images. Each person
is a labeling source. The same network is trained for the same steps on

- person: the labels of the first person;
- majority: the label of most people, that of the first person where all differ;
- votes: every label that a person gave, its target the share of people who gave it;
- winnow: the same labels, their targets the probabilities that winnow learns from 500 audits, which
  its own sampler draws and the true labels of the training images answer;
- true: the true labels.

Nothing is chosen by the test images. Trainings that FOLDER holds already are not done again. The
last line is JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from calibration_error import expected_calibration_error
from crowds import aggregate

from curation.pairs.pair_keys import find_pairs
from curation.runs.durable import file_digest
from curation.runs.stage import Stage, open_stage
from curation.runs.staging import reuse, write_stage
from curation.scoring.parts import parts_of_table, pool_of_parts
from curation.shards.tars import Sample, write_shards
from labeling.keys.ids import digest
from labeling.schemas import AUDITS, CANDIDATES, SELECTED
from pipelines.delivery.export import export
from pipelines.jobs.label import label
from pipelines.run.config import Config, check_config, with_overrides
from pipelines.run.stages import taxonomy_of
from pipelines.selecting.select import select
from training.data.shard_index import open_shards
from training.evaluation.predict import predict
from training.fit.config import TrainConfig
from training.fit.train import train

ARCHIVE = "cifar10n_dev.tar.gz"
PEOPLE = ("random1", "random2", "random3")
N_AUDITS = 500
SETS = ("person", "majority", "votes", "winnow", "true")
SEEDS = range(3)

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Result = dict[str, float]


@dataclass(frozen=True, eq=False)
class Crowd:
    """Images, their labels by each of three people, and their true labels.

    Attributes
    ----------
    classes
        Names of the 10 classes.
    paths
        The n images.
    given, true
        ``int64[n, 3]`` and ``int64[n]``: classes.
    """

    classes: list[str]
    paths: list[Path]
    given: Codes
    true: Codes

    @cached_property
    def jpegs(self) -> list[bytes]:
        return [path.read_bytes() for path in self.paths]

    @cached_property
    def image_ids(self) -> list[str]:
        return [digest(jpeg) for jpeg in self.jpegs]


def main() -> None:
    parser = argparse.ArgumentParser(description="Train on people's labels, and on winnow's.")
    parser.add_argument("data", type=Path, help=f"folder of {ARCHIVE}")
    parser.add_argument("--work", type=Path, help="folder to keep the trainings in")
    parser.add_argument("--steps", type=int, default=400)
    arguments = parser.parse_args()
    if not (arguments.data / ARCHIVE).is_file():
        print(f"skipped: there is no {ARCHIVE} in {arguments.data}")
        return
    with tempfile.TemporaryDirectory() as folder:
        result = run(arguments.data, arguments.work or Path(folder), arguments.steps)
    print(json.dumps({key: round(value, 4) for key, value in result.items()}))


def run(data: Path, work: Path, steps: int) -> Result:
    """Return how right each set of labels is, and how well a network learns from it."""
    folder = work / "cifar10n"
    if not folder.is_dir():
        with tarfile.open(data / ARCHIVE) as tar:
            tar.extractall(work, filter="data")
    crowd, run_dir = read_crowd(folder), work / "run-cifar10n"
    config = write_inputs(crowd, folder)
    candidates, selected = label(config, run_dir), select(config, run_dir)
    result = measure_labels(crowd, candidates, selected) | measure_calibration(
        crowd, run_dir, selected
    )
    targets = {
        "person": one_hot(crowd.given[:, 0]),
        "majority": one_hot(majority(crowd.given)),
        "votes": shares(crowd.given),
        "true": one_hot(crowd.true),
    }
    shards = {
        name: write_set(crowd, target, work / "sets" / name) for name, target in targets.items()
    }
    (shards["winnow"],) = export(config, run_dir, "selected").paths(".tar", "train-")
    result |= measure_proved(crowd, config, run_dir)
    test, shown = write_test(folder / "test", crowd.classes, work / "sets" / "test")
    measured: dict[str, list[float]] = {name: [] for name in SETS}
    for seed in SEEDS:
        for name in SETS:
            model = model_of(run_dir, name, shards[name], crowd.classes, steps, seed)
            measured[name].append(accuracy(model, test, shown))
            print(f"{name:9} seed {seed} {measured[name][-1]:.4f}", flush=True)
    return result | mean_measures(measured)


def read_crowd(folder: Path) -> Crowd:
    lines = (folder / "labels.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return Crowd(
        json.loads((folder / "classes.json").read_text("utf-8")),
        [folder / "images" / row["image"] for row in rows],
        np.array([[row[person] for person in PEOPLE] for row in rows]),
        np.array([row["clean"] for row in rows]),
    )


def write_inputs(crowd: Crowd, folder: Path) -> Config:
    """Write what a user would give to winnow; return the configuration."""
    labels = [{"id": name, "names": [name], "parents": ["class"]} for name in crowd.classes]
    lines = [json.dumps(entry) for entry in (*labels, {"id": "class", "names": []})]
    (folder / "taxonomy.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    paths = [path.relative_to(folder).as_posix() for path in crowd.paths]
    given = [
        (path, crowd.classes[code], f"person{number}")
        for path, codes in zip(paths, crowd.given.tolist(), strict=True)
        for number, code in enumerate(codes, 1)
    ]
    write_csv(folder / "labels.csv", ("image", "text", "source"), given)
    names = [crowd.classes[code] for code in crowd.true.tolist()]
    truth = list(zip(crowd.image_ids, names, strict=True))
    write_csv(folder / "truth.csv", ("image_id", "label_id"), truth)
    columns = {"image": "image", "text": "text", "source": "source"}
    content = {
        "base": str(folder),
        "taxonomy": {"path": "taxonomy.jsonl"},
        "signals": [{"path": "labels.csv", "columns": columns}],
        "audit": {"n": N_AUDITS, "truth": "truth.csv"},
        "select": {"keep": 1.0},
        "export": {"holdout_share": 0.0},
    }
    return check_config(content, "cifar10n")


def spread(crowd: Crowd, pairs: pa.Table, values: npt.NDArray[np.generic]) -> Floats:
    """Return ``float64[n, 10]``: a value of each candidate, 0 for other labels."""
    row_of = {image_id: row for row, image_id in enumerate(crowd.image_ids)}
    code_of = {name: code for code, name in enumerate(crowd.classes)}
    result = np.zeros((len(crowd.true), len(crowd.classes)))
    rows = [row_of[image_id] for image_id in pairs["image_id"].to_pylist()]
    codes = [code_of[label_id] for label_id in pairs["label_id"].to_pylist()]
    result[rows, codes] = values
    return result


def measure_labels(crowd: Crowd, candidates: Stage, selected: Stage) -> Result:
    """Print and return how right each set of labels is."""
    pairs, scored = candidates.table(CANDIDATES), selected.table(SELECTED)
    cold = pool_of_parts(parts_of_table(pairs), taxonomy_of(candidates)).cold
    n, n_people = crowd.given.shape
    image, person = np.repeat(np.arange(n), n_people), np.tile(np.arange(n_people), n)
    best = {
        **{f"person{number}": codes for number, codes in enumerate(crowd.given.T, 1)},
        "majority": majority(crowd.given),
        "crowd_model": aggregate(image, person, crowd.given.ravel(), 10).argmax(axis=1),
        "winnow_cold": spread(crowd, pairs, cold).argmax(axis=1),
        "winnow": spread(crowd, scored, np.asarray(scored["p_correct"])).argmax(axis=1),
    }
    result = {}
    for name, codes in best.items():
        result[f"right_{name}"] = float((codes == crowd.true).mean())
        print(f"{name:12} {result[f'right_{name}']:.4f} right", flush=True)
    return result


def measure_calibration(crowd: Crowd, run_dir: Path, selected: Stage) -> Result:
    """Print and return how far off the probabilities of unaudited candidates are."""
    scored = selected.table(SELECTED)
    asked = find_pairs(scored, open_stage(run_dir, "audits").table(AUDITS)) < 0
    these = spread(crowd, scored, asked) == 1
    p = spread(crowd, scored, np.asarray(scored["p_correct"]))[these]
    share, right = shares(crowd.given)[these], one_hot(crowd.true)[these] == 1
    for n_people in (1, 2, 3):
        unanimous = np.round(share * 3) == n_people
        print(
            f"named by {n_people}  {unanimous.sum():6,} candidates, "
            f"{right[unanimous].mean():.4f} right, by winnow {p[unanimous].mean():.4f}"
        )
    result = {}
    for name, values in (("winnow", p), ("votes", share)):
        error = expected_calibration_error(values, right)
        result[f"calibration_error_{name}"] = error
        print(f"calibration error of {name:6} {error:.4f}")
    return result


def measure_proved(crowd: Crowd, config: Config, run_dir: Path) -> Result:
    """Print and return what winnow keeps for a precision of 90 %, and how right that is."""
    stage = select(with_overrides(config, ["select.precision=0.9"]), run_dir)
    kept = spread(crowd, stage.table(SELECTED), np.asarray(stage.table(SELECTED)["kept"])) == 1
    right = float(one_hot(crowd.true)[kept].mean())
    print(
        f"kept for a precision of .9: {kept.sum():,} of {stage.counts['in']:,}, {right:.4f} right"
    )
    return {"proved_kept": float(kept.sum()), "proved_right": right}


def majority(given: Codes) -> Codes:
    """Return the label of most of three people, that of the first where all differ.

    Examples
    --------
    >>> majority(np.array([[1, 2, 2], [2, 1, 2], [3, 1, 2]])).tolist()
    [2, 2, 3]
    """
    first, second, third = given.T
    result: Codes = np.where(second == third, second, first)
    return result


def shares(given: Codes, n_classes: int = 10) -> Floats:
    """Return the share of people who name each class, ``float64[n, n_classes]``.

    Examples
    --------
    >>> shares(np.array([[1, 0, 1]]), 2).round(2).tolist()
    [[0.33, 0.67]]
    """
    result: Floats = np.mean([one_hot(codes, n_classes) for codes in given.T], axis=0)
    return result


def one_hot(codes: Codes, n_classes: int = 10) -> Floats:
    return np.eye(n_classes)[codes]


def write_set(crowd: Crowd, target: Floats, folder: Path) -> Path:
    """Write a shard whose targets are those of ``float64[n, 10]``; return its path."""
    samples = [
        Sample(image_id, jpeg, facts_of(image_id, dict(zip(crowd.classes, row, strict=True))))
        for image_id, jpeg, row in zip(crowd.image_ids, crowd.jpegs, target.tolist(), strict=True)
    ]
    return write_samples(samples, folder)


def write_test(folder: Path, classes: list[str], out: Path) -> tuple[Path, Mapping[str, int]]:
    """Write the shard of the test images, without labels; return its path and their classes."""
    samples, shown = [], {}
    for code, name in enumerate(classes):
        for path in sorted((folder / name).iterdir()):
            jpeg = path.read_bytes()
            image_id = digest(jpeg)
            shown[image_id] = code
            samples.append(Sample(image_id, jpeg, facts_of(image_id, {})))
    return write_samples(samples, out), shown


def facts_of(image_id: str, target: Mapping[str, float]) -> dict[str, object]:
    labels = [{"label_id": name, "p_correct": p} for name, p in target.items() if p > 0]
    return {"image_id": image_id, "labels": labels, "unknown": []}


def write_samples(samples: list[Sample], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    ordered = sorted(samples, key=lambda sample: sample.image_id)
    (shard,) = write_shards(ordered, folder, "train", 1 << 30)
    return folder / shard.name


def write_csv(path: Path, header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def model_of(
    run_dir: Path, name: str, shard: Path, classes: list[str], steps: int, seed: int
) -> Path:
    """Return the folder of a model, trained now or before."""
    config = TrainConfig(
        width=16, stem="small", image_size=32, steps=steps, batch_size=128, seed=seed, threads=1
    )
    settings = config.model_dump()
    stage, inputs = f"model-{name}", {"shard": file_digest(shard)}
    if reuse(run_dir, stage, inputs=inputs, config=settings) is None:
        with write_stage(run_dir, stage, inputs=inputs, config=settings, seed=seed) as work:
            train(open_shards([shard]), classes, config, work.dir, lambda *_: None)
    return open_stage(run_dir, stage).dir


def accuracy(model: Path, test: Path, shown: Mapping[str, int]) -> float:
    """Return the share of test images whose most probable class is theirs."""
    keys, probabilities = predict(model, [test])
    return float((probabilities.argmax(axis=1) == [shown[key] for key in keys]).mean())


def mean_measures(measured: Mapping[str, list[float]]) -> Result:
    """Print and return the mean accuracy of each set of labels, with the least and the most."""
    result: Result = {}
    for name, values in measured.items():
        low, mean, high = min(values), float(np.mean(values)), max(values)
        print(f"{name:9} {mean:.4f}   {low:.4f} to {high:.4f}")
        result |= {f"accuracy_{name}": mean, f"accuracy_{name}_low": low}
        result[f"accuracy_{name}_high"] = high
    return result


if __name__ == "__main__":
    main()
