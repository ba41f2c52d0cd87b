"""Whose heading and caption an image gets, in the layouts that pages have."""

from __future__ import annotations

import time

import pytest

from labeling.html.headings import SHARED_WEIGHT
from labeling.html.page import Page, read_page

FRUITS = ("apple", "banana", "cherry")


def read(html: str) -> Page:
    return read_page(html.encode(), "https://a.org/")


def texts(html: str, source: str) -> dict[str, tuple[str, float] | None]:
    """Return text and weight of one source, by the name of each image."""
    result: dict[str, tuple[str, float] | None] = {}
    for image in read(html).images:
        near = [(text.text, text.weight) for text in image.texts if text.source == source]
        result[image.url.rpartition("/")[2].partition(".")[0]] = near[0] if near else None
    return result


def cards(card: str, before: str = "<h1>Shop</h1>", after: str = "") -> str:
    return before + "".join(card.replace("NAME", name) for name in FRUITS) + after


OWN = {name: (name, 1.0) for name in FRUITS}


@pytest.mark.parametrize(
    "card",
    [
        "<article><a><img src=NAME.jpg></a><h3>NAME</h3><p>fresh</p></article>",
        "<article><h3>NAME</h3><a><img src=NAME.jpg></a></article>",
        "<div class=card><div class=pic><img src=NAME.jpg></div><div><h4>NAME</h4></div></div>",
        "<div class=card><img src=NAME.jpg><div><h5>NAME</h5><h6>fresh</h6></div></div>",
        "<li><h6>NAME</h6><img src=NAME.jpg></li>",
        "<div class=card><img src=NAME.jpg><div role=heading aria-level=3>NAME</div><p>x</div>",
        "<li><img src=NAME.jpg><span class=heading role='heading'>NAME</span></li>",
        "<div class=card><div role=heading><h3>NAME</h3></div><img src=NAME.jpg></div>",
        "<div class=card><h3><b role=heading>NAME</b></h3><img src=NAME.jpg></div>",
        "<a href=/NAME><img src=NAME.jpg><h3>NAME</h3></a>",
        "<a href=/NAME><picture><source srcset=NAME.jpg><img></picture><h2>NAME</h2></a>",
        "<figure><img src=NAME.jpg><figcaption><h3>NAME</h3></figcaption></figure>",
        "<section><h2>NAME</h2><p>text<p>more<img src=NAME.jpg><p>text</section>",
        "<div><img data-src=NAME.jpg><noscript><img src=NAME.jpg></noscript><h3>NAME</h3></div>",
        "<DIV><IMG SRC=NAME.jpg></p></span><H3>NAME</H3></DIV>",
        "<span class=card><a><img src=NAME.jpg></a><h3>NAME</h3></span>",
        "<product-card><img src=NAME.jpg><h3>NAME</h3></product-card>",
        "<button><picture><img src=NAME.jpg></picture><h3>NAME</h3></button>",
        "<li><template><h3>No</h3></template><img src=NAME.jpg><h3>NAME</h3></li>",
        "<li><h3 hidden>No</h3><img src=NAME.jpg><h3>NAME</h3></li>",
        "<li><h3 style='display: none'>No</h3><img src=NAME.jpg><h3>NAME</h3></li>",
        "<li><div aria-hidden=true><h3>No</h3></div><img src=NAME.jpg><h3>NAME</h3></li>",
        "<li><noscript><h3>No</h3></noscript><img src=NAME.jpg><h3>NAME</h3></li>",
        "<li hidden><h3>NAME</h3><img src=NAME.jpg></li>",
        "<div><h3>NAME</h3><img src=NAME.jpg><h4>Sizes</h4></div>",
    ],
)
def test_the_heading_in_a_card_is_its_image_s(card: str) -> None:
    assert texts(cards(card), "heading") == OWN


@pytest.mark.parametrize(
    ("card", "around"),
    [
        ("<li><img src=NAME.jpg><h3>NAME</h3>", "ul"),
        ("<li><div><img src=NAME.jpg></div><h3>NAME</h3></li>", "ul"),
        ("<tr><td><img src=NAME.jpg></td><td><h4>NAME</h4></td></tr>", "table"),
        ("<tr><td><img src=NAME.jpg><td><h4>NAME</h4>", "table"),
        ("<td><img src=NAME.jpg><br><h4>NAME</h4></td>", "table"),
        ("<dt><img src=NAME.jpg></dt><dd><h3>NAME</h3></dd>", "dl"),
        ("<div><dt><img src=NAME.jpg></dt><dd><h3>NAME</h3></dd></div>", "dl"),
        ("<img src=NAME.jpg><h3>NAME</h3><p>fresh</p>", "div"),
    ],
)
def test_lists_tables_and_flat_grids(card: str, around: str) -> None:
    headings = texts(cards(card, f"<h1>Shop</h1><{around}>", f"</{around}>"), "heading")
    assert {n: text[0] for n, text in headings.items() if text} == {n: n for n in FRUITS}
    is_flat = card.startswith(("<img", "<dt"))
    assert {text[1] for text in headings.values() if text} == {SHARED_WEIGHT if is_flat else 1.0}


