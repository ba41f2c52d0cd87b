from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.html.page import MAX_LINKS, Link, read_page
from labeling.html.page_images import PageImage, filename_words
from labeling.html.scanner import attributes_of

PAGE = """<!doctype html><html lang="en"><head><title> All about
 fruit </title><base href="/pics/"></head><body>
<h1>Fruit</h1><nav><a href="https://b.org/x#top">More <b>fruit</b></a>
<a href="mailto:a@b">mail</a></nav>
<h2>Apples</h2>
<p>We love red ones. <figure><img src="red%20apple.jpg" alt=" A red
apple " title="ripe"><figcaption>An <i>apple</i></figcaption></figure> Eaten daily.</p>
<h2>Pears</h2><div><p>Green pears <img data-src="//cdn.org/IMG_2041.jpg"></p></div>
<img src="data:image/png;base64,AAAA"><img><img src="http://[bad">
</body></html>"""


def texts_of(image: PageImage) -> dict[str, str]:
    return {text.source: text.text for text in image.texts}


def test_every_text_about_an_image_is_found() -> None:
    page = read_page(PAGE.encode(), "https://a.org/fruit.html")
    apple, pear = page.images
    assert apple.url == "https://a.org/pics/red%20apple.jpg"
    texts = texts_of(apple)
    assert texts["alt"] == "A red apple"
    assert texts["tooltip"] == "ripe"
    assert texts["caption"] == "An apple"
    assert texts["filename"] == "red apple"
    assert texts["heading"] == "Apples"
    assert texts["title"] == "All about fruit"
    assert "apple" not in texts["surrounding"]
    assert [reason for reason, _ in page.losses] == ["no_image_url", "no_image_url", "bad_url"]
    assert pear.url == "https://cdn.org/IMG_2041.jpg"
    assert texts_of(pear) == {
        "heading": "Pears",
        "title": "All about fruit",
        "surrounding": "Green pears",
    }


def test_links_are_absolute_and_lose_their_fragment() -> None:
    page = read_page(PAGE.encode(), "https://a.org/fruit.html")
    assert page.links == (Link("https://b.org/x", "More fruit", nav=True),)
    assert page.lang == "en"


def test_the_declared_charset_is_used() -> None:
    html = '<meta charset="iso-8859-1"><img src="a.jpg" alt="Café">'
    page = read_page(html.encode("latin-1"), "https://a.org/")
    assert texts_of(page.images[0])["alt"] == "Café"


@pytest.mark.parametrize("content", [b"", b"\x00\xff", b"<", b"plain", b"<img alt=x"])
def test_any_bytes_are_a_page(content: bytes) -> None:
    assert read_page(content, "https://a.org/").images == ()


def test_deep_and_wide_pages_end() -> None:
    deep = b"<div>" * 20_000 + b"<img src=a.jpg alt=cat>"
    assert len(read_page(deep, "https://a.org/").images) <= 1
    wide = b"<a href=x>x</a>" * (MAX_LINKS + 500)
    assert len(read_page(wide, "https://a.org/").links) == MAX_LINKS


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("IMG_2041.jpg", ""),
        ("DSC00012.JPG", ""),
        ("P1010003.jpeg", ""),
        ("d41d8cd98f00b204e9800998ecf8427e.png", ""),
        ("red-apple_2.final.jpg", "red apple final"),
        ("facade.jpg", "facade"),
        ("", ""),
    ],
)
def test_file_names_give_words_unless_a_machine_made_them(name: str, words: str) -> None:
    assert filename_words(f"https://a.org/x/{name}") == words


RICH = b"""<head><meta name=Description content="A shop"><meta property=og:title content="Red mug">
<meta property=og:image content=/og.png><meta property=og:image:alt content="a mug">
<script type="application/ld+json">{"@graph": [{"@type": "Product", "name": "Blue cup",
"image": {"@type": "ImageObject", "url": "/lazy.png", "caption": "cup, seen from above"}}]}</script>
<script type="application/ld+json">{"broken</script></head><body>
<a href=/cup title="see the cup"><img src="data:image/gif;base64,AA" data-src=/lazy.png></a>
<picture><source srcset="s.png 1x, /l.png 2x"><img srcset="/m.png 300w, /n.png 900w"></picture>
<aside><a href=/z rel="nofollow">z</a></aside><a href=/y>y</a></body>"""


