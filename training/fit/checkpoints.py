"""States of a training on disk, so that one that was stopped goes on as if it had not been.

A state is a folder ``step-00001200`` with ``state.safetensors`` and ``state.json``, renamed to its
name when it is whole and durable. The newest two are kept: where the last one turns out to be
damaged, the one before it serves. Nothing is pickled.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from curation.runs.durable import sync_dir, write_bytes
from labeling.errors import InputError

FORMAT = "winnow-training-1"
N_KEPT = 2


@dataclass(frozen=True)
class Checkpoints:
    """Where the states of a training are kept, and how often one is written.

    Parameters
    ----------
    dir
        A folder for the states of one training; made where there is none.
    minutes
        Between two states: as much work is lost at most.
    tell
        Called with a sentence about what is gone on with, or could not be.
    """

    dir: Path
    minutes: float = 5.0
    tell: Callable[[str], None] = logging.getLogger(__name__).warning

    def due(self, since: float) -> bool:
        """Return whether to write a state, if the last was written at `since` on the clock."""
        return time.monotonic() - since >= 60 * self.minutes


def save_state(
    checkpoints: Checkpoints, step: int, identity: str, state: Mapping[str, Tensor]
) -> None:
    """Write the state after a step, whole or not at all, and remove all but the newest two.

    Parameters
    ----------
    step
        Steps done.
    identity
        Digest of all that the training's result depends on.
    state
        Tensors by name.
    """
    target = checkpoints.dir / f"step-{step:08}"
    partial = checkpoints.dir / f".{target.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    data = safetensors.torch.save({name: t.contiguous().cpu() for name, t in state.items()})
    facts = {"format": FORMAT, "step": step, "identity": identity, "sha256": _digest(data)}
    write_bytes(partial / "state.safetensors", data)
    write_bytes(partial / "state.json", json.dumps(facts, indent=1).encode() + b"\n")
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)
    sync_dir(checkpoints.dir)
    for old in _states(checkpoints.dir)[N_KEPT:]:
        shutil.rmtree(old)


def newest_state(checkpoints: Checkpoints, identity: str) -> dict[str, Tensor] | None:
    """Return the tensors of the newest state that is whole, if there is one.

    Raises
    ------
    InputError
        If it is the state of another training.
    """
    for path in _states(checkpoints.dir):
        try:
            step, found, state = _read(path)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            checkpoints.tell(f"{path.name} is damaged ({error}): going back to the one before it")
            continue
        if found != identity:
            raise InputError(
                "a folder holds the states of another training",
                facts={"folder": checkpoints.dir, "expected": identity, "found": found},
                help="use another folder for its states, or the settings and shards it began with",
            )
        checkpoints.tell(f"going on behind step {step:,}")
        return state
    return None


def _states(folder: Path) -> list[Path]:
    """Return the states in a folder, the newest first."""
    return sorted(folder.glob("step-????????"), reverse=True)


def _read(path: Path) -> tuple[int, str, dict[str, Tensor]]:
    facts = json.loads((path / "state.json").read_bytes())
    if facts["format"] != FORMAT:
        raise ValueError(f"its format is {facts['format']!r}")
    data = (path / "state.safetensors").read_bytes()
    if _digest(data) != facts["sha256"]:
        raise ValueError("its digest differs")
    return int(facts["step"]), str(facts["identity"]), safetensors.torch.load(data)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
