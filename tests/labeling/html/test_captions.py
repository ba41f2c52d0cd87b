from __future__ import annotations

import pytest

from labeling.html.captions import FAR, NEAR, words_around


def near(page: str) -> str:
    """Return the near words around ``<img>``."""
    start = page.index("<img>")
    return next((text for text, weight in words_around(page, start, start + 5) if weight == 1), "")


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("<div>a <p>b <img> c</p> d</div>", "b c"),
        ("<div>a <p><img></p> d</div>", "a d"),
        ("<p>a<p>b <img> c<p>d", "b c"),
        ("<ul><li>a<li>b <img><li>c</ul>", "b"),
        ("<div>x<ul><li>a<li><img><li>c</ul>y</div>z", "x a c y"),
        ("<table><tr><td>a<td><img> b<td>c</table>", "b"),
        ("<td><table><tr><td><img></td><td>a</td></tr></table>b</td><td>c</td>", "a b"),
        ("<div>a<div>b</div><img><div>c</div>d</div>", "a b c d"),
        ("<div>a<noscript>b</noscript><img><noscript>c</noscript>d</div>", "a d"),
        ("<div>a<span><img></span> b</p> c</div>", "a b c"),
        ("<p><b>a</b>b <img></p></div></div>c", "ab"),
        ("<section>a<p>b<div><img></div><div>c</div></section>d", "a b c"),
        ("<p>a<ul><li><img></ul>b", "a b"),
        ("<body>a<div><img></div></div></section>b</body>c", "a b"),
        ("a <img> b", "a b"),
        ("<img>", ""),
    ],
)
def test_words_are_of_the_nearest_block_that_has_any(page: str, words: str) -> None:
    assert near(page) == words


@pytest.mark.parametrize(
    "filling", [" " * 9000, "<b>" * 3000, "<i title='far'>" * 900, f"<i title='{'far ' * 3000}'>"]
)
def test_what_is_beyond_reach_or_in_a_tag_is_not_read(filling: str) -> None:
    page = f"far {filling} one <img> two {filling} far"
    start = page.index("<img>")
    assert list(words_around(page, start, start + 5)) == [("one two", 1.0)]


def test_words_are_counted_on_either_side() -> None:
    page = "<p>" + "a " * 99 + "<img>" + " b" * 99
    start = page.index("<img>")
    near_words, *far_words = [text.split() for text, _ in words_around(page, start, start + 5)]
    assert near_words == ["a"] * NEAR + ["b"] * NEAR
    assert far_words == [["a"] * (FAR - NEAR), ["b"] * (FAR - NEAR)]


@pytest.mark.parametrize("word", ["w{n}", "<b>w{n}</b>", "<i>w</i>{n} ", "<b title='a b'>w{n}</b>"])
def test_of_a_long_text_with_tags_the_nearest_words_are_taken(word: str) -> None:
    before, after = (
        " ".join(word.format(n=n) for n in numbers) for numbers in (range(200), range(200, 400))
    )
    page = f"<div>{before} <img> {after}</div>"
    start = page.index("<img>")
    texts = [text for text, _ in words_around(page, start, start + 5)]
    near, *far = [[int(word[1:]) for word in text.split()] for text in texts]
    assert near == [*range(200 - NEAR, 200 + NEAR)]
    assert far == [[*range(200 - FAR, 200 - NEAR)], [*range(200 + NEAR, 200 + FAR)]]


def test_images_without_a_word_between_them_have_no_words() -> None:
    page = "<div>" + "\n<img src=a.png>" * 200 + "</div>"
    start = page.index("<img", 1500)
    assert list(words_around(page, start, page.index(">", start) + 1)) == []
