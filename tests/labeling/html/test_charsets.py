from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.html.charsets import decode_page
from labeling.html.page import read_page

DOG, SWEATER = "小狗", "毛衣"


@pytest.mark.parametrize(
    ("declaration", "codec"),
    [
        ("<meta charset=gbk>", "gb18030"),
        ("<META CHARSET = 'GB2312' >", "gb18030"),
        ("<meta http-equiv=Content-Type content='text/html; charset=shift_jis'>", "cp932"),
        ('<meta content="text/html;charset=big5" http-equiv="content-type"/>', "big5hkscs"),
        ("<title>x</title><meta charset=euc-kr>", "cp949"),
        ("<!-- <meta charset=gbk> --><meta charset=utf-8>", "utf-8"),
        ("<a title='<meta charset=gbk>'><meta charset=utf-8>", "utf-8"),
        ("<meta name=x content='charset=gbk'><meta charset=utf-8>", "utf-8"),
        ("<meta charset=nonsense><meta charset=utf-8>", "utf-8"),
        ("<?xml version='1.0' encoding='euc-jp'?><html>", "euc_jp"),
        ("<meta charset=utf-16>", "utf-8"),
        ("<meta charset=utf-16be>", "utf-8"),
        ("<meta charset=hz-gb-2312>", "hz"),
        (" " * 3000 + "<meta charset=gbk>", "gb18030"),
    ],
)
def test_the_declaration_of_a_page_is_used(declaration: str, codec: str) -> None:
    text = declaration + "犬"
    assert decode_page(text.encode(codec)).text == text


def test_latin_1_is_windows_1252_and_so_is_x_user_defined() -> None:
    for label in ("iso-8859-1", "latin1", "ascii", "x-user-defined"):
        assert decode_page(b"<meta charset=%s>\x93\x94" % label.encode()).text.endswith("“”")


def test_the_header_goes_before_the_page_and_a_mark_before_the_header() -> None:
    page = f"<meta charset=utf-8>{DOG}"
    assert decode_page(page.encode("gbk"), "GBK").text == page
    assert decode_page(codecs.BOM_UTF8 + page.encode(), "gbk").text == page
    assert decode_page(codecs.BOM_UTF16_LE + page.encode("utf-16-le"), "gbk").text == page
    assert decode_page(page.encode("utf-16-be"), "utf-16be").text == page
    assert decode_page(page.encode(), "no-such\udfff").text == page


def test_one_bad_byte_costs_one_character() -> None:
    head = b"<meta charset=gbk><p>" + SWEATER.encode("gbk")[:-1]
    content = head + b'</p><img src=a.jpg alt="' + DOG.encode("gbk") + b'">'
    (image,) = read_page(content, "https://a.org/").images
    assert image.texts[0].text == DOG
    assert decode_page(b"<meta charset=utf-8>\xe9 \xff\xc3\xa9").text.endswith("\ufffd \ufffdé")


@pytest.mark.parametrize(
    ("content", "text", "is_guess"),
    [
        (b"plain\n" * 50 + "men’s shirt".encode(), "men’s shirt", False),
        ("né, élan, à".encode() + b"\xe9", "né, élan, à", False),
        (b"x" + "毛".encode()[:2], "x", False),
        ("“na\xefve” caf\xe9".encode("cp1252"), "“naïve” café", True),
        ("Это русский текст, в котором много слов. ".encode("cp1251") * 9, "русский текст", True),
        ("これは日本語の文章です。犬と猫がいます。".encode("shift_jis") * 9, "犬と猫", True),
        (b"", "", False),
    ],
)
def test_without_a_declaration_utf_8_if_valid_else_a_guess(
    content: bytes, text: str, is_guess: bool
) -> None:
    decoded = decode_page(content)
    assert text in decoded.text
    assert decoded.is_guess == is_guess


def test_a_guess_is_counted() -> None:
    page = read_page("“na\xefve” caf\xe9".encode("cp1252"), "https://a.org/")
    assert page.losses == (("guessed_charset", "cp1252"),)


LABELS = st.sampled_from(["gbk", "utf-16", "iso-2022-jp", "replacement", "utf-7", "euc-jp", "hz"])


@given(st.binary(max_size=200), st.none() | LABELS | st.text(max_size=5), LABELS)
def test_any_bytes_are_decoded(content: bytes, charset: str | None, label: str) -> None:
    for page in (content, b"<meta charset=" + label.encode() + b">" + content):
        decode_page(page, charset).text.encode("utf-8")
