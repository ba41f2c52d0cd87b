"""Steps with what is kept: ``export``, ``train``, ``evaluate``, ``report`` and ``study``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.runs.lock import locked
from curation.runs.stage import Stage
from labeling.arguments import Address
from labeling.errors import ConfigError
from pipelines.api.opening import locked_run
from pipelines.run.config import with_overrides
from pipelines.run.paths import absolute
from pipelines.run.saved_config import load_config
from pipelines.run.sections import Overrides
from pipelines.run.step import step
from pipelines.studies.opened import Study, open_study


@dataclass(frozen=True)
class Evaluation:
    """Result of `evaluate`.

    Attributes
    ----------
    measures
        Value of each measure; on held-out images also measures of groups of labels.
    path
        JSON file that holds them.
    """

    measures: Mapping[str, Any]
    path: Path


@step
def export(
    run: Path | str,
    *,
    label_set: str = "selected",
    short_side: int | None = None,
    out: Address | None = None,
    settings: Overrides = (),
) -> Stage:
    """Write the images and their labels as WebDataset shards: ``winnow export``.

    Parameters
    ----------
    {run}
    {label_set}
    short_side
        Pixels to which the shorter side of larger images is reduced, 16 or more.
    out
        Address of a folder in an object store that gets a copy, such as ``s3://bucket/shards``.
    {settings}

    Returns
    -------
    Stage
        The shards, in its folder ``dir``.

    Raises
    ------
    {run_errors}
    InputError
        If the run has no selection, or no image is left to train on.
    """
    from labeling.objects.client import names_in
    from pipelines.delivery.copies import copy_to_store
    from pipelines.delivery.export import export as write_shards

    given = {} if short_side is None else {"export.short_side": short_side}
    if out is not None:
        names_in(out)  # a mistake in it shows before the work
    with locked_run(run, settings) as (config, run_dir):
        shards = write_shards(with_overrides(config, given), run_dir, label_set)
        if out is not None:
            copy_to_store(shards, out)
        return shards


@step
def train(
    run: Path | str, *, label_set: str = "selected", settings: Overrides = ()
) -> Stage | None:
    """Train a ResNet on the shards: ``winnow train``.

    A training that was stopped continues. Started by ``torchrun``, its processes share the work.

    Parameters
    ----------
    {run}
    {label_set}
    {settings}

    Returns
    -------
    Stage or None
        The model; None in all processes of ``torchrun`` but the first.

    Raises
    ------
    {run_errors}
    InputError
        If the run has no shards of the label set.
    QualityError
        If the loss is no longer finite.
    """
    from pipelines.delivery.train import assist
    from pipelines.delivery.train import train as train_network
    from training.fit.distributed import processes

    run_dir = absolute(Path(run))
    config = load_config(run_dir, settings)
    with processes() as world:
        if world.rank > 0:
            assist(config, run_dir, label_set, world)
            return None
        with locked(run_dir):
            return train_network(config, run_dir, label_set, world)


@step
def evaluate(
    run: Path | str,
    *,
    label_set: str = "selected",
    on: Path | str | None = None,
    task: str | None = None,
    method: Sequence[str] = (),
    steps: int | None = None,
    seeds: int | None = None,
    image_size: int | None = None,
    out: Path | str | None = None,
    settings: Overrides = (),
) -> Evaluation:
    """Measure a model on the held-out images, or on another task: ``winnow evaluate``.

    Parameters
    ----------
    run
        Run folder; with `on` also the folder of a model.
    {label_set}
    on
        Folder, tar or CSV file of another task; all parameters below need it.
    task
        Kind of the task: ``classify``, ``detect`` or ``segment``; by default found from its files.
    method
        Any of ``knn``, ``linear``, ``frozen``, ``finetune`` and ``scratch``; by default all that
        the task has.
    steps
        Steps of each training on the task.
    seeds
        Trainings of each method; 1 by default.
    image_size
        Side of the task's images, in pixels, 16 to 4096.
    out
        JSON file to write; ``transfer-TASK.json`` in `run` by default.
    {settings}

    Returns
    -------
    Evaluation
        The measures.

    Raises
    ------
    ConfigError
        If no truth of the held-out images is configured, or an option does not fit the task.
    {run_errors}
    InputError
        If there is no model, or the task cannot be read.
    """
    from pipelines.delivery.evaluate import evaluate as evaluate_held_out
    from pipelines.delivery.transfer import evaluate_on, model_of, transfer_task

    options: dict[str, Any] = {"task": task, "method": method, "steps": steps, "seeds": seeds}
    options |= {"image_size": image_size, "out": out}
    if on is None:
        given = [name for name, value in options.items() if value]
        if given:
            raise ConfigError(
                "an option of another task is given without the task",
                facts={"options": ", ".join(given)},
                help="name the task: `on=`",
            )
        with locked_run(run, settings) as (config, run_dir):
            stage = evaluate_held_out(config, run_dir, label_set)
        return Evaluation(stage.facts, stage.dir / "measures.json")
    model = model_of(absolute(Path(run)), label_set)
    path = absolute(Path(out or Path(run) / f"transfer-{Path(on).stem}.json"))
    other = transfer_task(absolute(Path(on)), task, method, steps, image_size)
    return Evaluation(evaluate_on(other, model, seeds or 1, path), path)


@step
def report(
    run: Path | str,
    *,
    out: Path | str | None = None,
    figures: Path | str | None = None,
    ablate: bool = False,
    settings: Overrides = (),
) -> Path:
    """Write ``report.html`` and ``report.json`` from the stages of a run: ``winnow report``.

    Parameters
    ----------
    {run}
    out
        Folder of both files, made if it is missing; by default the run folder.
    figures
        Folder for the figures as PNG and SVG, made if it is missing; by default they are only on
        the page.
    ablate
        Whether to measure what can be proved without each source: the candidates are scored again
        for each. Later reports show it, as long as the scores are the same.
    {settings}

    Returns
    -------
    Path
        The page; ``report.json`` is beside it.

    Raises
    ------
    {run_errors}
    InputError
        If the run has no candidates, or no scores to compare with.
    """
    from pipelines.delivery.report import report as write_report
    from pipelines.selecting.ablation import ablate as measure_sources

    folders = [None if folder is None else absolute(Path(folder)) for folder in (out, figures)]
    with locked_run(run, settings) as (config, run_dir):
        if ablate:
            measure_sources(config, run_dir)
        return write_report(config, run_dir, *folders)


@step
def study(config: Path | str, *, settings: Overrides = ()) -> Study:
    """Train on more and more of a run's images, and measure each network: ``winnow study``.

    Finished networks are kept: a further call trains only what is new.

    Parameters
    ----------
    config
        TOML file of the study; results go to the folder of its name without the ending.
    settings
        Keys of the study to set, such as ``{"seeds": [0]}``; see ``docs/reference/study.md``.

    Returns
    -------
    Study
        The results.

    Raises
    ------
    ConfigError, InputError, QualityError
        If the study cannot be made as it is described; before anything is trained.
    BusyError
        If another process works in the folder of the study.
    IntegrityError
        If a file of the run is missing or differs from what was written.
    """
    from pipelines.studies.settings import read_study
    from pipelines.studies.study import run_study

    file = absolute(Path(config))
    run_study(read_study(file, settings), file.with_suffix(""))
    return open_study(file.with_suffix(""))
