"""What a run folder holds, looked at from outside: no lock is taken and nothing is written.

Files are compared with their manifests by size alone: digests are compared by the commands that use
the files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from curation.runs.stage import Stage, current, stage_names
from labeling.errors import InputError, IntegrityError, WinnowError
from pipelines.run.dependencies import NEEDS, digests_of
from pipelines.run.saved_config import load_config

CONFIG_FILE = "config.json"


@dataclass(frozen=True)
class Damage:
    """A file that is not as it was written."""

    path: Path
    what: str


@dataclass(frozen=True)
class Seen:
    """A stage of a run: its output in force where that can be read, and what is wrong with it."""

    name: str
    stage: Stage | None
    stale: tuple[str, ...] = ()
    """Stages and files that it was made from, and that have been made again or changed since."""
    damages: tuple[Damage, ...] = field(default=())


def require_run(run_dir: Path) -> None:
    """Raise `InputError` unless a command of winnow has worked in the folder."""
    if not any((run_dir / name).exists() for name in (CONFIG_FILE, ".lock", ".staging")):
        raise InputError(
            "this is not a run folder",
            facts={"folder": run_dir, "missing": CONFIG_FILE},
            help="make one with `winnow label CONFIG --out RUN`",
        )


def survey(run_dir: Path) -> list[Seen]:
    """Return the stages of a run that have an output, in the order of the work."""
    found = {name: _look(run_dir, name) for name in stage_names(run_dir)}
    stages = {name: seen.stage for name, seen in found.items() if seen.stage is not None}
    stale = _stale(stages, _changed_files(run_dir, stages))
    return [
        Seen(name, seen.stage, stale.get(name, ()), seen.damages) for name, seen in found.items()
    ]


def refuse_damaged(seen: Sequence[Seen]) -> None:
    """Raise `IntegrityError` with the damaged files of a run, if there are any."""
    damages = [damage for one in seen for damage in one.damages]
    if damages:
        raise IntegrityError(
            "a file of the run is damaged"
            if len(damages) == 1
            else f"{len(damages):,} files of the run are damaged",
            facts={str(damage.path): damage.what for damage in damages[:10]},
            help="restore them, or make their stages again in a new run folder",
        )


def _look(run_dir: Path, name: str) -> Seen:
    try:
        stage = current(run_dir, name)
        damages = () if stage is None else _damages(stage)
    except WinnowError as error:
        path = Path(str(error.facts.get("file", run_dir / name)))
        return Seen(name, None, damages=(Damage(path, error.message),))
    except (OSError, ValueError, KeyError, TypeError) as error:
        path = run_dir / name / "CURRENT"
        return Seen(name, None, damages=(Damage(path, f"cannot be read: {error}"),))
    return Seen(name, stage, damages=damages)


def _damages(stage: Stage) -> tuple[Damage, ...]:
    damages = []
    for entry in stage.manifest["files"]:
        path = stage.dir / entry["name"]
        try:
            n_bytes = path.stat().st_size
        except OSError as error:
            damages.append(Damage(path, str(error.strerror or error).lower()))
            continue
        if n_bytes != entry["n_bytes"]:
            damages.append(Damage(path, f"{n_bytes:,} bytes, {entry['n_bytes']:,} were written"))
    return tuple(damages)


def _changed_files(run_dir: Path, stages: Mapping[str, Stage]) -> dict[str, list[str]]:
    """Return by stage its small files that are there with another content than it was made from."""
    try:
        config = load_config(run_dir)
    except WinnowError:
        return {}
    return {
        name: [
            file
            for file, digest in digests_of(name, config).items()
            if digest and stage.manifest["inputs"].get(file, digest) != digest
        ]
        for name, stage in stages.items()
        if name.partition("-")[0] in NEEDS
    }


def _stale(
    stages: Mapping[str, Stage], changed: Mapping[str, Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    """Return by stage the inputs that have changed since, or that are stale themselves."""
    stale: dict[str, tuple[str, ...]] = {}
    for name, stage in stages.items():
        inputs: Mapping[str, str] = stage.manifest["inputs"]
        stale[name] = (
            *changed.get(name, ()),
            *(
                source
                for source, made_from in inputs.items()
                if source in stages and (stages[source].content != made_from or stale.get(source))
            ),
        )
    return stale
