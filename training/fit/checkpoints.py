"""States of a training on disk, from which a stopped training continues to the same weights.

A state is a folder ``step-00001200`` with ``state.safetensors`` and ``state.json``, renamed to its
name when it is whole and durable. The newest two are kept: if the last one is damaged, the one
before it is read. Nothing is pickled.
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
    """Folder of the states of a training, and the time between two states.

    Parameters
    ----------
    dir
        Folder for the states of one training; created if missing.
    minutes
        Minutes between two states: the most work that a stop can lose.
    report
        Called with a sentence about the state that is read or is damaged.
    """

    dir: Path
    minutes: float = 5.0
    report: Callable[[str], None] = logging.getLogger(__name__).warning

    def due(self, since: float) -> bool:
        """Return whether to write a state, if the last was written at `since` (monotonic)."""
        return time.monotonic() - since >= 60 * self.minutes


def save_state(
    checkpoints: Checkpoints, step: int, identity: str, state: Mapping[str, Tensor]
) -> None:
    """Write the state after a step, whole or not at all, and remove all but the newest two.

    Parameters
    ----------
    checkpoints
        Folder of the states.
    step
        Steps done.
    identity
        Digest of everything that the result of the training depends on.
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
    """Return the tensors of the newest state that is whole, or None.

    Raises
    ------
    InputError
        If it is the state of another training.
    """
    for path in _states(checkpoints.dir):
        try:
            step, written_for, state = _read(path)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            checkpoints.report(f"{path.name} is damaged ({error}): trying the one before it")
            continue
        if written_for != identity:
            raise InputError(
                "a folder holds the states of another training",
                facts={"folder": checkpoints.dir, "expected": identity, "found": written_for},
                help="use another folder for its states, or its own settings and shards",
            )
        checkpoints.report(f"resuming after step {step:,}")
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
