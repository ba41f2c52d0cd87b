"""Texts of CSV files that people open in a spreadsheet.

A spreadsheet runs a cell that begins with one of a few characters as a formula, which can call
programs and send what is in other cells (CWE-1236). A quotation mark before it makes it a text.
"""

from __future__ import annotations

import re

# A cell also begins after a semicolon or a tab, where a spreadsheet splits at them; a
# mark before marks keeps the way back unique.
_BEGIN = r"(?:\A|(?<=[;\t\r\n]))"
_FORMULA = r"(?=['\" ]*[=+\-@＝＋－＠\t\r\n])"
_BEFORE = re.compile(_BEGIN + _FORMULA)
_MARK = re.compile(_BEGIN + "'" + _FORMULA)


def neutral(text: str) -> str:
    """Return a text that no spreadsheet runs as a formula.

    Examples
    --------
    >>> neutral("=1+1"), neutral("1+1"), neutral("'=1"), neutral("a;@b")
    ("'=1+1", '1+1', "''=1", "a;'@b")
    """
    return _BEFORE.sub("'", text)


def restored(text: str) -> str:
    """Return the text of which `neutral` made another; a text that needs no mark is as it was.

    Examples
    --------
    >>> restored("'=1+1"), restored("=1+1"), restored("'quoted'")
    ('=1+1', '=1+1', "'quoted'")
    """
    return _MARK.sub("", text)
