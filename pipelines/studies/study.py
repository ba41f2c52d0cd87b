"""`winnow study`: all cells of a study one after the other, and what they come to."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from curation.runs.durable import write_text
from curation.runs.lock import locked
from curation.runs.stage import open_stage
from labeling.errors import ConfigError
from pipelines.inspecting.formatting import duration
from pipelines.run.config import Config
from pipelines.run.progress import Progress, say
from pipelines.run.saved_config import load_config
from pipelines.run.sections import checked
from pipelines.run.stages import labels_of, taxonomy_of
from pipelines.studies.cells import Bench, Cell, Measured, finished, train_cell
from pipelines.studies.figure import draw_study
from pipelines.studies.label_sets import shards_of
from pipelines.studies.page import study_page
from pipelines.studies.results import Found, Grid, study_facts, write_table
from pipelines.studies.settings import StudySettings, training_of
from pipelines.studies.subsets import sizes_of
from pipelines.studies.summary import sentences
from pipelines.studies.tasks import tasks_of
from training.fit.config import TrainConfig


def run_study(study: StudySettings, study_dir: Path) -> list[str]:
    """Train and measure whatever cells are not finished, and write what they come to.

    Parameters
    ----------
    study
        The settings.
    study_dir
        Folder of the study, made where there is none; the run is only read.

    Returns
    -------
    list
        The summary, a sentence each.

    Raises
    ------
    ConfigError, InputError, QualityError
        If the study cannot be made as it is described; before anything is trained.
    """
    config = load_config(Path(study.run))
    with locked(study_dir) as dead:
        if dead:
            say(f"an earlier study broke off here ({dead}): going on behind its last cell")
        bench = _prepare(study, config, study_dir)
        available = {name: len(images) for name, images in bench.images.items()}
        sizes = tuple(sizes_of(study, available))
        grid = Grid(study.label_sets, study.depths, sizes, study.seeds)
        found = dict(_measure(bench, list(grid.cells())))
        return _tell(bench, grid, found)


def _prepare(study: StudySettings, config: Config, study_dir: Path) -> Bench:
    """Check what the study needs, and write the shards that are not there yet."""
    from training.data.shard_index import open_shards
    from training.fit.distributed import ALONE
    from training.fit.train import places

    run_dir = Path(study.run)
    settings = training_of(study, config.train)
    training = {key: settings[key] for key in TrainConfig.model_fields if key in settings}
    whole = checked(TrainConfig, training, "train", "", "docs/reference/config.md")
    places(whole, ALONE)
    candidates = open_stage(run_dir, "candidates")
    tasks = tasks_of(study, config, taxonomy_of(candidates))
    shards = {name: shards_of(config, run_dir, study_dir, name) for name in study.label_sets}
    if study.held_out and not all(own.counts["heldout"] for own in shards.values()):
        raise ConfigError(
            "there is no held-out image to measure on",
            facts={"export.holdout_share": config.export.holdout_share},
            help="set held_out = false and name a task, or hold images out",
        )
    images = {name: open_shards(own.paths(".tar", "train-")) for name, own in shards.items()}
    return Bench(study_dir, candidates, labels_of(candidates), shards, images, training, tasks)


def _measure(bench: Bench, cells: Sequence[Cell]) -> Iterator[tuple[Cell, Measured]]:
    """Yield each cell with its measures; tell how far the study is, from the cells it trained."""
    done = {cell: finished(bench, cell) for cell in cells}
    left = [cell for cell, measured in done.items() if measured is None]
    if len(left) < len(cells):
        say(f"{len(cells) - len(left)} of {len(cells)} cells were finished before")
    yield from ((cell, measured) for cell, measured in done.items() if measured is not None)
    before, started = len(cells) - len(left), time.perf_counter()
    task = bench.tasks[0]
    for number, cell in enumerate(left, 1):
        name = f"cell {before + number} of {len(cells)}"
        measured = train_cell(bench, cell, Progress(name, "steps"))
        seconds = (time.perf_counter() - started) / number * (len(left) - number)
        value = f"{task.main[0]} {measured[task.name][task.main[0]]:.3f}"
        say(f"{name}: {cell}: {value}, about {duration(seconds)} left")
        yield cell, measured


def _tell(bench: Bench, grid: Grid, found: Found) -> list[str]:
    """Write table, trends, pictures, page and summary into the study's folder."""
    out_dir = bench.study_dir
    main = {task.name: task.main for task in bench.tasks}
    made_from = {
        name: content
        for shards in bench.shards.values()
        for name, content in shards.manifest["inputs"].items()
    }
    facts = study_facts(found, grid, main)
    facts |= {"training": dict(bench.training), "made_from": made_from}
    said = sentences(facts)
    write_table(found, grid, bench.training, out_dir)
    write_text(out_dir / "study.json", json.dumps(facts, indent=1, allow_nan=False) + "\n")
    draw_study(facts, out_dir)
    write_text(out_dir / "study.html", study_page(facts, said))
    write_text(out_dir / "summary.txt", "\n".join(said) + "\n")
    return said