def test_metadata_lazy_images_and_links_around_images_are_read() -> None:
    page = read_page(RICH, "https://a.org/")
    lazy, picture, shared = page.images
    assert (lazy.url, picture.url, shared.url) == tuple(
        f"https://a.org/{name}.png" for name in ("lazy", "n", "og")
    )
    assert picture.others == tuple(f"https://a.org/{name}.png" for name in ("m", "l", "s"))
    assert texts_of(lazy)["link"] == "see the cup"
    assert texts_of(lazy)["description"] == "A shop"
    linked_texts = [text.text for text in lazy.texts if text.source == "json_ld"]
    assert sorted(linked_texts) == ["Blue cup", "cup, seen from above"]
    assert texts_of(shared)["og_title"] == "Red mug"
    assert texts_of(shared)["og_alt"] == "a mug"
    assert "og_title" not in texts_of(lazy)
    assert page.links[1:] == (
        Link("https://a.org/z", "z", "nofollow", True),
        Link("https://a.org/y", "y", "", False),
    )


@pytest.mark.parametrize(
    "script",
    [
        '{"name": "Blue\ncup\t!", "image": "a.jpg"}',
        '{"name": "Blue cup !", "image": ["a.jpg",],}',
        '<!-- {"name": "Blue cup !", "image": "a.jpg"} -->',
        '<![CDATA[{"name": "Blue cup !", "image": "a.jpg"}]]>',
        '//<![CDATA[\n{"name": "Blue cup !", "image": "a.jpg"}\n//]]>',
        '/*<![CDATA[*/{"name": "Blue cup !", "image": "a.jpg"}/*]]>*/;',
        '{"name": "Blue cup !", // the name\n"image": "a.jpg" /* here */}',
        '{"name": "x, ]// y"} {"name": "Blue cup !", "image": {"@type": ["ImageObject"],'
        ' "url": "a.jpg"},}',
        '{"name": "Blue cup !", "description": "a cook\\\'s", "image": "a.jpg"}',
    ],
)
def test_linked_data_is_read_as_people_write_it(script: str) -> None:
    html = f'<script type="Application/LD+JSON">{script}</script>'
    page = read_page(html.encode(), "https://a.org/")
    (image,) = page.images
    assert (image.url, page.losses) == ("https://a.org/a.jpg", ())
    assert "Blue cup !" in [text.text for text in image.texts if text.source == "json_ld"]


@pytest.mark.parametrize(
    "item",
    [
        {"name": ["Blue cup", 7], "image": "/a.jpg"},
        {"name": {"@value": "Blue cup", "@language": "en"}, "image": [{"url": ["/a.jpg"]}]},
        {"name": [{"@value": "Blue cup"}], "image": {"@id": "/a.jpg"}},
        {"@type": "https://schema.org/ImageObject", "name": "Blue cup", "contentUrl": "/a.jpg"},
        {"@type": ["schema:ImageObject"], "name": "Blue cup", "url": ["/a.jpg", "/b.jpg"]},
        {"headline": "Blue cup", "thumbnailUrl": "/a.jpg"},
    ],
)
def test_values_of_linked_data_may_be_arrays_and_objects(item: dict[str, object]) -> None:
    script = f'<script type="application/ld+json">{json.dumps(item)}</script>'
    (image,) = read_page(script.encode(), "https://a.org/").images
    assert image.url == "https://a.org/a.jpg"
    assert texts_of(image)["json_ld"] == "Blue cup"


