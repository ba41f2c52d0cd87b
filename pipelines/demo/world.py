"""Make a miniature web with known truth, and with the errors of a real one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipelines.demo.draft import Draft, new_draft
from pipelines.demo.records import ImageFile, World, WorldSettings
from pipelines.demo.sites import make_sites
from pipelines.demo.users import make_events

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
    draft = new_draft(np.random.Generator(np.random.PCG64(seed)), settings)
    hosts, pages = make_sites(draft)
    events, target = make_events(draft, pages)
    return World(
        seed=seed,
        settings=settings,
        pictures=tuple(draft.pictures),
        files=tuple(_damaged(draft)),
        hosts=tuple(hosts),
        pages=tuple(pages),
        events=tuple(events),
        brigade_label_id=target,
    )


def _damaged(draft: Draft) -> list[ImageFile]:
    """Return the files, some of them cut short and some missing."""
    settings, files = draft.settings, list(draft.files)
    n_bad = settings.n_cut_files + settings.n_missing_files
    for n, file in enumerate(draft.rng.permutation(len(files))[:n_bad].tolist()):
        state = "cut" if n < settings.n_cut_files else "missing"
        files[file] = replace(files[file], state=state)
    return files
