"""The card of a set of shards: ``README.md`` in the form that the Hugging Face Hub reads."""

from __future__ import annotations

import re
from pathlib import Path

from curation.report.facts import Facts, headline, interval, percent, rounded
from curation.report.templates import templates_in
from curation.runs.durable import write_text

_TEMPLATES = templates_in(Path(__file__).parent / "templates", is_html=False)
_SIZES = ("1K", "10K", "100K", "1M", "10M", "100M", "1B")


def write_card(facts: Facts, out_dir: Path) -> Path:
    """Write ``README.md`` into a folder of shards and return its path.

    Parameters
    ----------
    facts
        Any of the counts of `curation.shards.shards.export_shards`; the facts of
        `curation.report.report.write_report` about the selection (``candidates``, ``kept``,
        ``kept_share``, ``precision`` with its interval, ``n_audits``); ``threshold`` and
        ``floor_held``, or ``by``, the kind of groups; ``short_side``, to which larger images
        were reduced; and ``not_compared``, images whose bytes no digest from elsewhere confirms,
        None where their ids are digests of their bytes.
    out_dir
        An existing folder.
    """
    path = out_dir / "README.md"
    write_text(path, render_card(rounded(facts)))
    return path


def render_card(facts: Facts) -> str:
    """Return the text of the card, for facts as `curation.report.facts.rounded` gives them."""
    dropped = facts.get("dropped") or {}
    text = _TEMPLATES.get_template("card.md").render(
        train=facts.get("train"),
        heldout=facts.get("heldout"),
        size_category=size_category((facts.get("train") or 0) + (facts.get("heldout") or 0)),
        rows=_rows(facts),
        sentences=headline(facts)[0 if facts.get("candidates") else 1 : -1],
        selected=facts.get("kept") is not None or facts.get("precision") is not None,
        n_audits=facts.get("n_audits"),
        by=facts.get("by"),
        threshold=facts.get("threshold"),
        floor_held=facts.get("floor_held"),
        precision=facts.get("precision"),
        is_imported=facts.get("not_compared") is not None,
        not_compared=facts.get("not_compared"),
        dropped=sorted(dropped.items(), key=lambda item: (-item[1], item[0])),
    )
    return re.sub(r"\n{3,}", "\n\n", text)


def size_category(n: int) -> str:
    """Return the Hub's name for a number of samples.

    Examples
    --------
    >>> size_category(0), size_category(999), size_category(1000), size_category(250_000)
    ('n<1K', 'n<1K', '1K<n<10K', '100K<n<1M')
    """
    steps = len(str(n)) - 4
    if steps < 0:
        return f"n<{_SIZES[0]}"
    if steps >= len(_SIZES) - 1:
        return f"n>{_SIZES[-1]}"
    return f"{_SIZES[steps]}<n<{_SIZES[steps + 1]}"


def _rows(facts: Facts) -> list[tuple[str, str]]:
    """Return the card's table: name and text of each number that is known."""
    names = {
        "train": "training images",
        "heldout": "held-out images",
        "labels": "distinct labels",
        "labels_kept": "labels kept, over all training images",
        "labels_proposed": "of these, proposed by added sources alone",
        "labels_implied": "labels implied by them",
        "shards": "shards",
        "n_audits": "pairs audited",
        "short_side": "pixels of an image's shorter side, at most",
    }
    rows = [(name, f"{facts[key]:,}") for key, name in names.items() if facts.get(key) is not None]
    if facts.get("kept_share") is not None:
        rows.append(("share of the candidates kept", percent(facts["kept_share"])))
    if facts.get("precision") is not None:
        within = interval(facts)
        rows.append(
            ("audited precision", percent(facts["precision"]) + f", {within}" * bool(within))
        )
    return rows