@pytest.mark.parametrize("image", [{"@id": "/#main"}, "/#main", [{"@id": "/#main", "name": "x"}]])
def test_an_image_of_linked_data_may_be_the_id_of_an_item(image: object) -> None:
    named = {"@type": "ImageObject", "@id": "/#main", "url": "/a.jpg", "caption": "A cup"}
    graph = [{"name": "Blue cup", "image": image}, {"@id": "/#main"}, named]
    script = f'<script type="application/ld+json">{json.dumps({"@graph": graph})}</script>'
    (picture,) = read_page(script.encode(), "https://a.org/").images
    assert picture.url == "https://a.org/a.jpg"
    texts = [text.text for text in picture.texts if text.source == "json_ld"]
    assert sorted(texts) == ["A cup", "Blue cup"]


def test_an_id_of_no_item_in_linked_data_is_not_the_page() -> None:
    item = {"name": "Blue cup", "image": {"@id": "https://a.org/#main"}}
    script = f'<script type="application/ld+json">{json.dumps(item)}</script>'
    assert read_page(script.encode(), "https://a.org/").images == ()


def test_all_values_of_a_key_that_occurs_twice_in_linked_data_are_read() -> None:
    item = '{"image": ["/a.jpg"], "name": "Blue cup", "image": "/b.jpg", "name": "Mug"}'
    script = f'<script type="application/ld+json">{item}</script>'
    images = read_page(script.encode(), "https://a.org/").images
    assert [image.url for image in images] == ["https://a.org/a.jpg", "https://a.org/b.jpg"]
    for image in images:
        texts = [text.text for text in image.texts if text.source == "json_ld"]
        assert texts == ["Blue cup", "Mug"]


def test_linked_data_that_cannot_be_read_is_counted() -> None:
    page = read_page(b"<script type=application/ld+json> {a </script>", "https://a.org/")
    assert page.losses == (("bad_json_ld", "{a"),)


@pytest.mark.parametrize(
    ("href", "others"),
    [("/full.jpg", ("https://a.org/thumb.jpg",)), ("/full.JPG?x=1", ("https://a.org/thumb.jpg",))],
)
def test_a_thumbnail_in_a_link_to_an_image_is_that_image(href: str, others: tuple[str]) -> None:
    html = f"<a href={href}><img src=thumb.jpg alt=x></a>"
    (image,) = read_page(html.encode(), "https://a.org/").images
    assert (image.url, image.others) == (f"https://a.org{href}", others)


@pytest.mark.parametrize(
    "html",
    [
        "<a href=/wiki/File:Full.jpg><img src=thumb.jpg></a>",
        "<a href=/full.html><img src=thumb.jpg></a>",
        "<a href=/full.jpg><img src=thumb.jpg><img src=icon.jpg></a>",
        "<a href=/full.jpg>text</a><img src=thumb.jpg>",
    ],
)
def test_other_links_lead_to_no_image(html: str) -> None:
    assert read_page(html.encode(), "https://a.org/").images[0].url == "https://a.org/thumb.jpg"


@pytest.mark.parametrize(
    "html",
    [
        "<img src='data:,' data-src=a.jpg alt=x><noscript><img src=a.jpg></noscript>",
        "<img class=lazy alt=x> <noscript> <img src=a.jpg> </noscript>",
        "<noscript><img src=a.jpg></noscript><img src=blank.gif alt=x>",
        "<img src=a.jpg alt=x><noscript><img src=a.jpg alt=x></noscript>",
        "<picture><source data-srcset='a.jpg 2x'><img src='data:,' alt=x></picture>"
        "<noscript><img src=a.jpg></noscript>",
        "<img src=a.jpg alt=x><noscript><img src=//t.org/tr width=1 height=1></noscript>",
        "<amp-img src=a.jpg alt=x></amp-img>",
    ],
)
def test_an_image_and_its_copy_without_scripts_are_one(html: str) -> None:
    image = read_page(html.encode(), "https://a.org/").images[0]
    assert (image.url, image.others) == ("https://a.org/a.jpg", ())
    assert [text.text for text in image.texts if text.source == "alt"] == ["x"]


def test_nearer_words_weigh_more() -> None:
    words = [f"w{number}" for number in range(100)]
    html = f"<p>{' '.join(words[:50])} <img src=a.png> {' '.join(words[50:])}</p>"
    texts = read_page(html.encode(), "https://a.org/").images[0].texts
    near, *far = [text for text in texts if text.source == "surrounding"]
    assert near.text.split() == words[40:60] and near.weight == 1
    assert [text.text.split() for text in far] == [words[10:40], words[60:90]]
    assert all(0 < text.weight < near.weight for text in far)


