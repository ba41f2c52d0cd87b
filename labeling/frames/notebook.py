"""Small HTML tables of objects for notebooks: escaped, with a few rows at most."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from labeling.taxonomy.confusables import visible

MAX_ROWS = 20
MAX_CHARACTERS = 80
"""Characters of a cell that are shown."""


def html_table(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table with a title; every text in it is escaped.

    Examples
    --------
    >>> html_table("labels", ["id"], [["<b>"]])
    '<p>labels</p><table><thead><tr><th>id</th></tr></thead><tbody><tr><td>&lt;b&gt;</td></tr></tbody></table>'
    """
    head = "".join(f"<th>{_cell(name)}</th>" for name in header)
    body = "".join(
        f"<tr>{''.join(f'<td>{_cell(value)}</td>' for value in row)}</tr>" for row in rows
    )
    return (
        f"<p>{escape(visible(title))}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    text = f"{value:.3f}" if isinstance(value, float) else text
    return escape(
        visible(text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + "…")
    )
