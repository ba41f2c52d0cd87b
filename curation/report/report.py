"""The report of a run: ``report.json`` for programs and ``report.html``, one file, for people.

The page holds its style, script, figures and thumbnails, and its content security policy lets it
load nothing. Every text from data is escaped. A section is left out if its facts are missing.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

from curation.report.facts import Facts, headline, interval, percent, rounded
from curation.report.figures import map_bars_svg, precision_curve_svg
from curation.report.templates import templates_in
from curation.report.tuning import STATIC
from curation.runs.durable import write_text
from curation.runs.stage import sorted_stages

MAX_LABELS = 2000
"""Labels on the page, those with most candidates; ``report.json`` holds all."""

MAX_THUMBNAILS, MAX_THUMBNAIL_CHARS = 200, 3_000_000
"""Thumbnails on the page, and the total length of their data URIs."""

REASONS = {
    "below_threshold": "the probability to be right is below the threshold",
    "unproved_group": "no part of its group could be proved to be as precise as asked",
    "over_per_image": "more probable labels use up the limit of the image",
    "over_per_label": "not drawn from the label's images, of which there are more than the limit",
    "implied": "a kept label of the image implies it; shards hold it as implied",
    "no_kept_label": "no label of the image was kept",
    "not_local": "the location is a URL, or outside the data folder",
    "image_missing": "the file does not exist or cannot be read",
    "content_changed": "the file has changed since it was labeled",
    "too_large": "the file has more bytes than allowed",
    "too_many_pixels": "the image has more pixels than allowed",
    "format_not_allowed": "the file is not JPEG, PNG, WebP or GIF",
    "bad_image": "the image is damaged or cut",
}
"""Meaning of the reasons for which rows and images are dropped."""

_TEMPLATES = templates_in(Path(__file__).parent / "templates", is_html=True)
_IMAGE_URI = re.compile(r"data:image/(jpeg|png|webp|gif);base64,[A-Za-z0-9+/]+={0,2}")


def write_report(facts: Facts, out_dir: Path) -> Path:
    """Write ``report.json`` and ``report.html`` into `out_dir` and return the path of the page.

    Parameters
    ----------
    facts
        Any of, with shares and precisions in [0, 1]: ``candidates``, ``kept``, ``kept_share``;
        ``floor_held``, ``n_by_floor``; ``precision``, ``precision_low``, ``precision_high``,
        ``confidence``, ``n_audits``, ``n_audits_kept``; ``kept_share_of_right``,
        ``pool_missed_low``; ``true_precision``,
        ``true_precision_all``, ``true_precision_random``, ``true_recall_of_pool``; ``map``, or
        ``map_all``, ``map_random``, ``map_selected``;
        ``threshold_table`` (rows of ``threshold``, ``n_kept``, ``share``, ``precision``, ``low``,
        ``high``); ``tuning`` (see `curation.report.tuning.tuning`, with ``target``, ``confidence``
        and perhaps ``chosen``: ``share``, ``n_kept``, ``precision``, ``low`` and ``high`` of the
        selection); ``groups`` (rows of `curation.selection.per_group.describe_groups`); ``labels``
        (``label_id``, ``name``, ``n_candidates``, ``n_kept``, and
        ``n_before_limit`` where a limit of each label applies); ``sources``
        (``source``, ``n_candidates``, perhaps ``n_audits`` and ``precision``); ``bursts``
        (``label_id``, ``what``, ``time``, ``n``, ``n_new``, ``usual``); ``rejects`` (number by
        reason); ``thumbnails`` (``kept_lowest`` and ``dropped_highest``, each of ``data_uri``,
        ``label``, ``p_correct``); ``studies`` (``name``, ``sentences``, and ``figure``, an SVG that
        winnow drew); ``stages`` (``content`` and ``counts`` by name); and ``run``, the only fact
        that may depend on the time and the machine, with ``select``, the command that selects.
    out_dir
        An existing folder.
    """
    facts = rounded(facts)
    text = json.dumps(facts, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_text(out_dir / "report.json", text + "\n")
    page = out_dir / "report.html"
    write_text(page, render_report(facts))
    return page


def render_report(facts: Facts) -> str:
    """Return the page for facts as `rounded` gives them."""
    tuning = _tuning(facts)
    script = _TEMPLATES.get_template("report.js").render()
    if tuning is not None:
        # A page of one file cannot import: the module comes before the script that uses it.
        script = (STATIC / "tuning.js").read_text("utf-8") + script
    digest = hashlib.sha256(script.encode()).digest()
    labels = sorted(facts.get("labels") or (), key=lambda r: (-r["n_candidates"], r["label_id"]))
    return _TEMPLATES.get_template("report.html").render(
        script=Markup(script),
        script_hash=base64.b64encode(digest).decode(),
        sentences=headline(facts),
        tiles=_tiles(facts),
        funnel=_funnel(facts),
        tuning=tuning,
        tuning_style=Markup((STATIC / "tuning.css").read_text("utf-8")),
        curve=precision_curve_svg(facts),
        thresholds=_thinned(facts.get("threshold_table") or ()),
        map_bars=map_bars_svg(facts),
        groups=facts.get("groups") or (),
        truth=_truth(facts),
        recall_of_pool=facts.get("true_recall_of_pool"),
        labels=labels[:MAX_LABELS],
        limited=any(row.get("n_before_limit", 0) > row["n_kept"] for row in labels),
        n_labels=len(labels),
        sources=facts.get("sources") or (),
        studies=[
            {**study, "figure": Markup(study["figure"])} for study in facts.get("studies") or ()
        ],
        thumbnails=_thumbnails(facts.get("thumbnails") or {}),
        bursts=facts.get("bursts") or (),
        rejects=_rejects(facts.get("rejects") or {}),
        stages=_stages(facts.get("stages") or {}),
        run=_flat(facts.get("run") or {}),
    )


def render_page(template: str, **values: object) -> str:
    """Return a page of another template in the report's style; texts are escaped."""
    return _TEMPLATES.get_template(template).render(**values)


