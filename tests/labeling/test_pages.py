from __future__ import annotations

import pytest

from labeling.pages import MAX_LINKS, Link, PageImage, filename_words, read_page

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
