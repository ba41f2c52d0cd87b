"""Pages that are made to take time or memory: deep, wide, or with attributes of megabytes."""

from __future__ import annotations

import random

MAX_BYTES = 9 << 20
"""Bytes of a page: some more than are read."""

_ELEMENTS = (
    b"div", b"li", b"table", b"tr", b"td", b"p", b"a href=/x", b"figure", b"figcaption", b"h2",
    b"picture", b"source srcset='a.png 2x'", b"noscript", b"nav", b"span hidden", b"b id=1",
    b"x-card", b"template", b"script type=application/ld+json", b"base href=/", b"title",
    b"div role=navigation", b"meta name=description content=x", b"article style='display:none'",
    b"img src=a.png", b"img src=b.png alt=apple", b"img data-src=c.png src=data:,",
)  # fmt: skip
_ATTRIBUTES = (
    b"alt", b"src", b"srcset", b"data-src", b"data-srcset", b"data-json", b"style", b"href",
    b"title", b"content", b"hidden", b"role", b"class",
)  # fmt: skip
_RUNS = (
    b" ", b"a", b"&", b"&amp", b"&#", b"/", b"%", b"=", b"a=b ", b"a.jpg ", b".jpg", b"a 1x, ",
    b", ", b"(", b"{", b"[", b'\\"', b"blank-", b"display:none ", b"navigation ", b"\xc3\xa9",
    b"\xff", b"\0", b"<", b"</", b"<!--", b"--", b"]]>",
)  # fmt: skip


def hostile_page(rng: random.Random) -> bytes:
    """Return a page of up to `MAX_BYTES`, of which the state of `rng` decides everything."""
    n_bytes = int(2 ** rng.uniform(16, 23.2))
    page = rng.choice((_deep, _wide, _with_long_attribute))(n_bytes, rng)
    return page[: min(MAX_BYTES, rng.randint(n_bytes // 2, n_bytes))]


def _deep(n_bytes: int, rng: random.Random) -> bytes:
    """Return elements in each other, of which all, some or none are closed."""
    names = [_element(rng) for _ in range(rng.randint(1, 4))]
    opened = b"".join(b"<%s>" % name for name in names)
    closed = b"".join(b"</%s>" % name.split()[0] for name in reversed(names))
    depth = n_bytes // (len(opened) + len(closed))
    return opened * depth + _wide(n_bytes // 8, rng) + closed * rng.randint(0, 2 * depth)


def _wide(n_bytes: int, rng: random.Random) -> bytes:
    """Return elements after each other."""
    names = [_element(rng) for _ in range(rng.randint(1, 4))]
    card = b"".join(b"<%s>%s" % (name, rng.choice((b"", b"apple ", b"\n"))) for name in names)
    card += b"".join(b"</%s>" % name.split()[0] for name in names[rng.randint(0, len(names)) :])
    return card * (n_bytes // len(card))


def _with_long_attribute(n_bytes: int, rng: random.Random) -> bytes:
    """Return an image or another element with one long attribute, or with many."""
    run = rng.choice(_RUNS)
    quote = rng.choice((b'"', b"'", b""))
    name = rng.choice(_ATTRIBUTES)
    value = quote + run * (n_bytes // len(run)) + quote
    many = b" ".join(b"%s%d=%s" % (name, i, run) for i in range(n_bytes // 32))
    written = rng.choice((b"%s=%s" % (name, value), many))
    return b"<h1>x</h1><%s %s><img src=a.png>" % (_element(rng), written)


def _element(rng: random.Random) -> bytes:
    return rng.choice(_ELEMENTS)
