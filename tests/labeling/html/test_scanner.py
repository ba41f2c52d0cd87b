from __future__ import annotations

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from resiliparse.parse.html import HTMLTree

from labeling.html.outline import Outline
from labeling.html.scanner import MAX_TEXT, attributes_of, clean, read_markup, without_tags

PIECES = (
    "<img src=a.png alt=b>", "<IMG alt='x > y' src = \"c.png\">", "<b title=\"", "<i lang='", "<p>",
    "</p>", "<u", "word", " < ", "&lt;", "<", ">", "/", "=", "\"", "'", " ", "!", "-", "--", "<!--",
    "-->", "--!>", "<!x>", "<?php ?>", "</ >", "</>", "<script>", "</script>", "<script x='",
    "<style>", "</STYLE >", "<textarea>", "</textarea>", "<title>", "</title>", "<iframe>",
    "</iframe/>", "<img/src=d.png>", "<img src=e/>", "<img alt>", "<img alt=1 alt=2 src=f>", "<a\n",
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
def test_the_same_images_are_found_as_by_a_parser_with_a_tree(page: str) -> None:
    """Match all but scripts with a script in a comment, which end only after that comment."""
    assume(not re.search("<script.*<!--.*<script", page, re.DOTALL))
    document = HTMLTree.parse(page).document
    expected = [
        (node.getattr("src") or "", node.getattr("alt") or "")
        for node in document.query_selector_all("img")[:]
    ]
    attributes = [
        attributes_of(tag.attributes) for tag in Outline(read_markup(page).page).tags("img")
    ]
    assert [(image.get("src", ""), image.get("alt", "")) for image in attributes] == expected


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
def test_the_regular_form_stays_as_it_is(page: str) -> None:
    regular = read_markup(page).page
    assert read_markup(regular).page == regular


@pytest.mark.parametrize(
    ("page", "regular"),
    [
        ("a <b>c</b>", "a <b>c</b>"),
        ("<!-- <a> --><!--><a>", "<!><!><a>"),
        ("<a x='>'>1<2</a>", "<a x='&gt;'>1&lt;2</a>"),
        ("<a x=it's>b</a>", "<a x=it's>b</a>"),
        ('<a x="y"">b</a>', '<a x="y"">b</a>'),
        ("<SCRIPT>if (a<b) '</p>'</script >x", "<script></script >x"),
        ("<script-x><b></script-x>", "<script-x><b></script-x>"),
        ("<title>a <b> c</title>", "<title>a &lt;b&gt; c</title>"),
        ("x<b title='", "x<!>"),
        ("x<script src=", "x<!>"),
        ("x<script>y", "x<script>"),
        ("<b <i>>c", "<b &lt;i>>c"),
    ],
)
def test_pages_are_brought_into_the_regular_form(page: str, regular: str) -> None:
    assert read_markup(page).page == regular


def test_linked_data_is_kept() -> None:
    page = "<!--<script type=application/ld+json>1</script>--><script type='application/ld+json'>"
    assert read_markup(page + '{"a": "<b>"}</script>').linked_data == ('{"a": "<b>"}',)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("x='a&amp;b'", "a&b"),
        ("x=?a=1&copy=2&amp;lt=3", "?a=1&copy=2&lt=3"),
        ("x='&copy; &#169; &#xA9; &copyx'", "© © © &copyx"),
        ("x='&#" + "9" * 5000 + ";'", "�" + "9" * 4991 + ";"),
        ("X", ""),
        ("x=1 x=2", "1"),
        ("y='x=1' x = 2", "2"),
        ('x="1"y="2"', "1"),
    ],
)
def test_attributes_are_read_by_the_rules_of_html(written: str, value: str) -> None:
    assert attributes_of(written)["x"] == value


def test_words_are_cut_and_kept_whole() -> None:
    assert without_tags("<p>a</p><b>b</b>c<!>d<br>e").split() == ["a", "bcd", "e"]
    assert clean("&#" + "9" * 5000 + ";").startswith("&#99")
    assert len(clean("word " * MAX_TEXT)) <= MAX_TEXT


@given(st.text(alphabet="ab \n\xa0;#", max_size=40).map(lambda text: text * 500))
def test_words_without_references_are_read_as_those_with_some(text: str) -> None:
    assert clean("x" + text) == clean("&#120;" + text)
