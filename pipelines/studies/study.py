"""`winnow study`: all cells of a study one after the other, and their results."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from curation.runs.durable import write_text
from curation.runs.lock import locked
from curation.runs.sealed import seal
from curation.runs.stage import open_stage
from labeling.errors import ConfigError
from pipelines.delivery.export import bad_images
from pipelines.inspecting.formatting import duration
from pipelines.run.config import Config
from pipelines.run.progress import Progress, notify
from pipelines.run.saved_config import load_config
from pipelines.run.sections import checked
from pipelines.run.stages import labels_of, taxonomy_of
from pipelines.studies.cells import Cell, Measures, Setup, finished, train_cell
from pipelines.studies.figure import draw_study
from pipelines.studies.label_sets import shards_of
from pipelines.studies.page import study_page
from pipelines.studies.results import Grid, Results, study_facts, write_table
from pipelines.studies.settings import StudySettings, training_of
from pipelines.studies.subsets import sizes_of
from pipelines.studies.summary import sentences
from pipelines.studies.tasks import tasks_of
from training.fit.config import TrainConfig


def run_study(study: StudySettings, study_dir: Path) -> None:
    """Train and measure all cells that are not finished, and write the results of the study.

    Parameters
    ----------
    study
        The settings.
    study_dir
        Folder of the study, created if missing; the run is only read.

    Raises
    ------
    ConfigError, InputError, QualityError
        If the study cannot be made as it is described; before anything is trained.
    """
    config = load_config(Path(study.run))
    with locked(study_dir) as killed:
        if killed:
            notify(f"an earlier study stopped here ({killed}): continuing after its last cell")
        setup = _prepare(study, config, study_dir)
        available = {name: len(images) for name, images in setup.images.items()}
        sizes = tuple(sizes_of(study, available))
        grid = Grid(study.label_sets, study.depths, sizes, study.seeds)
        results = dict(_measure(setup, list(grid.cells())))
        _write_results(setup, grid, results)


def _prepare(study: StudySettings, config: Config, study_dir: Path) -> Setup:
    """Check the inputs of the study, and write the shards that are missing."""
    from training.data.shard_index import open_shards
    from training.fit.distributed import ALONE
    from training.fit.train import micro_batches

    run_dir = Path(study.run)
    settings = training_of(study, config.train)
    training = {key: settings[key] for key in TrainConfig.model_fields if key in settings}
    whole = checked(TrainConfig, training, "train", "", "docs/reference/config.md")
    micro_batches(whole, ALONE)
    candidates = open_stage(run_dir, "candidates")
    tasks = tasks_of(study, config, taxonomy_of(candidates))
    shards = {name: shards_of(config, run_dir, study_dir, name) for name in study.label_sets}
    if study.held_out and not all(stage.counts["heldout"] for stage in shards.values()):
        raise ConfigError(
            "there is no held-out image to measure on",
            facts={"export.holdout_share": config.export.holdout_share},
            help="set held_out = false and name a task, or hold images out",
        )
    images = {name: open_shards(stage.paths(".tar", "train-")) for name, stage in shards.items()}
    return Setup(study_dir, candidates, labels_of(candidates), shards, images, training, tasks)


def _measure(setup: Setup, cells: Sequence[Cell]) -> Iterator[tuple[Cell, Measures]]:
    """Yield each cell with its measures; report the progress, from the cells trained here."""
    left = []
    for cell in cells:
        measures = finished(setup, cell)
        if measures is None:
            left.append(cell)
        else:
            yield cell, measures
    n_before, started = len(cells) - len(left), time.perf_counter()
    if n_before:
        notify(f"{n_before} of {len(cells)} cells were finished before")
    task = setup.tasks[0]
    for number, cell in enumerate(left, 1):
        name = f"cell {n_before + number} of {len(cells)}"
        measures = train_cell(setup, cell, Progress(name, "steps"))
        seconds = (time.perf_counter() - started) / number * (len(left) - number)
        value = f"{task.main[0]} {measures[task.name][task.main[0]]:.3f}"
        notify(f"{name}: {cell}: {value}, about {duration(seconds)} left")
        yield cell, measures


def _write_results(setup: Setup, grid: Grid, results: Results) -> None:
    """Write table, trends, pictures, page and summary into the study's folder."""
    out_dir = setup.study_dir
    main = {task.name: task.main for task in setup.tasks}
    made_from = {
        name: content
        for shards in setup.shards.values()
        for name, content in shards.manifest["inputs"].items()
    }
    facts = study_facts(results, grid, main)
    facts |= {"training": dict(setup.training), "made_from": made_from}
    facts["bad_images"] = {name: bad_images(shards) for name, shards in setup.shards.items()}
    write_table(results, grid, setup.training, out_dir)
    write_text(out_dir / "study.json", seal(facts, allow_nan=False))
    draw_study(facts, out_dir)
    write_text(out_dir / "study.html", study_page(facts))
    write_text(out_dir / "summary.txt", "\n".join(sentences(facts)) + "\n")
