"""Progress as lines of JSON on stderr, for programs that watch a job."""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress
from typing import Any

from labeling.secrets import masked

ON = False
"""Whether messages and progress are lines of JSON; `winnow --progress json` sets it."""


def emit(event: str, **values: object) -> bool:
    """Write an event if progress is wanted as JSON; return whether it is.

    Parameters
    ----------
    event
        message, stage, progress, error or next.
    values
        Its fields; texts lose keys and passwords, values of other types are written as texts.
    """
    if not ON:
        return False
    line = {"event": event, "time": round(time.time(), 3), **_masked(values)}
    with suppress(OSError):  # a full disk of the log does not undo what is done
        sys.stderr.write(json.dumps(line) + "\n")
        sys.stderr.flush()
    return True


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _masked(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [*map(_masked, value)]
    return value if value is None or isinstance(value, int | float) else masked(value)
