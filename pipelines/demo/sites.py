"""The hosts, pages and pictures of a miniature web."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.demo.album import DRAWN, Album, choose_file, slug
from pipelines.demo.painting import SHAPES
from pipelines.demo.records import (
    Figure,
    Host,
    Link,
    Naming,
    Page,
    Phrase,
    Place,
    Plan,
    Section,
    WorldSettings,
)
from pipelines.demo.vocabulary import (
    ALTS,
    ANCHORS,
    CAPTIONS,
    DULL_ALTS,
    DULL_ANCHORS,
    HEADINGS,
    NAMES,
    SITE_WORDS,
    SLOGANS,
    SURROUNDINGS,
    THEMES,
    TITLES,
)
from pipelines.demo.writers import Writers, gather_writers, pick

_PLACES: tuple[Place, ...] = ("heading", "caption", "alt", "footer")


def make_sites(
    rng: np.random.Generator, settings: WorldSettings
) -> tuple[Album, list[Host], list[Page]]:
    """Return pictures with their files, hosts, and pages in the order of the hosts."""
    writers = gather_writers(rng, settings)
    album = Album()
    hosts = [_make_host(number, album, writers) for number in range(settings.n_hosts)]
    plans = _plan_pages(hosts, rng, settings)
    articles_about: dict[str, list[int]] = {}
    for number, plan in enumerate(plans):
        if not plan.is_index:
            articles_about.setdefault(plan.topic, []).append(number)
    pages = []
    for number, plan in enumerate(plans):
        links = _make_links(plan, plans, articles_about, writers)
        pages.append(_make_page(number, plan, hosts[plan.host], links, album, writers))
    return album, hosts, pages


def _make_host(number: int, album: Album, writers: Writers) -> Host:
    rng, settings = writers.rng, writers.settings
    theme = pick(tuple(THEMES), rng)
    owner: tuple[str, ...] = ()
    word = theme
    if rng.random() < settings.p_named_host:
        owner = (pick([t for t in THEMES[theme] if t in SHAPES], rng),)
        word = NAMES[owner[0]][0]
    title = f"{word} {pick(SITE_WORDS, rng)}".title()
    chance = rng.random()
    naming: Naming = "hash"
    if chance < settings.p_words_host + settings.p_camera_host:
        naming = "words" if chance < settings.p_words_host else "camera"
    slogan = None
    if rng.random() < settings.p_slogan_host:
        slogan = writers.write(SLOGANS, pick(DRAWN, rng))
    logo = None
    if rng.random() < settings.p_logo_host:
        logo = album.add_file(number, album.add_picture(()), Phrase("logo.jpg"))
    return Host(
        name=f"{slug(title, '-')}-{number}.example",
        title=Phrase(title, owner),
        suffixed=rng.random() < 0.6,
        theme=theme,
        naming=naming,
        separator=pick("--_ ", rng),
        slogan=slogan,
        slogan_place=pick(_PLACES, rng),
        spam=rng.random() < settings.p_spam_host,
        tidy=rng.random() < 0.7,
        logo=logo,
    )


def _plan_pages(
    hosts: Sequence[Host], rng: np.random.Generator, settings: WorldSettings
) -> list[Plan]:
    """Return plans by host, the index of each host first; an index shows no pictures."""
    n_articles = settings.n_pages - len(hosts)
    sizes = rng.lognormal(0, 0.6, len(hosts))
    host_of = rng.choice(len(hosts), n_articles, p=sizes / sizes.sum()).tolist()
    weights = rng.lognormal(0, 0.5, n_articles)
    n_figures = rng.multinomial(settings.n_figures, weights / weights.sum()).tolist()
    mean, strength = settings.p_topic_shown, settings.topic_concentration
    rates = rng.beta(mean * strength, (1 - mean) * strength, n_articles).tolist()
    themes = [host.theme for host in hosts]
    plans = [Plan(host, t, True, THEMES[t][0], 0, 0) for host, t in enumerate(themes)]
    for host, rate, n in zip(host_of, rates, n_figures, strict=True):
        topic = pick(THEMES[themes[host]] if rng.random() < 0.8 else DRAWN, rng)
        plans.append(Plan(host, themes[host], False, topic, rate, n))
    return sorted(plans, key=lambda plan: plan.host)


def _make_links(
    plan: Plan, plans: Sequence[Plan], articles_about: dict[str, list[int]], writers: Writers
) -> tuple[Link, ...]:
    """Return the links of a page; those of an index lead to all articles of its host."""
    rng, settings = writers.rng, writers.settings
    if plan.is_index:
        targets = [n for n, p in enumerate(plans) if p.host == plan.host and not p.is_index]
    else:
        alike = articles_about[plan.topic]
        anything = [n for about in articles_about.values() for n in about]
        targets = [
            pick(alike if rng.random() < settings.p_same_topic_link else anything, rng)
            for _ in range(int(rng.integers(1, 5)))
        ]
    return tuple(Link(target, _make_anchor(plans[target].topic, writers)) for target in targets)


def _make_anchor(topic: str, writers: Writers) -> Phrase:
    if writers.rng.random() < writers.settings.p_dull_anchor:
        return Phrase(pick(DULL_ANCHORS, writers.rng))
    return writers.write(ANCHORS, topic)


def _make_page(
    number: int,
    plan: Plan,
    host: Host,
    links: tuple[Link, ...],
    album: Album,
    writers: Writers,
) -> Page:
    title, heading = host.title, host.title
    name = f"page-{number}"
    if not plan.is_index:
        heading = writers.write(("{}", "The {}"), plan.topic)
        title = writers.write(TITLES, plan.topic)
        name = f"{slug(title.text, '-')}-{number}" if host.naming == "words" else name
        title = _join(title, host.title, " | ") if host.suffixed else title
    return Page(
        host=plan.host,
        name="index.html" if plan.is_index else f"{name}.html",
        topic=plan.topic,
        title=title,
        heading=heading,
        sections=_make_sections(plan, host, album, writers),
        links=links,
        encoding="utf-8",
    )


def _make_sections(plan: Plan, host: Host, album: Album, writers: Writers) -> tuple[Section, ...]:
    sections = [_make_section(plan, host, min(1, plan.n_figures), album, writers)]
    left = plan.n_figures - 1
    while left > 0:
        n = min(left, int(writers.rng.integers(1, 4)))
        sections.append(_make_section(plan, host, n, album, writers))
        left -= n
    return tuple(sections)


def _make_section(
    plan: Plan, host: Host, n_figures: int, album: Album, writers: Writers
) -> Section:
    files = [choose_file(plan, host, album, writers) for _ in range(n_figures)]
    figures = tuple(_make_figure(file, plan, host, album, writers) for file in files)
    shown = [album.pictures[album.files[file].picture].label_ids for file in files]
    beside = shown[0] if shown else (plan.topic,)
    about = writers.name("surrounding", plan, beside)
    heading = writers.write(HEADINGS, about) if writers.rng.random() < 0.4 else None
    about = writers.name("surrounding", plan, beside)
    return Section(heading, writers.write(SURROUNDINGS, about), figures)


def _make_figure(file: int, plan: Plan, host: Host, album: Album, writers: Writers) -> Figure:
    rng, settings = writers.rng, writers.settings
    shown = album.pictures[album.files[file].picture].label_ids
    caption = None
    if rng.random() < settings.p_caption:
        label = writers.name("caption", plan, shown)
        caption = writers.write(CAPTIONS, label)
    alt = _make_alt(plan, host, shown, writers)
    if host.slogan and host.slogan_place == "alt":
        alt = alt or host.slogan
    if host.slogan and host.slogan_place == "caption":
        caption = _join(caption, host.slogan, " ") if caption else host.slogan
    return Figure(file, alt, caption)


def _make_alt(plan: Plan, host: Host, shown: tuple[str, ...], writers: Writers) -> Phrase | None:
    rng = writers.rng
    if host.spam:
        wanted = [plan.topic, *(pick(THEMES[plan.theme], rng) for _ in range(3)), pick(DRAWN, rng)]
        names = [pick(NAMES[label], rng) for label in wanted]
        return Phrase(", ".join(names), tuple(wanted))
    if rng.random() < writers.settings.p_no_alt:
        return None
    if rng.random() < 0.08:
        return Phrase(pick(DULL_ALTS, rng))
    first = writers.write(ALTS, writers.name("alt", plan, shown))
    if rng.random() < 0.75:
        return first
    second = writers.name("alt", plan, shown)
    return _join(first, writers.write(("{}",), second), ", ")


def _join(first: Phrase, second: Phrase, between: str) -> Phrase:
    return Phrase(f"{first.text}{between}{second.text}", first.label_ids + second.label_ids)
