"""Errors of workers on their way to the driver, and retries.

Engines wrap an exception or turn it into text. So a worker writes winnow's errors as files, and the
driver raises the first of them, by name.
"""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Callable
from typing import TypeVar

from curation.runs.durable import FULL
from labeling import errors
from labeling.errors import InputError, StoreError, WinnowError
from labeling.secrets import masked
from pipelines.shuffle import storage
from pipelines.shuffle.markers import bytes_needed, read_json, write_json

T = TypeVar("T")

LASTING = (*FULL, errno.EROFS)
"""Errors of the operating system that a retry does not fix."""

N_RETRIES = 2

PAUSE = 0.2
"""Seconds before the first retry."""


def retried(work: Callable[[], T]) -> T:
    """Return the result of `work`; after an error of the disk that may pass, retry twice."""
    for attempt in range(N_RETRIES):
        try:
            return work()
        except OSError as error:
            if error.errno in LASTING:
                raise
            time.sleep(PAUSE * 4**attempt)
    return work()


def write_error(work_dir: str, name: str, error: Exception) -> None:
    """Write an error for the driver, or raise it where even that fails."""
    known = error if isinstance(error, WinnowError) else _as_input_error(error)
    content = {
        "type": type(known).__name__,
        "message": masked(known.message),
        "facts": {key: masked(value) for key, value in known.facts.items()},
        "help": known.help,
        "is_full": isinstance(error, OSError) and error.errno in FULL,
    }
    path = storage.join(work_dir, "errors", f"{name}.json")
    try:
        write_json(path, content, storage.join(work_dir, "partial"))
    except (OSError, StoreError):
        raise error from None


def raise_first(work_dir: str) -> None:
    """Raise the first error that a worker wrote, if there is one."""
    folder = storage.join(work_dir, "errors")
    for name in storage.list_names(folder):
        content = read_json(storage.join(folder, name))
        if content is None:
            continue
        error_class: type[WinnowError] = getattr(errors, content["type"])
        facts = content["facts"] | (_room(work_dir) if content["is_full"] else {})
        raise error_class(content["message"], facts=facts, help=content["help"])


def from_engine(error: Exception, work_dir: str) -> InputError | None:
    """Return the error of a full or read-only disk if an engine's exception contains one."""
    for number in LASTING:
        if re.search(rf"\[Errno {number}\]", str(error)):
            facts = _room(work_dir) if number in FULL else {}
            return _as_input_error(OSError(number, os.strerror(number), work_dir), facts)
    return None


def _as_input_error(error: Exception, facts: dict[str, str] | None = None) -> InputError:
    cause = getattr(error, "strerror", None) or error
    named = getattr(error, "filename", None)
    return InputError(
        f"reading or writing failed: {cause}",
        facts={**({"file": named} if named else {}), **(facts or {})},
        help="finished work is kept: make room or remove the cause, then give the same command"
        " again",
    )


def _room(work_dir: str) -> dict[str, str]:
    free, needed = storage.free(work_dir), bytes_needed(work_dir)
    return {"free bytes": f"{free:,}"} | ({"needed bytes": f"about {needed:,}"} if needed else {})
