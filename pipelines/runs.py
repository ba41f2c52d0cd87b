"""The settings of a run, kept in its folder from `winnow label` on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from curation.manifest import write_text
from labeling.errors import InputError
from pipelines.config import Config, check_config, with_overrides

FILE = "config.json"


def save_config(config: Config, run_dir: Path) -> None:
    """Write the resolved settings into the run folder."""
    text = json.dumps(config.model_dump(mode="json"), indent=1)
    write_text(run_dir / FILE, text + "\n")


def load_config(run_dir: Path, overrides: Sequence[str] = ()) -> Config:
    """Return the settings of a run, some of them set anew for one command.

    Raises
    ------
    InputError
        If the folder is not a run folder.
    """
    path = run_dir / FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            "this is not a run folder",
            facts={"folder": run_dir, "missing": FILE},
            help="make one with `winnow label CONFIG --out RUN`",
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(
            "the settings of the run cannot be read", facts={"file": path, "cause": error}
        ) from error
    return with_overrides(check_config(content, str(path)), overrides)
