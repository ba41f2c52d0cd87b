"""Values of table cells: times as people's tools write them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from labeling.keys.arrays import Floats, Mask

EARLIEST, LATEST = 631_152_000, 4_102_444_800
"""Seconds of 1990 and 2100: a number of seconds, or of a smaller unit, is a time between them."""

OWN_CLOCK = 10_000
"""Numbers below this are seconds of a clock that began with the log: no date is written so."""

UNITS = {"s": 1, "ms": 10**3, "µs": 10**6, "ns": 10**9}
"""Units of numbers since 1970, by their number in a second; no time has the same number in two."""

EXCEL_EPOCH, DAY = 25_569, 86_400
"""The serial of 1970-01-01 in spreadsheets, which count days, and the seconds of a day."""

COMPACT = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
"""Dates of digits alone, by the number of digits."""


def to_seconds(texts: Sequence[str]) -> Floats:
    """Return ``float64[n]``: seconds since 1970, NaN for a text that is not a time.

    Read are ISO 8601, also compact (``20240102T030405Z``) and by week (``2024-W01-2``); numbers of
    seconds, milliseconds, microseconds or nanoseconds since 1970, by their size; the days of
    spreadsheets (``45293.5``); and seconds below `OWN_CLOCK`. Another number that would be before
    1990 or after 2099 is not a time. A time without a zone is of UTC.

    Examples
    --------
    >>> times = to_seconds(["2024-01-02", "20240102", "45293", "1704153600000", "10001"])
    >>> times.tolist()
    [1704153600.0, 1704153600.0, 1704153600.0, 1704153600.0, nan]
    """
    trimmed = pd.Series(texts, dtype=str).str.strip().str.replace(r"\s*UTC$", "Z", regex=True)
    numbers = pd.to_numeric(trimmed, errors="coerce").to_numpy().astype(np.float64)
    # Without a digit first, pandas would take "now" and "today" for times.
    written = trimmed.where(np.isnan(numbers) & trimmed.str[:1].isin(list("0123456789")))
    parsed = pd.to_datetime(written, errors="coerce", utc=True, format="ISO8601")
    since = parsed.dt.as_unit("s") - pd.Timestamp(0, tz="UTC").as_unit("s")
    seconds = since.dt.total_seconds().to_numpy().astype(np.float64)
    seconds = np.where(np.isnan(numbers), seconds, _of_numbers(numbers))
    left = np.isnan(seconds)
    by_text = {text: _of_text(text) for text in trimmed[left].unique()}
    seconds[left] = trimmed[left].map(by_text).to_numpy(np.float64)
    return seconds


def _of_numbers(numbers: Floats) -> Floats:
    """Return the seconds of numbers since 1970 in any unit, and of days; NaN for others."""
    seconds = (numbers - EXCEL_EPOCH) * DAY
    for per_second in UNITS.values():
        in_unit = numbers / per_second
        seconds = np.where(_is_plausible(in_unit), in_unit, seconds)
    seconds = np.where(_is_plausible(seconds), seconds, np.nan)
    return np.where((numbers >= 0) & (numbers < OWN_CLOCK), numbers, seconds)


def _is_plausible(seconds: Floats) -> Mask:
    plausible: Mask = (seconds >= EARLIEST) & (seconds < LATEST)
    return plausible


def _of_text(text: str) -> float:
    """Return the seconds of a compact date or of one by week, which pandas does not read."""
    try:
        if not (text.isascii() and text.isdigit()):
            time = datetime.fromisoformat(text)
            return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
        time = datetime.strptime(text + "Z", COMPACT.get(len(text), "none") + "%z")
    except ValueError:
        return np.nan
    return time.timestamp() if EARLIEST <= time.timestamp() < LATEST else np.nan
