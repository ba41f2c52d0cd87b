from __future__ import annotations

import gzip
import zlib

import pytest
import zstandard

from labeling.readers.web_archives import codings
from labeling.readers.web_archives.codings import MAX_BYTES, Decoded, undone


def gzipped(content: bytes) -> bytes:
    """Return gzip without a time, which would differ between the processes of a test run."""
    return gzip.compress(content, mtime=0)


PAGE = b"<p>" + b"".join(b"%d " % (n * 7919) for n in range(2000))
RAW = zlib.compress(PAGE)[2:-4]
FRUITS = b"fruits and vegetables " * 50
BROTLI = bytes.fromhex("1b4b04f88d94a9e35b879db9d96910b2b239390841856509bab4a38e21391b377c")
"""Made of `FRUITS` by brotli 1.2."""


@pytest.mark.parametrize(
    "chunks",
    [
        b"5;name=value\r\nfruit\r\n2 ; x\r\n. \r\n0\r\nTrailer: x\r\n\r\n",
        b"5\nfruit\n2\n. \n0\n\n",
        b"\r\n  5\r\nfruit\r\n02\r\n. \r\n000\r\n",
    ],
)
def test_chunks_are_joined_as_servers_write_them(chunks: bytes) -> None:
    assert undone(chunks, ["chunked"], MAX_BYTES) == Decoded(b"fruit. ")


@pytest.mark.parametrize(
    ("names", "stored"),
    [
        (["gzip"], gzipped(PAGE)),
        (["x-gzip"], gzipped(PAGE[:99]) + gzipped(PAGE[99:])),
        (["gzip"], gzipped(PAGE) + b"padding"),
        (["gzip"], gzipped(gzipped(PAGE))),
        ([""], gzipped(PAGE)),
        (["deflate"], zlib.compress(PAGE)),
        (["deflate"], RAW),
        (["zstd"], zstandard.compress(PAGE)),
        (["gzip", "chunked"], b"%x\n%s\n0\n\n" % (len(gzipped(PAGE)), gzipped(PAGE))),
    ],
)
def test_a_whole_body_is_decoded_without_damage(names: list[str], stored: bytes) -> None:
    assert undone(stored, names, MAX_BYTES) == Decoded(PAGE)


def test_brotli_is_decoded_up_to_damage() -> None:
    assert undone(BROTLI, ["br"], MAX_BYTES) == Decoded(FRUITS)
    decoded = undone(BROTLI[:-4], ["br"], MAX_BYTES)
    assert decoded is not None and decoded.damage.startswith("br: ")


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd", "chunked", "identity", "utf-8"])
def test_a_body_that_is_stored_decoded_stays(name: str) -> None:
    for body in (PAGE, b"GIF89a" + bytes(20), b"An apple, without a tag"):
        assert undone(body, [name], MAX_BYTES) == Decoded(body)


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("gzip", gzipped(PAGE)[:-1]),
        ("gzip", gzipped(PAGE)[:3000]),
        ("gzip", gzipped(PAGE)[:-5] + b"\xff" * 5),
        ("deflate", zlib.compress(PAGE)[:-2]),
        ("deflate", RAW[:-2]),
        ("zstd", zstandard.compress(PAGE)[:-1]),
        ("chunked", b"%x\r\n%s" % (len(PAGE) + 1, PAGE)),
        ("chunked", b"%x\r\n%s\r\n" % (len(PAGE), PAGE)),
        ("chunked", b"%x\r\n%s\r\nnext\r\n" % (len(PAGE), PAGE)),
    ],
)
def test_damage_is_named_and_what_precedes_it_kept(name: str, stored: bytes) -> None:
    decoded = undone(stored, [name], MAX_BYTES)
    assert decoded is not None and decoded.damage.startswith(f"{name}: ")
    assert PAGE.startswith(decoded.content) and (decoded.content or name == "zstd")


def test_a_coding_that_is_not_known_leaves_nothing() -> None:
    decoded = undone(b"\x1f\x9d\x90\x00\x01", ["compress"], MAX_BYTES)
    assert decoded == Decoded(b"", "a coding that is not known: compress")


def test_codings_and_members_without_end_are_not_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert undone(PAGE, ["gzip"] * 4, MAX_BYTES) is None
    monkeypatch.setattr(codings, "MAX_MEMBERS", 3)
    decoded = undone(gzipped(b"a") * 5, ["gzip"], MAX_BYTES)
    assert decoded == Decoded(b"aaa", "gzip: more than 3 members")
