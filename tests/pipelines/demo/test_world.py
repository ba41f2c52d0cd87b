from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from pipelines.demo.draft import Draft, new_draft
from pipelines.demo.records import Figure, Page, Phrase
from pipelines.demo.shapes import SHAPES
from pipelines.demo.vocabulary import NAMES, above
from pipelines.demo.world import World, WorldSettings, make_world

SETTINGS = WorldSettings(
    n_hosts=30,
    n_pages=300,
    n_figures=1500,
    n_users=100,
    n_searches=200,
    n_votes=2000,
    n_brigade_votes=500,
)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(3, SETTINGS)


def _figures(world: World) -> Iterator[tuple[Page, Figure]]:
    for page in world.pages:
        for section in page.sections:
            for figure in section.figures:
                yield page, figure


def _closure(world: World, picture: int) -> set[str]:
    return {a for label_id in world.pictures[picture] for a in above(label_id)}


def _shown(world: World, figure: Figure) -> set[str]:
    return _closure(world, world.files[figure.file].picture)


def _namesakes(label_id: str) -> list[str]:
    names = set(NAMES[label_id])
    return [other for other in NAMES if names & set(NAMES[other])]


def _is_plain(world: World, page: Page) -> bool:
    host = world.hosts[page.host]
    return not host.spam and host.slogan is None


def _share_right(world: World, text: Callable[[Page, Figure], Phrase | None]) -> float:
    """Share of a source's texts, on hosts without slogans and spam, whose first label is shown."""
    right = [
        phrase.label_ids[0] in _shown(world, figure)
        for page, figure in _figures(world)
        if _is_plain(world, page) and (phrase := text(page, figure)) and phrase.label_ids
    ]
    assert len(right) > 100
    return float(np.mean(right))


def test_a_seed_decides_the_world(world: World) -> None:
    assert world == make_world(3, SETTINGS)
    assert world != make_world(4, SETTINGS)


def test_sizes_are_as_asked(world: World) -> None:
    assert len(world.hosts) == SETTINGS.n_hosts
    assert len(world.pages) == SETTINGS.n_pages
    assert len(list(_figures(world))) == SETTINGS.n_figures
    assert len({world.page_url(n) for n in range(len(world.pages))}) == SETTINGS.n_pages
    assert len({world.image_url(n) for n in range(len(world.files))}) == len(world.files)


def test_every_shape_is_shown_and_nothing_else(world: World) -> None:
    shown = Counter(label for picture in world.pictures for label in picture)
    assert set(shown) == set(SHAPES)
    assert min(shown.values()) >= 10
    assert all(len(p) == len(set(p)) <= 3 for p in world.pictures)


def test_some_pictures_are_shown_on_several_hosts(world: World) -> None:
    hosts_of = Counter(file.picture for file in world.files)
    reused = SETTINGS.n_figures - sum(1 for picture in hosts_of if world.pictures[picture])
    assert max(hosts_of.values()) > 1
    assert reused / SETTINGS.n_figures == pytest.approx(0.06, abs=0.02)


def test_missing_texts_are_as_frequent_as_stated(world: World) -> None:
    plain = [figure for page, figure in _figures(world) if _is_plain(world, page)]
    no_alt = np.mean([figure.alt is None for figure in plain])
    caption = np.mean([figure.caption is not None for figure in plain])
    assert no_alt == pytest.approx(0.25, abs=0.05)
    assert caption == pytest.approx(0.55, abs=0.05)


def test_sources_differ_in_how_often_they_are_right(world: World) -> None:
    right = {
        "title": _share_right(world, lambda page, figure: page.title),
        "alt": _share_right(world, lambda page, figure: figure.alt),
        "caption": _share_right(world, lambda page, figure: figure.caption),
        "filename": _share_right(world, lambda page, figure: world.files[figure.file].name),
    }
    assert sorted(right, key=lambda source: right[source]) == list(right)
    assert 0.45 < right["title"] < 0.75
    assert 0.8 < right["filename"] < 0.95


def test_hosts_differ_in_how_often_their_captions_are_right(world: World) -> None:
    right: dict[int, list[bool]] = {}
    for page, figure in _figures(world):
        if figure.caption and _is_plain(world, page):
            shown = figure.caption.label_ids[0] in _shown(world, figure)
            right.setdefault(page.host, []).append(shown)
    shares = [np.mean(r) for r in right.values() if len(r) >= 15]
    assert max(shares) - min(shares) > 0.25


