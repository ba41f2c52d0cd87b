"""The settings of a run, kept in its folder from `winnow label` on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from curation.runs.durable import write_text
from curation.runs.sealed import seal, unseal
from curation.runs.stage import no_run
from labeling.errors import InputError, IntegrityError
from labeling.objects.client import is_address
from labeling.objects.paths import join, path_of
from labeling.readers.listing import is_there
from labeling.secrets import masked_values
from pipelines.run.config import Config, check_config, with_overrides
from pipelines.run.sections import Overrides

FILE = "config.json"

FROM_RUN = "base_from_run"
"""Further key of the file: the data folder as a path from the run folder."""


def save_config(config: Config, run_dir: Path) -> None:
    """Write the resolved settings into the run folder.

    The data folder is written twice, absolute and from the run folder, so that a run that is moved,
    copied or mounted elsewhere together with its inputs finds them. Keys and passwords are masked.
    """
    content = masked_values(config.model_dump(mode="json"))
    if os.path.isabs(config.base):
        content[FROM_RUN] = os.path.relpath(config.base, run_dir.resolve())
    write_text(run_dir / FILE, seal(content))


def load_config(run_dir: Path, overrides: Overrides = ()) -> Config:
    """Return the settings of a run, some of them replaced for one command.

    Raises
    ------
    InputError
        If the folder is not a run folder.
    IntegrityError
        If its file of settings differs from what was written.
    """
    path = run_dir / FILE
    try:
        content = unseal(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise no_run(run_dir, FILE) from None
    except (OSError, ValueError) as error:
        raise IntegrityError(
            "the settings of the run cannot be read",
            facts={"file": path, "cause": error},
            help="write them again by `winnow label CONFIG --out RUN`, which keeps what is made;"
            " other settings for one command are given with -o KEY=VALUE",
        ) from error
    from_run = content.pop(FROM_RUN, None)
    config = check_config(content, str(path))
    if from_run is not None:
        base = _find_base(config, os.path.normpath(run_dir.resolve() / str(from_run)))
        config = config.model_copy(update={"base": base})
    return with_overrides(config, overrides)


def find_input(config: Config, path: str = "") -> Path:
    """Return the path of an input of a run; without `path`, that of its data folder.

    Raises
    ------
    InputError
        If it is missing.
    """
    file = join(path_of(config.base), path)
    if not file.exists():
        raise InputError(
            "an input of the run is missing",
            facts={"path": file, "data folder": f"{config.base} ({FILE} of the run names it)"},
            help="put it back; or name the folder where the inputs are now, with"
            ' `settings={"base": "FOLDER"}` or,'
            " for all further commands, by `winnow label CONFIG --out RUN`, which keeps what is"
            " made",
        )
    return file


def _find_base(config: Config, beside: str) -> str:
    """Return the data folder: `beside`, as recorded from the run folder, or the absolute one.

    The folder with more of the inputs is taken, because ``..`` exists wherever a run is moved to.
    With equally many it is `beside`: a copy of run and inputs does not read the original.
    """
    folders = [folder for folder in (beside, config.base) if os.path.isdir(folder)]
    names = [path for path in _named(config) if not is_address(path)]
    return max(
        folders,
        key=lambda folder: sum(is_there(Path(folder), path) for path in names),
        default=config.base,
    )


def _named(config: Config) -> Iterator[str]:
    """Yield the paths of a run's inputs and truths, as the settings name them."""
    yield config.taxonomy.path
    yield from (path for entry in config.all_inputs() for path in entry.path_names)
    yield from filter(None, (config.audit.truth, config.evaluate.truth))
