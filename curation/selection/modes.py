"""The modes of selection, by the setting that asks for each.

A mode is a function of a request and the value of its setting. A further mode needs a file of its
own and a line in `MODES`; its setting is a field of `pipelines.run.config.SelectSettings`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from curation.selection.floors import select_with_floor
from curation.selection.per_group import select_by_group
from curation.selection.selection import Request, Selection, select_above_one_threshold
from labeling.errors import ConfigError

MODES: dict[str, Callable[[Request, Any], Selection]] = {
    "by": select_by_group,
    "floor": select_with_floor,
}
"""Each keeps a share of the candidates or holds a precision, as the request asks."""


def choose(request: Request, settings: Mapping[str, Any]) -> Selection:
    """Keep the candidates that a request asks for.

    Parameters
    ----------
    request
        The candidates, and the share or precision.
    settings
        Values by setting; one that is None or that no mode is listed under is ignored. Without a
        mode all candidates have one threshold.

    Raises
    ------
    ConfigError
        If the settings ask for two modes, or for a precision or confidence out of range.
    InputError
        For a share out of range, or a probability of NaN.
    QualityError
        If the precision cannot be proved.
    """
    refuse_two_modes(settings)
    for name, mode in MODES.items():
        if settings.get(name) is not None:
            return mode(request, settings[name])
    return select_above_one_threshold(request)


def refuse_two_modes(settings: Mapping[str, Any]) -> None:
    """Raise `ConfigError` if settings ask for more than one mode."""
    asked = {name: settings[name] for name in MODES if settings.get(name) is not None}
    if len(asked) > 1:
        raise ConfigError(
            f"{' and '.join(f'select.{name}' for name in asked)} cannot be combined",
            facts={f"select.{name}": value for name, value in asked.items()},
            help="leave out all but one of them",
        )
