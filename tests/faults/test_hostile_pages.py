"""Pages made to take long: the time for a page is bounded by its length, and so are its losses."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from labeling.html.image_tags import MAX_IMAGES
from labeling.html.page import MAX_PAGE_BYTES, Page, read_page
from labeling.html.scanner import MAX_TAGS, MAX_TEXT

LENGTH = 100_000

PAGES: dict[str, Callable[[int], bytes]] = {
    "deep": lambda n: b"<div>" * (n // 5) + b"<img src=a.png>",
    "one attribute": lambda n: b"<img src=a.png alt='" + b"a " * (n // 2) + b"'>",
    "references": lambda n: b"<img src=a.png alt='" + b"&amp;" * (n // 5) + b"'>",
    "many attributes": lambda n: b"<img " + b"".join(b"a%d=1 " % i for i in range(n // 9)) + b">",
    "nothing closed": lambda n: b"<p>a<b>b<i>c<li>d<td>e<a href=x>f<img src=a>" * (n // 44),
    "formatting": lambda n: b"".join(b"<b id=%d><p>x" % i for i in range(n // 14)),
    "caption": lambda n: b"<figure>" + b"<img src=a>" * 500 + b"<figcaption>" + b"a " * (n // 2),
    "heading": lambda n: b"<h1>" + b"<b>a" * (n // 4) + b"</h1>" + b"<img src=a>" * 100,
    "link": lambda n: b"<a href=x>" + b"<img src=a>a" * (n // 12),
    "links": lambda n: b"<a href=x><b><table>" * (n // 20),
    "block": lambda n: b"<div>" + b"<img src=a> word " * (n // 17),
    "figures": lambda n: b"<figure><img src=a>" * (n // 19),
    "cells": lambda n: b"<table><tr><td><img src=a>" * (n // 26),
    "blocks": lambda n: (b"<img src=a>" + b"<p>" * 330) * (n // 1000),
    "pictures": lambda n: b"<picture><source srcset='a 1x, b 2x'><img src=a>" * (n // 49),
    "roles": lambda n: b"".join(b"<d%d role=navigation>" % i for i in range(n // 23)),
    "<": lambda n: b"<" * n,
    "< ": lambda n: b"< " * (n // 2),
    "<!--": lambda n: b"<!--" * (n // 4),
    "<a": lambda n: b"<a " * (n // 3),
    "<a x='": lambda n: b"<a x='\"" * (n // 7),
    "<a =": lambda n: b"<a " + b"= " * (n // 2),
    "<script": lambda n: b"<script " * (n // 8),
    "</script": lambda n: b"<script>" + b"</scrip " * (n // 8),
    "linked data": lambda n: b"<script type=application/ld+json>" + b"[" * n + b"</script>",
}


def timed(content: bytes) -> tuple[float, Page]:
    began = time.process_time()
    page = read_page(content, "http://a.org/")
    return time.process_time() - began, page


@pytest.mark.parametrize("name", PAGES)
def test_time_grows_with_the_length_of_a_page_and_no_faster(name: str) -> None:
    """Four times the length may take 4 times as long: what is quadratic takes 16 times."""
    short, _ = timed(PAGES[name](LENGTH // 4))
    long, page = timed(PAGES[name](LENGTH))
    assert long < 10 * short + 0.2
    assert len(page.losses) < 5
    assert all(len(text.text) <= MAX_TEXT for image in page.images for text in image.texts)


def test_images_beyond_the_bound_are_one_loss() -> None:
    page = read_page(b"<img src=a.png>" * (MAX_IMAGES + 7), "http://a.org/")
    assert len(page.images) == MAX_IMAGES
    assert page.losses == (("too_many_images", "7 more"),)


CARDS = ("<a href=x>", "<h1>x", "<li><img src=a.png>", "<figure><img src=a>")


@pytest.mark.parametrize("card", CARDS)
def test_a_page_of_8_mebibytes_takes_seconds_and_what_is_left_out_is_a_loss(card: str) -> None:
    n_tags = card.count("<") * (MAX_PAGE_BYTES // len(card))
    seconds, page = timed(card.encode() * (MAX_PAGE_BYTES // len(card)))
    assert seconds < 5
    assert page.losses[0] == ("too_many_tags", f"{n_tags} tags")


def test_a_page_is_read_up_to_the_bound_of_tags() -> None:
    few = b"<p></p>" * (MAX_TAGS // 2 - 1) + b"<img src=a.png><img src=b.png>"
    assert [image.url for image in timed(few)[1].images] == [
        "http://a.org/a.png",
        "http://a.org/b.png",
    ]
    cut = timed(b"<p>" + few)[1]
    assert [image.url for image in cut.images] == ["http://a.org/a.png"]
    assert cut.losses == (("too_many_tags", f"{MAX_TAGS + 1} tags"),)