def test_pages_show_their_topic_on_nearly_all_pictures_or_on_nearly_none(world: World) -> None:
    rates = [
        np.mean([page.topic in _shown(world, figure) for figure in figures])
        for page in world.pages
        if len(figures := [f for section in page.sections for f in section.figures]) >= 5
    ]
    assert np.mean([rate <= 0.2 or rate >= 0.8 for rate in rates]) > 0.6
    assert np.mean(rates) == pytest.approx(0.62, abs=0.1)


def test_writers_who_look_and_do_not_slip_are_right(monkeypatch: pytest.MonkeyPatch) -> None:
    def careful(seed: int, settings: WorldSettings) -> Draft:
        always = (np.full(settings.n_hosts, 30.0), dict.fromkeys(NAMES, 0.0))
        draft = new_draft(seed, settings)
        log_odds = dict.fromkeys(draft.log_odds, always)
        return replace(draft, log_odds=log_odds, p_slip=dict.fromkeys(NAMES, 0.0))

    monkeypatch.setattr("pipelines.demo.world.new_draft", careful)
    world = make_world(0, SETTINGS)
    assert _share_right(world, lambda page, figure: figure.caption) == 1
    assert _share_right(world, lambda page, figure: figure.alt) == 1


def test_a_slogan_is_on_every_page_of_its_host(world: World) -> None:
    seen = 0
    for page, figure in _figures(world):
        host = world.hosts[page.host]
        if host.slogan and host.slogan_position == "caption":
            assert figure.caption is not None
            assert figure.caption.text.endswith(host.slogan.text)
            seen += 1
    assert seen > 50


def test_links_lead_mostly_to_the_same_topic(world: World) -> None:
    articles = [page for page in world.pages if page.name != "index.html"]
    alike = [world.pages[n].topic == page.topic for page in articles for n, _ in page.links]
    assert np.mean(alike) == pytest.approx(0.85, abs=0.07)


def test_votes_of_users_are_right_as_often_as_stated(world: World) -> None:
    votes = [e for e in world.events if e.label_id and e.user.startswith("u")]
    right = [(e.label_id in _closure(world, e.picture)) == (e.kind == "up") for e in votes]
    assert np.mean(right) == pytest.approx(0.88, abs=0.04)


def test_clicks_prefer_the_top_of_the_list(world: World) -> None:
    counts = Counter((e.kind, e.position) for e in world.events if e.query)
    rates = [counts["click", n] / counts["impression", n] for n in range(1, 11)]
    assert np.mean(rates[:3]) > 1.5 * np.mean(rates[-3:])


def test_a_brigade_votes_within_hours_for_a_label_that_is_not_shown(world: World) -> None:
    votes = {e.event_id: e for e in world.events if e.user.startswith("b")}.values()
    assert len(votes) == SETTINGS.n_brigade_votes
    assert len({e.user for e in votes}) == 4
    assert {(e.kind, e.label_id) for e in votes} == {("up", world.brigade_label_id)}
    assert not any(world.brigade_label_id in _closure(world, e.picture) for e in votes)
    assert max(e.time for e in votes) - min(e.time for e in votes) <= 3 * 3600


def test_some_events_are_replayed_as_they_were(world: World) -> None:
    first = {e.event_id: e for e in world.events}
    n_replayed = len(world.events) - len(first)
    assert n_replayed / len(first) == pytest.approx(0.02, abs=0.01)
    assert set(world.events) == set(first.values())


@pytest.mark.parametrize("seed", [0, 1])
def test_the_default_world_is_as_large_and_as_wrong_as_the_web(seed: int) -> None:
    world = make_world(seed)
    named = set()
    for page in world.pages:
        for section in page.sections:
            for figure in section.figures:
                file = world.files[figure.file]
                texts = (page.title, section.heading, section.text, figure.alt, figure.caption)
                phrases = [p for p in (*texts, file.name) if p]
                meant = {label for phrase in phrases for label in phrase.label_ids}
                named |= {(file.picture, x) for label in meant for x in _namesakes(label)}
    right = [label in _closure(world, picture) for picture, label in named]
    assert 2900 < len(world.pictures) < 3200
    assert 8_000 < len(named) < 20_000
    assert 0.35 < np.mean(right) < 0.5
