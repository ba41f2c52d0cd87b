"""Make a miniature web with known truth, and with the errors of a real one."""

from __future__ import annotations

from dataclasses import replace

from pipelines.demo.draft import Draft, new_draft
from pipelines.demo.records import State, World, WorldSettings
from pipelines.demo.sites import add_sites
from pipelines.demo.users import add_events

__all__ = ["World", "WorldSettings", "make_world"]

_DEFAULT = WorldSettings()


def make_world(seed: int, settings: WorldSettings = _DEFAULT) -> World:
    """Return the web of a seed: the same seed and settings give the same world.

    Examples
    --------
    >>> tiny = WorldSettings(n_hosts=2, n_pages=3, n_figures=5, n_votes=4, n_searches=1)
    >>> world = make_world(1, tiny)
    >>> len(world.pages), world == make_world(1, tiny), world == make_world(2, tiny)
    (3, True, False)
    """
    draft = new_draft(seed, settings)
    add_sites(draft)
    add_events(draft)
    _damage_files(draft)
    return draft.world


def _damage_files(draft: Draft) -> None:
    """Cut some of the files short, and let some be missing."""
    settings, files = draft.settings, draft.world.files
    n_bad = settings.n_cut_files + settings.n_missing_files
    for n, number in enumerate(draft.rng.permutation(len(files))[:n_bad].tolist()):
        state: State = "cut" if n < settings.n_cut_files else "missing"
        files[number] = replace(files[number], state=state)