LINKED = """<a href="/1">a <b>b</b></a> <A HREF=/2 rel=next>c <p>d</p> e <a name=x>no</a>
<td><a class=y href='/3?a=1&amp;b=2'>f</td> g <div role=navigation><div><a href=/4><img src=i.png
alt=x></a></div><a href=/5>h<br>i</a></div><a href=/6>j"""


def test_links_end_where_they_should() -> None:
    page = read_page(LINKED.encode(), "https://a.org/")
    assert [(link.url[13:], link.text, link.nav) for link in page.links] == [
        ("/1", "a b", False),
        ("/2", "c d", False),
        ("/3?a=1&b=2", "f", False),
        ("/4", "", True),
        ("/5", "h i", True),
        ("/6", "j", False),
    ]
    assert page.links[1].rel == "next"


PARTS = [
    "rel=a",
    "REL='b c'",
    " Rel",
    "class=rel",
    'title="x rel=d"',
    "data-rel=e",
    "href=/z",
    "b/",
]


@given(
    st.lists(st.sampled_from(PARTS)).map(" ".join), st.sampled_from(['href="/y"', "href=/y", ""])
)
def test_rel_is_read_wherever_it_is(others: str, href: str) -> None:
    page = read_page(f"<a {href} {others}>x</a>".encode(), "https://a.org/")
    written = attributes_of(f"{href} {others}")
    expected = (f"https://a.org{written.get('href')}", written.get("rel", ""))
    assert [(link.url, link.rel) for link in page.links] == [expected] * ("href" in written)


def test_figures_and_headings_may_be_nested_or_left_open() -> None:
    html = """<h2>A<img src=1.png></h3><figure><figure><img src=2.png><figcaption>b</figure>
    <figure><img src=3.png></figure></figure><h1>c<img src=4.png><p>d"""
    texts_of_images = [
        texts_of(image) for image in read_page(html.encode(), "https://a.org/").images
    ]
    assert [texts.get("caption") for texts in texts_of_images] == [None, "b", None, None]
    assert [texts["heading"] for texts in texts_of_images] == ["A", "A", "A", "c d"]


