from __future__ import annotations

import pytest

from labeling.html.references import image_references
from labeling.html.scanner import attributes_of


def best(tag: str, *sources: str) -> str:
    references = image_references(attributes_of(tag), [attributes_of(source) for source in sources])
    return references[0] if references else ""


BLANK = "src='data:image/gif;base64,R0lGODlhAQABAAAAACw='"


@pytest.mark.parametrize(
    "tag",
    [
        f"{BLANK} data-src=a.jpg",
        "data-src=a.jpg",
        "src='' data-src=a.jpg",
        "src=/img/blank.gif data-original=a.jpg",
        "src=//cdn.org/spacer.gif?x=1 data-lazy=a.jpg",
        "src=ajax-loader.gif data-lazy-src=a.jpg",
        f"{BLANK} data-lazy-srcset='s.jpg 1x, a.jpg 2x'",
        f"{BLANK} data-srcset='s.jpg 320w,a.jpg 640w' data-sizes=auto",
        "data-echo=a.jpg src=img/1x1.png",
        "data-url=a.jpg src=lazy.png",
        "data-image=a.jpg src=placeholder.svg",
        "data-img=a.jpg src=about:blank",
        "data-hi-res-src=a.jpg src=s.jpg",
        "data-full=a.jpg src=transparent.png",
        "data-large_image=a.jpg src=s.jpg",
        "data-zoom-image=a.jpg src=s.jpg",
        f"{BLANK} data-bg=a.jpg",
        f"{BLANK} data-background-image='a.jpg'",
        f"{BLANK} style='background-image: url(\"a.jpg\"); width:3px'",
        f"{BLANK} data-normal=a.jpg",
        f"{BLANK} data-flickity-lazyload=a.jpg",
        f"{BLANK} data-cfsrc=a.jpg",
        f"{BLANK} pagespeed_lazy_src=a.jpg",
        f"{BLANK} data-ll-src=a.jpg",
        f"{BLANK} data-actualsrc=a.jpg",
        f"{BLANK} lazysrc=a.jpg",
        f"{BLANK} real_src=a.jpg",
        f"{BLANK} data-thumb=s.jpg data-src=a.jpg",
        f"{BLANK} data-src-small=s.jpg data-src=a.jpg",
        f"{BLANK} data-k='[a.jpg, (default)]'",
        f"{BLANK} data-dynamic='{{\"a.jpg\":[300,200]}}'",
        f"{BLANK} data-candidates='s.jpg 1x, a.jpg 2x'",
        "src=none.png file=a.jpg",
        f"{BLANK} data-href=a.jpg",
        f"{BLANK} data-lowsrc=a.jpg",
        f"{BLANK} onload=\"this.src='a.jpg'\"",
        f"{BLANK} data-lqip=s.jpg data-normal=a.jpg",
        "src=s.jpg srcset='m.jpg 320w, a.jpg 900w'",
    ],
)
def test_images_that_load_late_have_their_reference(tag: str) -> None:
    assert best(tag) == "a.jpg"


@pytest.mark.parametrize(
    ("tag", "reference"),
    [
        (f"{BLANK} data-src=/photo/7", "/photo/7"),
        (f"{BLANK} data-src='img.php?id=3'", "img.php?id=3"),
        (f"{BLANK} data-image=https://cdn.org/i/7f3", "https://cdn.org/i/7f3"),
        (f"{BLANK} data-src='red apple.jpg'", "red apple.jpg"),
        (f"{BLANK} data-src=a.jpg@2x.png", "a.jpg@2x.png"),
    ],
)
def test_an_ending_is_not_needed_where_the_name_is_of_images(tag: str, reference: str) -> None:
    assert best(tag) == reference


@pytest.mark.parametrize(
    "tag",
    [
        "data-id=7 data-image-id=12",
        "data-href=shoe.html data-url=https://shop.org/shoes/red",
        "data-track=https://t.org/pixel.gif",
        "data-hover-src=other.jpg data-fallback=no.jpg onerror=\"this.src='x.jpg'\"",
        "data-src={{image.jpg}}",
        "data-lazy=true data-full-width=1 data-image-count=1/7",
        "data-avatar=u.jpg data-title=a.jpg",
    ],
)
def test_other_data_is_not_a_reference(tag: str) -> None:
    assert best(f"src=a.png {tag}") == "a.png"
    assert not best(f"{BLANK} {tag}").startswith(("o", "u", "h", "s", "7", "1", "{", "x", "n"))


def test_a_placeholder_without_another_reference_is_kept() -> None:
    assert image_references({"src": "spacer.gif"}) == ["spacer.gif"]
    assert image_references({"src": "blank-tee.jpg", "data-x": "1"}) == ["blank-tee.jpg"]


def test_all_sizes_are_returned_the_largest_first_and_formats_that_are_not_decoded_last() -> None:
    sources = "srcset='m.jpg 600w, l.jpg 900w'", "type=image/avif srcset='x.avif 2000w'"
    image, *others = map(attributes_of, ("src=i.jpg srcset='s.jpg 300w'", *sources))
    assert image_references(image, others) == ["l.jpg", "m.jpg", "s.jpg", "i.jpg", "x.avif"]
