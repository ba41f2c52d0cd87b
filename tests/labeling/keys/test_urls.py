from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.keys import ids
from labeling.keys.urls import MAX_BAD, MAX_URL, Resolver, host_of, resource, serialised, url_id

EQUAL = [
    ("https://a.org/a b.jpg", "https://a.org/a%20b.jpg"),
    ("https://a.org/é.jpg", "https://a.org/%c3%a9.jpg"),
    ("https://a.org/%c3%bc", "https://a.org/%C3%BC"),
    ("https://a.org/?q=ü&x= y", "https://a.org/?q=%c3%bc&x=%20y"),
    ("https:\\\\a.org\\x\\y.jpg", "https://a.org/x/y.jpg"),
    (" https://a.org/x\t/y\n.jpg ", "https://a.org/x/y.jpg"),
    ("HTTP://A.ORG:80/x", "http://a.org/x"),
    ("https://a.org:443", "https://a.org/"),
    ("https://a.org/x/./y/../z%2e%2E/%2e", "https://a.org/x/z../"),
    ("https://Bücher.example/", "https://xn--bcher-kva.example/"),
    ("https://a.org/%7Eme/%61", "https://a.org/~me/a"),
    ("https://a.org/x#top", "https://a.org/x"),
    ("https:///a.org//x", "https://a.org//x"),
    ("https://a.org/a|b[1]?x[]={y}^`\\", "https://a.org/a%7cb%5b1%5D?x%5B%5D=%7By%7D%5E%60%5C"),
    ("http://[::1]/a[1]", "http://[::1]/a%5B1%5D"),
    ("https://a.org/\ud800", "https://a.org/\ufffd"),
]


@pytest.mark.parametrize(("first", "second"), EQUAL)
def test_urls_that_browsers_treat_as_equal_are_equal(first: str, second: str) -> None:
    assert serialised(first) == serialised(second) != ""
    assert url_id(first) == url_id(second) == ids.digest(serialised(second))
    assert resource(first) == resource(second)
    assert Resolver("https://b.org/")(first) == serialised(second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("https://a.org/%2F", "https://a.org//"),
        ("https://a.org/x?y", "https://a.org/x%3Fy"),
        ("https://a.org/%252F", "https://a.org/%2F"),
        ("https://a.org/X", "https://a.org/x"),
        ("https://a.org:8080/", "https://a.org/"),
    ],
)
def test_urls_of_different_resources_differ(first: str, second: str) -> None:
    assert serialised(first) != serialised(second)


@pytest.mark.parametrize(
    "text",
    ["", "http://[a.org/", "http://a.org:99999/", "http://", "mailto:a@b", "x", "http://a b/"]
    + ["https://a.org/" + MAX_URL * "x", "http://\udfff\ud800/", "http://%zz/"],
)
def test_invalid_urls_are_empty_and_names_keep_their_id(text: str) -> None:
    assert serialised(text) == ""
    assert Resolver("https://b.org/")(text) in ("", "https://b.org/", "https://b.org/x")
    assert url_id(text) == ids.digest(text)
    assert resource(text) == text


INDEXES = ["index.html", "INDEX.htm", "Index.PHP", "default.asp", "Default.aspx"]


@pytest.mark.parametrize("name", INDEXES)
def test_a_folder_and_its_page_have_one_url(name: str) -> None:
    resolve = Resolver("https://a.org/x/")
    assert serialised(f"https://a.org/x/{name}") == resolve(name) == "https://a.org/x/"
    assert resolve(f"/x/{name}") == resolve(f"/x/./{name}#top") == "https://a.org/x/"
    for other in (f"/x/{name}y", f"/x/a{name}", f"/{name}/", f"/x?{name}"):
        assert resolve(other) == serialised(f"https://a.org{other}") == f"https://a.org{other}"


ADDRESSES = st.text(alphabet="/.?a=-_~%&:é \\@#[]49eEfF\t\ud800ß:", max_size=30)


@given(ADDRESSES | st.text(max_size=30))
def test_the_common_form_of_a_common_form_is_itself(rest: str) -> None:
    for text in (
        f"https://a.org/{rest}",
        f"http://{rest}",
        rest,
        f"https://a.org/%69ndex.htm{rest}",
    ):
        once = serialised(text)
        assert serialised(once) == once
        assert once.isascii()
        assert not once or host_of(once) == host_of(text)
        assert Resolver("https://b.org/x")(once) == once


@given(
    ADDRESSES | st.text(max_size=30) | st.builds(str.__add__, ADDRESSES, st.sampled_from(INDEXES))
)
def test_a_plain_reference_is_resolved_as_the_parser_does(rest: str) -> None:
    long = f"https://A.org/{rest}"  # the host in capitals is never plain
    assert Resolver("https://a.org/x/y")(f"/{rest}") in (serialised(long), *_beside_root(rest))
    assert serialised(f"https://a.org/{rest}") == serialised(long)


def _beside_root(rest: str) -> list[str]:
    """Return what a reference may lead to that begins with a second slash: to another host."""
    return [serialised(f"https:/{rest}")] if rest.strip()[:1] in ("/", "\\", "") else []


def test_a_query_is_escaped_in_the_encoding_of_the_page() -> None:
    resolve = Resolver("https://a.org/", "gb18030")
    assert resolve("/毛?q=毛#毛") == "https://a.org/%E6%AF%9B?q=%C3%AB"
    assert Resolver("https://a.org/", "cp1252")("?q=é毛") == "https://a.org/?q=%E9%26%2327611%3B"


def test_invalid_references_are_listed_once_and_counted() -> None:
    resolve = Resolver("https://a.org/")
    for reference in ("http://[x", "http://[x", "mailto:a@b", "data:,x", "#top", " ", "y", None):
        resolve(reference)
    assert resolve.losses() == [("bad_url", "http://[x")]
    for number in range(25):
        resolve(f"//[{number}")
    assert resolve.losses()[MAX_BAD:] == [("bad_url", "6 more")]


def test_the_host_is_in_lower_case_and_without_port() -> None:
    hosts = ["https://A.org:80/x", "http://user@b.org?x", "http://[::1]:8/", "s3://Bucket/x", "x y"]
    assert [host_of(url) for url in hosts] == ["a.org", "b.org", "[::1]", "bucket", ""]
