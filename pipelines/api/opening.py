"""Settings and run folders as callers give them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from curation.runs.lock import locked
from labeling.objects.paths import path_of
from pipelines.run.config import Config, read_config, with_overrides
from pipelines.run.paths import absolute
from pipelines.run.saved_config import load_config
from pipelines.run.sections import Overrides


def read_given(config: Config | Path | str, settings: Overrides) -> Config:
    """Return the settings of a path, or those that are given, with some replaced."""
    if not isinstance(config, Config):
        return read_config(absolute(Path(config)), settings)
    base = str(absolute(path_of(config.base)))
    return with_overrides(config.model_copy(update={"base": base}), settings)


@contextmanager
def locked_run(run: Path | str, settings: Overrides) -> Iterator[tuple[Config, Path]]:
    """Yield the settings of a run and its folder, held by this process."""
    run_dir = absolute(Path(run))
    config = load_config(run_dir, settings)
    with locked(run_dir):
        yield config, run_dir