@pytest.mark.parametrize(
    "part",
    [
        "<img src='data:,' x='%s'>" % ("a" * 16_000),
        "<img src='data:,' x='{}' data-src='{} x'>".format(".jp" * 5_000, "a.jpg?" * 2_600),
        "<img src='{}.gif' data-src='{}'>".format("blank-" * 2_600, "blank/" * 2_600),
        "<img srcset='%s'>" % ("a,( 1" * 3_200),
        "<img srcset='%s'>" % (", a 1x" * 2_600),
        "<img data-srcset='%s'>" % (" 1" * 8_000),
        "<script type=application/ld+json>%s</script>" % ("/*" * 8_000),
        "<script type=application/ld+json>{,%s</script>" % ("1 " * 8_000),
        "<script type=application/ld+json>'%s</script>" % ('"\\' * 8_000),
        "<!-- charset --><meta %s" % ("a" * 16_000),
        "charset" + "<a" * 8_000,
        "<figure><img src=a.png><figcaption>" * 400,
        "<noscript><img src=a.png>" * 600,
    ],
)
def test_hostile_parts_are_read_in_seconds(part: str) -> None:
    html = (part * (1 + 300_000 // len(part))).encode()
    began = time.process_time()
    read_page(html, "https://a.org/")
    assert time.process_time() - began < 5


def og(html: str) -> list[tuple[str, tuple[str, ...], dict[str, str]]]:
    page = read_page(html.encode(), "https://a.org/")
    assert page.losses == ()
    return [
        (image.url.removeprefix("https://a.org/"), image.others, texts_of(image))
        for image in page.images
    ]


@pytest.mark.parametrize("attribute", ["property", "name", "Property", "itemprop='x' NAME"])
@pytest.mark.parametrize("kind", ["og:image", "og:image:url", "og:image:secure_url", "OG:Image"])
def test_the_image_of_opengraph_may_be_given_in_several_ways(attribute: str, kind: str) -> None:
    ((url, others, texts),) = og(
        f"<meta {attribute}='{kind}' content='/a.jpg'><meta {attribute}=og:title content=Mug>"
    )
    assert (url, others, texts) == ("a.jpg", (), {"filename": "a", "og_title": "Mug"})


def test_all_images_of_opengraph_are_read_each_with_its_own_text() -> None:
    metas = (
        ("og:title", "Mugs"),
        ("og:image", "/red.jpg"),
        ("og:image:secure_url", "/red-large.jpg"),
        ("og:image:alt", "a red mug"),
        ("og:image", "/blue.jpg"),
        ("og:image:alt", "a blue mug"),
        ("og:image", "/red.jpg"),
        ("og:image:secure_url", "/red-large.jpg"),
    )
    html = "".join(f"<meta property={name} content='{content}'>" for name, content in metas)
    red, blue = og(html + "<img src=/blue.jpg alt=B>")[::-1]
    assert red[:2] == ("red.jpg", ("https://a.org/red-large.jpg",))
    assert (red[2]["og_title"], red[2]["og_alt"]) == ("Mugs", "a red mug")
    assert blue[0] == "blue.jpg"
    assert (blue[2]["alt"], blue[2]["og_alt"]) == ("B", "a blue mug")


def test_images_of_opengraph_beyond_the_most_are_a_loss() -> None:
    html = "".join(f"<meta property=og:image content=/{n}.jpg>" for n in range(23))
    page = read_page(html.encode(), "https://a.org/")
    assert len(page.images) == 20
    assert page.losses == (("too_many_images", "3 more of OpenGraph"),)


def test_images_without_a_url_are_losses() -> None:
    whole, blank = "data:image/png;base64," + "A" * 400, "data:image/gif;base64,R0lGOD"
    html = (
        f"<img src='{whole}' alt='a cat'><img src='{blank}' alt=dog>"
        f"<img src='{whole}' data-src=/b.jpg><img alt=bee><img src='http://['>"
    )
    page = read_page(html.encode(), "https://a.org/")
    assert [image.url for image in page.images] == ["https://a.org/b.jpg"]
    without = (("inlined_image", whole[:50]), ("no_image_url", blank), ("no_image_url", ""))
    assert page.losses == (*without, ("bad_url", "http://["))


def test_a_label_for_screen_readers_replaces_a_missing_text() -> None:
    html = b"<img src=/a.jpg aria-label=Apple><img src=/b.jpg alt=Pear aria-label=Apple>"
    assert [texts_of(image)["alt"] for image in read_page(html, "https://a.org/").images] == [
        "Apple",
        "Pear",
    ]


def test_the_element_image_is_an_image() -> None:
    html = (
        "<image src=/a.jpg alt=A><svg><image xlink:href=/b.jpg></image><image href=/c.jpg /></svg>"
    )
    page = read_page(html.encode(), "https://a.org/")
    assert [image.url for image in page.images] == [
        f"https://a.org/{name}.jpg" for name in ("a", "b", "c")
    ]
    assert texts_of(page.images[0])["alt"] == "A"


@pytest.mark.parametrize(
    ("html", "title"),
    [
        ("<svg><title>icon</title></svg><title>Shop</title>", "Shop"),
        ("<svg><g/><title>icon</title></svg>", None),
        ("<svg><svg></svg><title>icon</title></svg><title>Shop</title>", "Shop"),
        ("<SVG viewBox='0 0 1 1'/><title>Shop</title>", "Shop"),
        ("</svg><title>Shop</title><svg><title>icon</title></svg>", "Shop"),
    ],
)
def test_the_title_of_a_drawing_is_not_that_of_the_page(html: str, title: str | None) -> None:
    (image,) = read_page(f"{html}<img src=/a.jpg>".encode(), "https://a.org/").images
    assert texts_of(image).get("title") == title
