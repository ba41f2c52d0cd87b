"""The users of a miniature web: their searches, clicks and votes, and a brigade among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from pipelines.demo.draft import Draft
from pipelines.demo.pictures import DRAWN
from pipelines.demo.records import Event, World, WorldSettings
from pipelines.demo.vocabulary import pick, pick_name

_START = 1_735_689_600
"""2025-01-01 00:00 UTC."""

_DAY = 86_400
_N_DAYS = 90
_N_RESULTS = 10


def add_events(draft: Draft) -> None:
    """Add the feedback log by time, replays last, and the label that the brigade votes for."""
    named = _pictures_named(draft.world)
    events = _search(draft, named) + _judge(draft, named)
    draft.world.brigade_label_id = pick(DRAWN, draft.rng)
    events += _brigade(draft, draft.world.brigade_label_id)
    events.sort(key=lambda event: event.time)
    log = [replace(event, event_id=f"ev-{n:07d}") for n, event in enumerate(events)]
    replayed = np.flatnonzero(draft.rng.random(len(log)) < 0.02)
    draft.world.events += log + [log[n] for n in replayed.tolist()]


def _pictures_named(world: World) -> Mapping[str, list[int]]:
    """Return by label the pictures that some text names it for, sorted."""
    named: dict[str, set[int]] = {}
    for page in world.pages:
        for figure in (f for section in page.sections for f in section.figures):
            file = world.files[figure.file]
            phrases = (page.title, file.name, figure.alt, figure.caption)
            for label_id in (x for phrase in phrases if phrase for x in phrase.label_ids):
                named.setdefault(label_id, set()).add(file.picture)
    return {label_id: sorted(pictures) for label_id, pictures in sorted(named.items())}


def _search(draft: Draft, named: Mapping[str, list[int]]) -> list[Event]:
    """Return impressions, and clicks that are likelier high on the list and on right results."""
    rng, settings = draft.rng, draft.settings
    events = []
    for _ in range(settings.n_searches):
        label_id = pick(tuple(named), rng)
        results = rng.permutation(named[label_id])[:_N_RESULTS].tolist()
        user, time = _user(rng, settings), _moment(rng)
        query = pick_name(label_id, rng)
        for position, picture in enumerate(results, 1):
            event = Event("", picture, "", query, "impression", user, position, time)
            events.append(event)
            if draft.happens((0.6 if draft.shows(picture, label_id) else 0.12) / position**0.7):
                events.append(replace(event, kind="click", time=time + 2 * position))
    return events


def _judge(draft: Draft, named: Mapping[str, list[int]]) -> list[Event]:
    """Return votes on labels; users differ in knowledge, and pictures in fame."""
    rng, settings = draft.rng, draft.settings
    fame = rng.lognormal(0, 1, len(draft.world.pictures))
    pairs = [(label_id, p) for label_id, pictures in named.items() for p in pictures]
    weights = fame[[picture for _, picture in pairs]]
    chosen = rng.choice(len(pairs), settings.n_votes, p=weights / weights.sum()).tolist()
    p_right = rng.beta(0.88 * 10, (1 - 0.88) * 10, settings.n_users)
    events = []
    for label_id, picture in (pairs[n] for n in chosen):
        number = int(rng.integers(settings.n_users))
        is_right = draft.happens(p_right[number])
        kind = "up" if draft.shows(picture, label_id) == is_right else "down"
        if kind == "down" and draft.happens(0.15):
            kind = "flag"
        events.append(Event("", picture, label_id, "", kind, f"u{number:04d}", None, _moment(rng)))
    return events


def _brigade(draft: Draft, label_id: str) -> list[Event]:
    """Return up-votes for one label, within hours, on pictures that do not show it."""
    rng, settings = draft.rng, draft.settings
    wrong = [p for p in range(len(draft.world.pictures)) if not draft.shows(p, label_id)]
    targets = rng.permutation(wrong)[: max(1, len(wrong) // 12)].tolist()
    start = _moment(rng)
    events = []
    for _ in range(settings.n_brigade_votes):
        user = f"b{int(rng.integers(4)):04d}"
        time = start + int(rng.integers(_DAY // 8))
        events.append(Event("", pick(targets, rng), label_id, "", "up", user, None, time))
    return events


def _user(rng: np.random.Generator, settings: WorldSettings) -> str:
    return f"u{int(rng.integers(settings.n_users)):04d}"


def _moment(rng: np.random.Generator) -> int:
    return _START + int(rng.integers(_N_DAYS * _DAY))
