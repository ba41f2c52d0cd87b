"""Steps that make candidates, and looks at them: ``label``, ``plan`` and ``status``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from curation.runs.lock import locked
from curation.runs.stage import Stage
from pipelines.api.opening import read_given
from pipelines.run.config import Config, with_overrides
from pipelines.run.paths import absolute
from pipelines.run.progress import notify
from pipelines.run.saved_config import save_config
from pipelines.run.sections import Overrides
from pipelines.run.step import step

if TYPE_CHECKING:
    from pipelines.inspecting.plan import Plan
    from pipelines.inspecting.status import Status


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
    EngineError
        If the job fails on the engine of `runner`.
    """
    from pipelines.jobs.label import label as make_candidates

    checked = read_given(config, settings)
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

    return make_plan(read_given(config, settings), None if out is None else absolute(Path(out)))


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
