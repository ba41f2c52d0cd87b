from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.html.srcset import srcset_references


@pytest.mark.parametrize(
    ("srcset", "references"),
    [
        ("a.jpg 320w,b.jpg 1280w", ["b.jpg", "a.jpg"]),
        ("a.jpg,b.jpg 2x", ["a.jpg,b.jpg"]),
        ("a.jpg, b.jpg 2x", ["b.jpg", "a.jpg"]),
        ("a.jpg 1x ,\n\tb.jpg\n1.5x", ["b.jpg", "a.jpg"]),
        ("a.jpg,", ["a.jpg"]),
        (",a.jpg 2x,,", ["a.jpg"]),
        ("/f(1,2)/a.jpg 100w, /f(1,2)/b.jpg 200w", ["/f(1,2)/b.jpg", "/f(1,2)/a.jpg"]),
        ("a.jpg (x,y) 2x, b.jpg", ["b.jpg"]),
        ("a.jpg 10px, b.jpg 300w 200h", ["b.jpg"]),
        ("data:image/gif;base64,R0lGOD 1w, b.jpg 2w", ["b.jpg", "data:image/gif;base64,R0lGOD"]),
        ("a.jpg 1e3x, b.jpg 20x, c.jpg .5x", ["a.jpg", "b.jpg", "c.jpg"]),
        ("", []),
        (" , ", []),
    ],
)
def test_srcset_is_parsed_as_the_standard_does(srcset: str, references: list[str]) -> None:
    assert [reference for reference, _ in srcset_references(srcset)] == references


@given(st.text(alphabet="ab.,()12wx \n-", max_size=60))
def test_any_text_is_a_srcset(srcset: str) -> None:
    sizes = [size for _, size in srcset_references(srcset)]
    assert sizes == sorted(sizes, reverse=True)