@pytest.mark.parametrize(
    "card",
    [
        "<p><img src=NAME.jpg></p><h3>NAME</h3><p>fresh</p>",
        "<img src=NAME.jpg><h3>NAME</h3>",
        "<div><div><div><img src=NAME.jpg></div></div></div><h3>NAME</h3>",
        "<div><h3><a href=/NAME>NAME</a></h3></div><div><a href=/NAME><img src=NAME.jpg></a></div>",
        "<h3>NAME</h3><p><img src=NAME.jpg></p><p>fresh</p>",
    ],
)
def test_sequences_without_cards_have_no_neighbour_s_heading(card: str) -> None:
    expected = {name: (name, SHARED_WEIGHT) for name in FRUITS}
    for page in (cards(card), cards(card, "<div><h1>Shop</h1>", "</div>")):
        assert texts(page, "heading") == expected


def test_headings_of_sections_are_above_their_images() -> None:
    sections = cards("<h2>NAME</h2><img src=NAME.jpg>", "<h1>Fruit</h1><img src=all.jpg>")
    headings = {"all": "Fruit"} | {name: name for name in FRUITS}
    assert texts(sections, "heading") == {n: (h, SHARED_WEIGHT) for n, h in headings.items()}


@pytest.mark.parametrize("first", ["images", "headings"])
def test_headings_of_tables_by_column(first: str) -> None:
    def row(names: tuple[str, ...]) -> str:
        images = "".join(f"<td><a><img src={name}.jpg></a>" for name in names)
        titles = "".join(f"<td><h3>{name}</h3></td>" for name in names)
        return f"<tr>{images}<tr>{titles}" if first == "images" else f"<tr>{titles}<tr>{images}"

    names = (*FRUITS, "date")
    shop = "<h1>Shop</h1><table><tr><td colspan=2><h2>Fruit</h2></td></tr><tbody>"
    expected = {name: (name, SHARED_WEIGHT) for name in names}
    assert texts(f"{shop}{row(names)}</table>", "heading") == expected
    assert texts(f"{shop}{row(names[:2])}{row(names[2:])}</table>", "heading") == expected


def test_a_badge_below_a_heading_has_that_of_its_card() -> None:
    html = cards("<li><img src=NAME.jpg><h3>NAME</h3><img src=NAME-star.png></li>")
    expected = {name + n: (name, SHARED_WEIGHT) for name in FRUITS for n in ("", "-star")}
    assert texts(html, "heading") == expected


def test_a_heading_above_several_images_is_of_each_with_less_weight() -> None:
    html = "<h2>Red</h2><img src=a.jpg><p>x<img src=b.jpg><h2>Blue</h2><img src=c.jpg>"
    assert texts(html, "heading") == {
        "a": ("Red", SHARED_WEIGHT),
        "b": ("Red", SHARED_WEIGHT),
        "c": ("Blue", SHARED_WEIGHT),
    }


def test_two_images_in_a_card_share_its_heading() -> None:
    html = cards("<article><img src=NAME.jpg><img src=NAME2.jpg><h3>NAME</h3></article>")
    expected = {name + n: (name, SHARED_WEIGHT) for name in FRUITS for n in ("", "2")}
    assert texts(html, "heading") == expected


def test_a_neighbour_s_heading_is_not_taken() -> None:
    html = "<h1>Shop</h1><div><div><img src=a.jpg><h3>A</h3></div><div><img src=b.jpg></div></div>"
    assert texts(html, "heading") == {"a": ("A", 1.0), "b": ("Shop", SHARED_WEIGHT)}


def test_the_only_image_of_a_page_has_the_heading_before_it() -> None:
    html = "<h1>Title</h1><p>x<h2>Part</h2><p><img src=a.jpg><h2>Other</h2>"
    assert texts(html, "heading") == {"a": ("Part", 1.0)}
    assert texts("<img src=a.jpg><p>no heading", "heading") == {"a": None}


@pytest.mark.parametrize(
    ("html", "captions"),
    [
        ("<figure><img src=a.png><figcaption>A</figcaption></figure><img src=b.png>", ("A", None)),
        (
            "<figure><img src=a.png><figure><img src=b.png><figcaption>B</figure></figure>",
            (None, "B"),
        ),
        (
            "<figure><img src=a.png><figcaption>A</figcaption>"
            "<img src=b.png><figcaption>B</figcaption></figure>",
            ("A", "B"),
        ),
        (
            "<figure><figcaption>A</figcaption><img src=a.png>"
            "<figcaption>B</figcaption><img src=b.png></figure>",
            ("A", "B"),
        ),
    ],
)
def test_a_caption_is_of_its_own_figure(html: str, captions: tuple[str | None, ...]) -> None:
    read_captions = texts(html, "caption").values()
    assert tuple(caption and caption[0] for caption in read_captions) == captions


def test_a_caption_of_two_images_weighs_less() -> None:
    html = "<figure><img src=a.png><img src=b.png><figcaption>Both</figcaption></figure>"
    assert texts(html, "caption") == dict.fromkeys("ab", ("Both", SHARED_WEIGHT))


def test_the_layout_of_hostile_pages_is_read_in_linear_time() -> None:
    html = "<h2>x</h2>" + "<div><img src=a.png>" * 4000 + "<h3>y</h3>" + "</li></div>" * 4000
    assert len(read(html).images) == 4000
    deep = "<h2>x</h2>" + "<div>" * 6000 + "<img src=a.png>" * 3000 + "</div>" * 6000
    began = time.process_time()
    assert len(read(deep + "<h3>y</h3>").images) == 3000
    assert time.process_time() - began < 5