def _tuning(facts: Facts) -> Facts | None:
    """Return the table of the slider, with the command that keeps a share."""
    table, run = facts.get("tuning"), facts.get("run") or {}
    if not table or not table["share"]:
        return None
    return {**table, "command": run.get("select", "winnow select RUN")}


def _tiles(facts: Facts) -> list[tuple[str, str, str]]:
    """Return the numbers at the top of the page: name, number, note."""
    tiles = []
    candidates, kept = facts.get("candidates"), facts.get("kept")
    if candidates and kept is not None:
        tiles.append(("kept", percent(kept / candidates), f"{kept:,} of {candidates:,} labels"))
    if facts.get("precision") is not None:
        tiles.append(("precision", percent(facts["precision"]), interval(facts) or ""))
    if facts.get("n_audits"):
        tiles.append(("audits", f"{facts['n_audits']:,}", "pairs judged"))
    score = facts.get("map_selected", facts.get("map"))
    if score is not None:
        tiles.append(("model", percent(score), "mean average precision"))
    return tiles


def _funnel(facts: Facts) -> list[tuple[str, int, float]]:
    """Return the labels left after each step: name, number, and share of the candidates."""
    shards = ((facts.get("stages") or {}).get("shards") or {}).get("counts") or {}
    steps = {
        "candidate labels": facts.get("candidates"),
        "kept": facts.get("kept"),
        "in training shards": shards.get("labels_kept"),
    }
    known = {name: n for name, n in steps.items() if n is not None}
    whole = max(known.values(), default=0)
    return [(name, n, n / whole) for name, n in known.items()] if whole and len(known) > 1 else []


def _thinned(rows: Sequence[Facts], most: int = 21) -> list[Facts]:
    """Return about `most` rows at most, evenly spread over the table, with its last."""
    return list(rows[:: -max(1, -(-len(rows) // most))])[::-1]


def _truth(facts: Facts) -> list[tuple[str, float]]:
    names = {
        "true_precision": "kept labels",
        "true_precision_random": "a random share as large",
        "true_precision_all": "all candidates",
    }
    return [(names[key], facts[key]) for key in names if facts.get(key) is not None]


def _thumbnails(thumbnails: Facts) -> list[tuple[str, list[Facts]]]:
    """Return title and items of each grid that is not empty; items hold their image as data."""
    titles = {
        "kept_lowest": "Kept, with the lowest probability",
        "dropped_highest": "Dropped, with the highest probability",
    }
    grids = []
    for key, title in titles.items():
        n_chars_left = MAX_THUMBNAIL_CHARS // len(titles)
        grid = []
        for item in (thumbnails.get(key) or ())[: MAX_THUMBNAILS // len(titles)]:
            n_chars_left -= len(item["data_uri"])
            if n_chars_left >= 0 and _IMAGE_URI.fullmatch(item["data_uri"]):
                grid.append(item)
        if grid:
            grids.append((title, grid))
    return grids


def _rejects(rejects: Mapping[str, int]) -> list[tuple[str, int, str]]:
    most_first = sorted(rejects.items(), key=lambda item: (-item[1], item[0]))
    return [(reason, n, REASONS.get(reason, "")) for reason, n in most_first]


def _stages(stages: Mapping[str, Facts]) -> list[tuple[str, str, list[tuple[str, str]]]]:
    return [
        (name, str(stages[name].get("content") or "–"), _flat(stages[name].get("counts") or {}))
        for name in sorted_stages(stages)
    ]


def _flat(facts: Facts, path: str = "") -> list[tuple[str, str]]:
    """Return nested facts as a list of names and values as texts."""
    flat = []
    first = [key for key in ("in", "out", "dropped") if key in facts]
    for key in [*first, *sorted(facts.keys() - first)]:
        value, name = facts[key], f"{path} {key}".strip().replace("_", " ")
        if isinstance(value, Mapping):
            flat += _flat(value, name)
        else:
            number = isinstance(value, int | float) and not isinstance(value, bool)
            flat.append((name, f"{value:,}" if number else str(value)))
    return flat
