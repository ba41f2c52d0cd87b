"""The stages of a run folder, seen from outside: no lock is taken and nothing is written.

Files are compared with their manifests by size alone: digests are compared by the commands that use
the files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from curation.runs.stage import MADE_BY, Stage, current, inputs_of, no_run, stage_names
from labeling.errors import IntegrityError, StoreError, WinnowError
from pipelines.inspecting.staleness import why_stale
from pipelines.run.progress import notify
from pipelines.run.saved_config import FILE, load_config


@dataclass(frozen=True)
class StageState:
    """The current output of a stage, None where it cannot be read, and what is wrong with it.

    Attributes
    ----------
    stale
        Reasons why its command will make it again.
    damages
        The problem of each file that is not as it was written.
    """

    name: str
    stage: Stage | None = None
    stale: tuple[str, ...] = ()
    damages: Mapping[str, str] = field(default_factory=dict)


def stale_note(name: str, reasons: Sequence[str]) -> str:
    """Return a line with the reasons, and the command that updates the stage."""
    command = MADE_BY.get(name.split("-")[0], name)
    return f"stale: {name}: {'; '.join(reasons)}; `winnow {command}` makes it again"


def require_run(run_dir: Path) -> None:
    """Raise `InputError` unless a command of winnow has worked in the folder."""
    if not any((run_dir / name).exists() for name in (FILE, ".lock", ".staging")):
        raise no_run(run_dir, FILE)


def survey(run_dir: Path) -> list[StageState]:
    """Return the stages of a run that have an output, in the order of the work."""
    states = {name: _read_state(run_dir, name) for name in stage_names(run_dir)}
    stages = {name: state.stage for name, state in states.items() if state.stage is not None}
    stale = _stale(stages, _own_reasons(run_dir, stages))
    return [replace(state, stale=stale.get(name, ())) for name, state in states.items()]


def all_damages(run_dir: Path, states: Iterable[StageState]) -> dict[str, str]:
    """Return the problem of each damaged file of a run: of its stages and its settings."""
    damages = {path: problem for state in states for path, problem in state.damages.items()}
    try:
        load_config(run_dir)
    except IntegrityError as error:
        damages[str(error.facts["file"])] = str(error.facts["cause"])
    except WinnowError:  # imported candidates need no settings
        pass
    return damages


def refuse_damaged(damages: Mapping[str, str]) -> None:
    """Raise `IntegrityError` with the damaged files of a run, if there are any."""
    if damages:
        raise IntegrityError(
            "a file of the run is damaged"
            if len(damages) == 1
            else f"{len(damages):,} files of the run are damaged",
            facts=dict(list(damages.items())[:10]),
            help="restore them, or make their stages again in a new run folder",
        )


def _read_state(run_dir: Path, name: str) -> StageState:
    try:
        stage = current(run_dir, name)
        return StageState(name, stage, damages={} if stage is None else _damages(stage))
    except WinnowError as error:
        path = str(error.facts.get("file", run_dir / name))
        return StageState(name, damages={path: error.message})
    except (OSError, ValueError, KeyError, TypeError) as error:
        return StageState(
            name, damages={str(run_dir / name / "CURRENT"): f"cannot be read: {error}"}
        )


def _damages(stage: Stage) -> dict[str, str]:
    damages = {}
    for entry in stage.manifest["files"]:
        path = stage.dir / entry["name"]
        try:
            n_bytes = path.stat().st_size
        except OSError as error:
            damages[str(path)] = str(error.strerror or error).lower()
            continue
        if n_bytes != entry["n_bytes"]:
            damages[str(path)] = f"{n_bytes:,} bytes, {entry['n_bytes']:,} were written"
    return damages


def _own_reasons(run_dir: Path, stages: Mapping[str, Stage]) -> dict[str, list[str]]:
    """Return by stage the reasons against its output that are not other stages.

    None are returned, and a message is printed, where inputs are in a store that fails.
    """
    try:
        config = load_config(run_dir)
    except WinnowError:
        return {}
    try:
        return {name: why_stale(config, stage) for name, stage in stages.items()}
    except StoreError as error:
        notify(f"the stages are not compared with the inputs: {' '.join(str(error).split())}")
        return {}


def _stale(
    stages: Mapping[str, Stage], own_reasons: Mapping[str, Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    """Return by stage its own reasons, and the stages that have changed or are stale themselves."""
    stale: dict[str, tuple[str, ...]] = {}
    for name, stage in stages.items():
        others = [
            source
            for source, made_from in inputs_of(stage).items()
            if source in stages and (stages[source].content != made_from or stale.get(source))
        ]
        other = [f"made from other {', '.join(others)} than the current"] if others else []
        stale[name] = (*own_reasons.get(name, ()), *other)
    return stale
