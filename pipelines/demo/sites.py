"""The hosts and pages of a miniature web."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from pipelines.demo.draft import Draft
from pipelines.demo.pictures import DRAWN, choose_file, slug
from pipelines.demo.records import (
    Figure,
    Host,
    Naming,
    Page,
    PagePlan,
    Phrase,
    Section,
    SloganPosition,
)
from pipelines.demo.shapes import SHAPES
from pipelines.demo.vocabulary import NAMES, PHRASES, THEMES, pick


def add_sites(draft: Draft) -> None:
    """Add hosts, pages in the order of the hosts, and their pictures."""
    world = draft.world
    world.hosts += [_make_host(number, draft) for number in range(draft.settings.n_hosts)]
    plans = _plan_pages(world.hosts, draft)
    articles_about: dict[str, list[int]] = {}
    for number, plan in enumerate(plans):
        if not plan.is_index:
            articles_about.setdefault(plan.topic, []).append(number)
    for number, plan in enumerate(plans):
        links = _make_links(plan, plans, articles_about, draft)
        world.pages.append(_make_page(number, plan, links, draft))


def _make_host(number: int, draft: Draft) -> Host:
    rng = draft.rng
    theme = pick(tuple(THEMES), rng)
    owner: tuple[str, ...] = ()
    word = theme
    if draft.happens(0.4):
        owner = (pick([topic for topic in THEMES[theme] if topic in SHAPES], rng),)
        word = NAMES[owner[0]][0]
    title = f"{word} {pick(PHRASES['site_words'], rng)}".title()
    chance = rng.random()
    naming: Naming = "words" if chance < 0.6 else "camera" if chance < 0.85 else "hash"
    slogan = None
    if draft.happens(0.25):
        slogan = draft.phrase(PHRASES["slogans"], pick(DRAWN, rng))
    logo = None
    if draft.happens(0.4):
        logo = draft.add_file(number, draft.add_picture(()), Phrase("logo.jpg"))
    return Host(
        number=number,
        name=f"{slug(title, '-')}-{number}.example",
        title=Phrase(title, owner),
        suffixed=draft.happens(0.6),
        theme=theme,
        naming=naming,
        separator=pick("--_ ", rng),
        slogan=slogan,
        slogan_position=pick(get_args(SloganPosition), rng),
        spam=draft.happens(0.1),
        tidy=draft.happens(0.7),
        logo=logo,
    )


def _plan_pages(hosts: Sequence[Host], draft: Draft) -> list[PagePlan]:
    """Return plans by host, the index of each host first; an index shows no pictures."""
    rng, settings = draft.rng, draft.settings
    n_articles = settings.n_pages - len(hosts)
    sizes = rng.lognormal(0, 0.6, len(hosts))
    host_of = rng.choice(len(hosts), n_articles, p=sizes / sizes.sum()).tolist()
    weights = rng.lognormal(0, 0.5, n_articles)
    n_figures = rng.multinomial(settings.n_figures, weights / weights.sum()).tolist()
    # The parameters sum to less than 2: most pages show their topic on nearly all pictures or on
    # nearly none; the mean is 0.62.
    rates = rng.beta(0.62 * 0.8, (1 - 0.62) * 0.8, n_articles).tolist()
    plans = [PagePlan(host, True, THEMES[host.theme][0], 0, 0) for host in hosts]
    for host, rate, n in zip((hosts[n] for n in host_of), rates, n_figures, strict=True):
        topic = pick(THEMES[host.theme] if draft.happens(0.8) else DRAWN, rng)
        plans.append(PagePlan(host, False, topic, rate, n))
    return sorted(plans, key=lambda plan: plan.host.number)


def _make_links(
    plan: PagePlan,
    plans: Sequence[PagePlan],
    articles_about: dict[str, list[int]],
    draft: Draft,
) -> tuple[tuple[int, Phrase], ...]:
    """Return the links of a page; those of an index lead to all articles of its host."""
    if plan.is_index:
        targets = [n for n, p in enumerate(plans) if p.host is plan.host and not p.is_index]
    else:
        alike = articles_about[plan.topic]
        anything = [n for about in articles_about.values() for n in about]
        targets = [
            pick(alike if draft.happens(0.85) else anything, draft.rng)
            for _ in range(int(draft.rng.integers(1, 5)))
        ]
    return tuple((target, _make_anchor(plans[target].topic, draft)) for target in targets)


def _make_anchor(topic: str, draft: Draft) -> Phrase:
    if draft.happens(0.2):
        return Phrase(pick(PHRASES["dull_anchors"], draft.rng))
    return draft.phrase(PHRASES["anchors"], topic)


def _make_page(
    number: int, plan: PagePlan, links: tuple[tuple[int, Phrase], ...], draft: Draft
) -> Page:
    host = plan.host
    title, heading, name = host.title, host.title, "index"
    if not plan.is_index:
        heading = draft.phrase(("{}", "The {}"), plan.topic)
        title = draft.phrase(PHRASES["titles"], plan.topic)
        name = f"{slug(title.text, '-') if host.naming == 'words' else 'page'}-{number}"
        title = _join(title, host.title, " | ") if host.suffixed else title
    is_in_the_middle = number == draft.settings.n_pages // 2
    return Page(
        host=host.number,
        name=f"{name}.html",
        topic=plan.topic,
        title=title,
        heading=heading,
        sections=_make_sections(plan, draft),
        links=links,
        encoding="windows-1252" if is_in_the_middle else "utf-8",
    )


def _make_sections(plan: PagePlan, draft: Draft) -> tuple[Section, ...]:
    """Return a section with at most one picture, then sections of up to three."""
    sections = [_make_section(plan, min(1, plan.n_figures), draft)]
    n_left = plan.n_figures - 1
    while n_left > 0:
        n = min(n_left, int(draft.rng.integers(1, 4)))
        sections.append(_make_section(plan, n, draft))
        n_left -= n
    return tuple(sections)


def _make_section(plan: PagePlan, n_figures: int, draft: Draft) -> Section:
    files = [choose_file(plan, draft) for _ in range(n_figures)]
    figures = tuple(_make_figure(file, plan, draft) for file in files)
    shown = draft.world.pictures[draft.world.files[files[0]].picture] if files else (plan.topic,)
    topic = draft.meant("surrounding", plan, shown)
    heading = draft.phrase(PHRASES["headings"], topic) if draft.happens(0.4) else None
    topic = draft.meant("surrounding", plan, shown)
    return Section(heading, draft.phrase(PHRASES["surroundings"], topic), figures)


def _make_figure(file: int, plan: PagePlan, draft: Draft) -> Figure:
    host, shown = plan.host, draft.world.pictures[draft.world.files[file].picture]
    caption = None
    if draft.happens(0.55):
        caption = draft.phrase(PHRASES["captions"], draft.meant("caption", plan, shown))
    alt = _make_alt(plan, shown, draft)
    if host.slogan and host.slogan_position == "alt":
        alt = alt or host.slogan
    if host.slogan and host.slogan_position == "caption":
        caption = _join(caption, host.slogan, " ") if caption else host.slogan
    return Figure(file, alt, caption)


def _make_alt(plan: PagePlan, shown: tuple[str, ...], draft: Draft) -> Phrase | None:
    rng, topics = draft.rng, THEMES[plan.host.theme]
    if plan.host.spam:
        labels = [plan.topic, *(pick(topics, rng) for _ in range(3)), pick(DRAWN, rng)]
        return Phrase(", ".join(pick(NAMES[label], rng) for label in labels), tuple(labels))
    if draft.happens(0.25):
        return None
    if draft.happens(0.08):
        return Phrase(pick(PHRASES["dull_alts"], rng))
    first = draft.phrase(PHRASES["alts"], draft.meant("alt", plan, shown))
    if draft.happens(0.75):
        return first
    return _join(first, draft.phrase(("{}",), draft.meant("alt", plan, shown)), ", ")


def _join(first: Phrase, second: Phrase, between: str) -> Phrase:
    return Phrase(f"{first.text}{between}{second.text}", first.label_ids + second.label_ids)
