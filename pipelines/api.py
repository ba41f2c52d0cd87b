"""The steps of a run as functions: one for each command, with its name and its options.

Each holds the lock of the run folder while it works, prints its progress to stderr, and reuses
what is finished, as the command does. A function imports the code of its step when it is called:
`import pipelines` needs neither Beam nor torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curation.runs.lock import locked
from curation.runs.stage import Stage, current
from labeling.arguments import Natural, Text
from labeling.errors import ConfigError
from labeling.objects.paths import path_of
from pipelines.auditing.looks import Look
from pipelines.run.config import Config, read_config, with_overrides
from pipelines.run.paths import absolute, existing
from pipelines.run.progress import notify
from pipelines.run.saved_config import load_config, save_config
from pipelines.run.sections import Overrides
from pipelines.run.step import step
from pipelines.studies.opened import Study, open_study

if TYPE_CHECKING:
    from pipelines.inspecting.plan import Plan
    from pipelines.inspecting.status import Status


@dataclass(frozen=True)
class AuditSample:
    """Result of `audit_sample`.

    Attributes
    ----------
    sheet
        CSV file with a column ``verdict`` to fill in; None if there is nothing to judge.
    n_pairs
        Rows of the sheet without a verdict.
    audits
        Judgements by the truth that the configuration names; None if a person judges.
    look
        Precision so far, with its interval; None without ``until_width`` or before any judgement.
    """

    sheet: Path | None
    n_pairs: int
    audits: Stage | None = None
    look: Look | None = None


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
def label(
    config: Config | Path | str,
    *,
    out: Path | str,
    runner: str | None = None,
    limit: int | None = None,
    beam_options: Sequence[str] = (),
    settings: Overrides = (),
) -> Stage:
    """Make candidates from the inputs that a configuration names: ``winnow label``.

    Parameters
    ----------
    config
        Path of a TOML file, or its checked content.
    out
        Run folder; created if missing, resumed if it exists.
    runner
        ``embedded`` (the default), ``dask``, ``flink``, ``spark``, ``dataflow``, or any of Beam's
        names.
    limit
        Rows of each input to read, to try the settings; everything made from them is marked as a
        sample. Refused for a folder that holds the rows of all inputs.
    beam_options
        More options of Beam, such as ``--direct_num_workers=2``.
    {settings}

    Returns
    -------
    Stage
        The candidates.

    Raises
    ------
    {run_errors}
    InputError
        If an input cannot be used, or no label fits any text.
    QualityError
        If more rows are rejected, or more archives cut, than the settings allow.
    """
    from pipelines.jobs.label import label as make_candidates

    checked = _read(config, settings)
    if limit is not None:
        checked = with_overrides(checked, {"label.limit": limit})
    run_dir = absolute(Path(out))
    for_runner = (f"--runner={runner}",) if runner else ()
    with locked(run_dir) as dead:
        if dead:
            notify(f"an earlier run stopped here ({dead}): continuing after what it has finished")
        stage = make_candidates(checked, run_dir, (*for_runner, *beam_options))
        save_config(checked, run_dir)
    return stage


@step
def audit_sample(
    run: Path | str,
    *,
    until_width: float | None = None,
    precision: float | None = None,
    anytime: bool = False,
    settings: Overrides = (),
) -> AuditSample:
    """Draw pairs to judge: ``winnow audit sample``.

    A person fills in the sheet, `audit_import` reads it. If the configuration names
    ``audit.truth``, the pairs are judged by it at once.

    Parameters
    ----------
    {run}
    until_width
        Width of the interval of the precision, in (0, 1], that ends the audit: call the function
        again after each import, until the result has no sheet.
    precision
        Precision to prove, in (0, 1): pairs are drawn for ``select(run, precision=…)``, at first
        150, after their import where the threshold will fall.
    anytime
        If true, every selection of the run from now on is a look that is counted, so that intervals
        and proofs hold however often you look and whenever you stop. Given with the first sheet.
    {settings}

    Returns
    -------
    AuditSample
        The sheet, or the judgements.

    Raises
    ------
    ConfigError
        If a width and a precision are given.
    {run_errors}
    InputError
        If there is a sheet whose answers were not imported, all pairs are judged, or ``anytime``
        begins after judgements.
    """
    from pipelines.auditing.looks import begin_anytime
    from pipelines.auditing.sample import SHEET, answer_by_truth, draw_audits
    from pipelines.auditing.until import audit_until

    _refuse_both(until_width, precision)
    with _locked(run, settings) as (config, run_dir):
        if anytime:
            begin_anytime(run_dir, current(run_dir, "audits") is not None)
        if precision is not None:
            config = with_overrides(config, {"select.precision": precision})
        if until_width is not None:
            look, n_pairs = audit_until(config, run_dir, until_width)
            return AuditSample(run_dir / SHEET if n_pairs else None, n_pairs, look=look)
        if config.audit.truth is not None:
            return AuditSample(None, 0, answer_by_truth(config, run_dir))
        return AuditSample(*draw_audits(config, run_dir))


def _refuse_both(until_width: float | None, precision: float | None) -> None:
    if until_width is not None and precision is not None:
        raise ConfigError(
            "a width and a precision cannot be asked for together",
            facts={"until_width": until_width, "precision": precision},
            help="give `until_width=` for the interval of a share, or `precision=` for a proof",
        )


@step
def audit_import(
    run: Path | str,
    answers: Path | str | None = None,
    *,
    candidates: Path | str | None = None,
    taxonomy: Path | str | None = None,
) -> Stage:
    """Import judgements, from a filled-in sheet or from elsewhere: ``winnow audit import``.

    Parameters
    ----------
    run
        Run folder; with `candidates` it is created if missing.
    answers
        CSV or Parquet file with the columns image_id, label_id and verdict (yes, no or unsure),
        and where they are known auditor, seq, stratum and p_inclusion; by default the verdicts of
        the audit page.
    candidates
        Parquet file, or folder of such files, of candidates made elsewhere, to begin a run with.
    taxonomy
        Labels of those candidates; by default the labels that occur, without a hierarchy.

    Returns
    -------
    Stage
        The judgements.

    Raises
    ------
    ConfigError
        If a taxonomy is given without candidates.
    InputError
        If the answers, the candidates or the taxonomy cannot be used.
    BusyError
        If another process works in the run folder.
    IntegrityError
        If a file of the run is missing or differs from what was written.
    """
    from pipelines.auditing.import_candidates import import_candidates
    from pipelines.auditing.sample import import_answers
    from pipelines.page.answers import import_journals, report_absent

    if taxonomy is not None and candidates is None:
        raise ConfigError(
            "a taxonomy is given without candidates",
            facts={"taxonomy": taxonomy},
            help="name the candidates that it belongs to: `candidates=`",
        )
    run_dir = absolute(Path(run))
    if answers is None and candidates is None:
        with locked(run_dir):
            return import_journals(run_dir)
    if answers is None:
        raise ConfigError(
            "candidates are given without answers",
            facts={"candidates": candidates},
            help="name a table of answers too, with image_id, label_id and verdict",
        )
    given = existing(absolute(Path(answers)))
    labels = None if taxonomy is None else existing(absolute(Path(taxonomy)))
    with locked(run_dir):
        if candidates is not None:
            import_candidates(run_dir, existing(absolute(Path(candidates)), is_folder=True), labels)
        audits = import_answers(run_dir, given)
        report_absent(run_dir, audits)
        return audits


@step
def audit_serve(
    run: Path | str,
    *,
    auditor: Text = "auditor",
    until_width: float | None = None,
    precision: float | None = None,
    known: Path | str | None = None,
    port: Natural = 0,
    allow_hosts: Sequence[str] = (),
    settings: Overrides = (),
) -> Stage | None:
    """Show a page on which a person judges pairs, until interrupted: ``winnow audit serve``.

    It needs the extra ``app``. The address is printed. At the end the verdicts are imported.

    Parameters
    ----------
    {run}
    auditor
        Name of the person who judges, of letters, digits, ``.``, ``_`` and ``-``; each has a
        journal of verdicts in the run folder.
    until_width
        Width of the interval of the precision, in (0, 1]: a look gives the number of pairs for it.
    precision
        Precision to prove, in (0, 1): pairs are drawn for ``select(run, precision=…)``.
    known
        CSV or Parquet file with image_id, label_id and the true verdict of some pairs, which are
        mixed in to measure how often auditors err; by default that of ``audit.known``.
    port
        Port on this machine; 0 for one that is free.
    allow_hosts
        Further hosts that the page may be asked for, as through a tunnel.
    {settings}

    Returns
    -------
    Stage or None
        The judgements; None if nothing was judged.

    Raises
    ------
    InputError
        If all candidates are judged, or a journal is damaged.
    {run_errors}
    """
    from pipelines.page.serve import serve

    run_dir = absolute(Path(run))
    _refuse_both(until_width, precision)
    config = with_overrides(load_config(run_dir), settings)
    if precision is not None:
        config = with_overrides(config, {"select.precision": precision})
    path = None if known is None else absolute(Path(known))
    return serve(config, run_dir, auditor, port, allow_hosts, until_width, path)


@step
def evidence_add(run: Path | str, votes: Path | str) -> Stage:
    """Add votes of further sources to the candidates: ``winnow evidence add``.

    The next selection learns from the audits how far to believe each source. Evidence that was
    added before for the same source is replaced.

    Parameters
    ----------
    {run}
    votes
        Parquet, CSV, TSV or JSON Lines file with the columns image_id, label_id (or a name that
        means one label), source and strength: any finite number, of which only the order within
        the source counts.

    Returns
    -------
    Stage
        The candidates with their evidence; ``facts["files"]`` has the numbers.

    Raises
    ------
    InputError
        If the file cannot be used, no row of it is about a candidate, or one of its sources voted
        when the candidates were made.
    BusyError
        If another process works in the run folder.
    IntegrityError
        If a file of the run is missing or differs from what was written.
    """
    from pipelines.evidence.add import add_file

    run_dir = absolute(Path(run))
    with locked(run_dir):
        return add_file(run_dir, existing(absolute(Path(votes))))


@step
def evidence_remove(run: Path | str, sources: Sequence[str]) -> Stage:
    """Remove the votes of sources that were added: ``winnow evidence remove``.

    Parameters
    ----------
    {run}
    sources
        Names of the sources.

    Returns
    -------
    Stage
        The candidates with the evidence that is left; without files if none is.

    Raises
    ------
    InputError
        If one of the sources was not added.
    BusyError
        If another process works in the run folder.
    IntegrityError
        If a file of the run is missing or differs from what was written.
    """
    from pipelines.evidence.add import remove

    run_dir = absolute(Path(run))
    with locked(run_dir):
        return remove(run_dir, sources)


@step
def look(run: Path | str, *, weights: Text | None = None, settings: Overrides = ()) -> Stage:
    """Have networks judge the candidates of images they were not trained on: ``winnow look``.

    Their votes join the candidates as the sources ``visual`` and ``neighbours``; the next selection
    learns from the audits how far to believe them. No verdict has a part in the vote on its image.

    Parameters
    ----------
    {run}
    weights
        A network that was trained elsewhere: ``efficientnet-lite0`` or ``efficientnet-lite2`` of
        the extra ``pretrained``, the path of a safetensors file of a ResNet with torchvision's or
        timm's names, or of the folder of a model. Without it five networks are trained by the
        settings ``train``.
    {settings}

    Returns
    -------
    Stage
        The candidates with their evidence.

    Raises
    ------
    {run_errors}
    InputError
        If the run has no images or no audits, or the weights cannot be used.
    """
    from pipelines.looking.look import look as judge_candidates

    given = {}
    if weights is not None:  # a path that is typed starts from the working folder
        path = absolute(Path(weights))
        given["look.weights"] = str(path) if path.exists() else weights
    with _locked(run, settings) as (config, run_dir):
        return judge_candidates(with_overrides(config, given), run_dir)


@step
def select(
    run: Path | str,
    *,
    keep: float | None = None,
    precision: float | None = None,
    confidence: float | None = None,
    by: str | None = None,
    floor: int | None = None,
    per_label: int | None = None,
    settings: Overrides = (),
) -> Stage:
    """Score the candidates, keep the best and measure their precision: ``winnow select``.

    Parameters
    ----------
    {run}
    keep
        Share of the candidates to keep, in (0, 1].
    precision
        Precision to hold, in (0, 1): as many are kept as are proved to be this precise.
    confidence
        Confidence of the precision, in (0, 1); 0.95 by default.
    by
        ``level``, ``label`` or ``source-pattern``: select in each group by itself.
    floor
        Best candidates of each label to keep, as many as the share or the precision allows; 20 by
        default, 0 for none.
    per_label
        Images of a label to keep, about: drawn at random if there are more, but the floor stays.
    {settings}

    Returns
    -------
    Stage
        The selection: ``counts`` has the numbers, ``facts`` the precision.

    Raises
    ------
    ConfigError
        If a share and a precision are given.
    {run_errors}
    InputError
        If the run has no audits.
    QualityError
        If the precision cannot be proved; nothing is written then.
    """
    from pipelines.selecting.select import select as make_selection

    if keep is not None and precision is not None:
        raise ConfigError(
            "a share and a precision cannot be asked for together",
            facts={"keep": keep, "precision": precision},
            help="give `keep=` or `precision=`, not both",
        )
    options: dict[str, Any] = {"keep": keep, "confidence": confidence, "by": by, "floor": floor}
    options |= {"per_label": per_label}
    given = {f"select.{name}": value for name, value in options.items() if value is not None}
    if keep is not None or precision is not None:
        given["select.precision"] = precision  # a share asked for replaces a configured precision
    with _locked(run, settings) as (config, run_dir):
        return make_selection(with_overrides(config, given), run_dir)


@step
def export(
    run: Path | str,
    *,
    label_set: str = "selected",
    short_side: int | None = None,
    settings: Overrides = (),
) -> Stage:
    """Write the images and their labels as WebDataset shards: ``winnow export``.

    Parameters
    ----------
    {run}
    {label_set}
    short_side
        Pixels to which the shorter side of larger images is reduced, 16 or more.
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
    from pipelines.delivery.export import export as write_shards

    given = {} if short_side is None else {"export.short_side": short_side}
    with _locked(run, settings) as (config, run_dir):
        return write_shards(with_overrides(config, given), run_dir, label_set)


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
        with _locked(run, settings) as (config, run_dir):
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
    {settings}

    Returns
    -------
    Path
        The page; ``report.json`` is beside it.

    Raises
    ------
    {run_errors}
    InputError
        If the run has no candidates.
    """
    from pipelines.delivery.report import report as write_report

    folders = [None if folder is None else absolute(Path(folder)) for folder in (out, figures)]
    with _locked(run, settings) as (config, run_dir):
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


@step
def plan(
    config: Config | Path | str, *, out: Path | str | None = None, settings: Overrides = ()
) -> Plan:
    """Describe what `label` would do, and write nothing: ``winnow plan``.

    Parameters
    ----------
    config
        Path of a TOML file, or its checked content.
    out
        Run folder of the job, to show what is done and the space there.
    {settings}

    Returns
    -------
    Plan
        Inputs, passes, disk, memory, finished stages; `print` it for the text of the command.

    Raises
    ------
    ConfigError
        If the configuration is wrong.
    InputError
        If an input is missing, or the footer of one cannot be read.
    """
    from pipelines.inspecting.plan import plan as make_plan

    return make_plan(_read(config, settings), None if out is None else absolute(Path(out)))


@step
def status(run: Path | str) -> Status:
    """Describe how far a run is, without its lock: ``winnow status``.

    Parameters
    ----------
    {run}

    Returns
    -------
    Status
        Stages that are finished, stale, damaged or unfinished, who works on the run, and the next
        command; `print` it for the text of the command.

    Raises
    ------
    InputError
        If the folder is not a run folder.
    """
    from pipelines.inspecting.status import status as look_at

    return look_at(absolute(Path(run)))


def _read(config: Config | Path | str, settings: Overrides) -> Config:
    if not isinstance(config, Config):
        return read_config(absolute(Path(config)), settings)
    base = str(absolute(path_of(config.base)))
    return with_overrides(config.model_copy(update={"base": base}), settings)


@contextmanager
def _locked(run: Path | str, settings: Overrides) -> Iterator[tuple[Config, Path]]:
    """Yield the settings of a run and its folder, held by this process."""
    run_dir = absolute(Path(run))
    config = load_config(run_dir, settings)
    with locked(run_dir):
        yield config, run_dir
