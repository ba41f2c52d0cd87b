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

from curation.report.facts import (
    MAP_NAMES,
    Facts,
    audit_sentences,
    headline,
    interval,
    percent,
    rounded,
)
from curation.report.figures import figure_svg
from curation.report.templates import templates_in
from curation.report.tuning import STATIC
from curation.runs.durable import write_text
from curation.runs.stage import sorted_stages

MAX_LABELS = 2000
"""Labels on the page, those with most candidates; ``report.json`` holds all."""

MAX_OF_GRID, MAX_THUMBNAIL_CHARS = 100, 3_000_000
"""Pictures of a grid, and the total length of all data URIs."""

MAX_SOURCES = 40
"""Sources whose overlap is on the page; ``report.json`` holds all."""

STEPS = {
    "held_out": "of images that are held out, to measure models on",
    "unusable_image": "of images that could not be read or used",
}
"""Meaning of the reasons for which kept labels are not in training shards."""

REASONS = {
    **STEPS,
    "below_threshold": "the probability to be right is below the threshold",
    "unproved_group": "no part of its group could be proved to be as precise as asked",
    "over_per_image": "more probable labels use up the limit of the image",
    "over_per_label": "not drawn from the label's images, of which there are more than the limit",
    "implied": "a kept label of the image implies it; shards hold it as implied",
    "no_kept_label": "no label of the image was kept",
    "same_bytes": "another image of the run has the same bytes under another id: it is exported",
    "not_local": "the location is a URL, or outside the data folder",
    "image_missing": "the file does not exist or cannot be read",
    "content_changed": "the file has changed since it was labeled",
    "too_large": "the file has more bytes than allowed",
    "too_many_pixels": "the image has more pixels than allowed",
    "format_not_allowed": "the file is not JPEG, PNG, WebP or GIF",
    "bad_image": "the image is damaged or cut",
}
"""Meaning of the reasons for which rows and images are dropped."""

GRIDS = {
    "kept_lowest": "Kept, with the lowest probability above the threshold",
    "kept_by_floor": "Kept only as one of the best of its label",
    "dropped_highest": "Dropped, with the highest probability",
}
"""Grids of pictures near the threshold, with their titles."""

LOOKED = {
    "doubted_right": "Judged right, and least likely by the network",
    "trusted_wrong": "Judged wrong, and most likely by the network",
}
"""Grids of pictures of which people and the network think otherwise, with their titles."""

_TEMPLATES = templates_in(Path(__file__).parent / "templates", is_html=True)
_IMAGE_URI = re.compile(r"data:image/(jpeg|png|webp|gif);base64,[A-Za-z0-9+/]+={0,2}")


def write_report(facts: Facts, out_dir: Path) -> Path:
    """Write ``report.json`` and ``report.html`` into `out_dir` and return the path of the page.

    Parameters
    ----------
    facts
        Any of, with shares and precisions in [0, 1]: ``candidates``, ``kept``, ``kept_share``;
        ``floor_held``, ``n_by_floor``; ``precision``, ``precision_low``, ``precision_high``,
        ``confidence``, ``n_audits``, ``n_audits_kept``; ``proposals`` (``n``, ``sources``
        and, where some are selected, ``kept`` and its precision as above); ``kept_share_of_right``,
        ``pool_missed_low``; ``true_precision``,
        ``true_precision_all``, ``true_precision_random``, ``true_recall_of_pool``; ``map``, or
        ``map_all``, ``map_random``, ``map_selected``; ``models`` (``label_set`` and measures);
        ``funnel`` (``step``, ``n`` and ``dropped``, numbers by reason);
        ``threshold_table`` (rows of ``threshold``, ``n_kept``, ``share``, ``precision``, ``low``,
        ``high``); ``tuning`` (see `curation.report.tuning.tuning`, with ``target``, ``confidence``
        and perhaps ``chosen``: ``share``, ``n_kept``, ``precision``, ``low`` and ``high`` of the
        selection); ``groups`` (rows of `curation.selection.per_group.describe_groups`);
        ``labels`` (rows of `curation.report.labels.describe_labels`); ``noisy_labels`` (some of
        these, with ``n_wrong``, ``by`` and ``pictures``); ``confusions`` (rows of
        `curation.report.confusions.find_confusions`, with names, senses and ``pictures``);
        ``sources`` (rows of `curation.report.sources.describe_sources`); ``ablation``
        (``target``, ``confidence``, ``proved``, ``keep`` and ``precision`` with all sources, and
        ``sources``, the same without each ``source`` of ``n_votes``); ``audits``
        (``verdicts`` and ``auditors``, numbers by name, ``n_twice``, ``n_same``, ``n_by_several``,
        ``share_agreeing``, ``kappa`` and ``known``); ``bursts``
        (``label_id``, ``what``, ``time``, ``n``, ``n_new``, ``usual``); ``rejects`` (number by
        reason); ``thumbnails`` (pictures by grid: ``kept_lowest``, ``kept_by_floor``,
        ``dropped_highest``, ``doubted_right`` and ``trusted_wrong``); ``studies`` (``name``,
        ``sentences``, and ``figure``, an SVG that winnow drew); ``stages`` (``content`` and
        ``counts`` by name); and ``run``, the only fact that may depend on the time and the machine,
        with ``select``, the command that selects.
        A picture has ``data_uri``, ``label``, ``p_correct`` and perhaps ``sense``, ``reason``,
        ``votes``, ``texts`` and ``location``.
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
    script = _script(tuning is not None)
    digest = hashlib.sha256(script.encode()).digest()
    labels = sorted(facts.get("labels") or (), key=lambda r: (-r["n_candidates"], r["label_id"]))
    audits = facts.get("audits") or {}
    show = _Pictures(facts).show
    return _TEMPLATES.get_template("report.html").render(
        script=Markup(script),
        script_hash=base64.b64encode(digest).decode(),
        sentences=headline(facts),
        tiles=_tiles(facts),
        read=_read(facts),
        funnel=_funnel(facts),
        tuning=tuning,
        tuning_style=Markup((STATIC / "tuning.css").read_text("utf-8")),
        curve=figure_svg("precision", facts),
        thresholds=_thinned(facts.get("threshold_table") or ()),
        map_bars=figure_svg("models", facts),
        models=[
            {**row, "name": MAP_NAMES.get(f"map_{row['label_set']}", row["label_set"])}
            for row in facts.get("models") or ()
        ],
        groups=facts.get("groups") or (),
        truth=_truth(facts),
        recall_of_pool=facts.get("true_recall_of_pool"),
        tail=figure_svg("long-tail", facts),
        labels=labels[:MAX_LABELS],
        limited=any(row.get("n_before_limit", 0) > row["n_kept"] for row in labels),
        has_truth=any(row.get("true_precision") is not None for row in labels),
        n_labels=len(labels),
        noisy=[
            {**row, "pictures": show(row["pictures"])} for row in facts.get("noisy_labels") or ()
        ],
        confusions=[
            {**row, "pictures": show(row["pictures"])} for row in facts.get("confusions") or ()
        ],
        source_figure=figure_svg("sources", facts),
        ablation=facts.get("ablation"),
        ablation_figure=figure_svg("ablation", facts),
        sources=_sources(facts.get("sources") or ()),
        audits=audit_sentences(audits),
        known_answers=audits.get("known") or (),
        studies=[
            {**study, "figure": Markup(study["figure"])} for study in facts.get("studies") or ()
        ],
        thumbnails=[
            (GRIDS[key], shown)
            for key in GRIDS
            if (shown := show((facts.get("thumbnails") or {}).get(key)))
        ],
        looked=[
            (LOOKED[key], shown)
            for key in LOOKED
            if (shown := show((facts.get("thumbnails") or {}).get(key)))
        ],
        reasons=REASONS,
        bursts=facts.get("bursts") or (),
        rejects=_rejects(facts.get("rejects") or {}),
        stages=_stages(facts.get("stages") or {}),
        run=_flat(facts.get("run") or {}),
    )


def _script(has_tuning: bool) -> str:
    """Return the script of the page, which is of one file: nothing can be imported."""
    script = _TEMPLATES.get_template("report.js").render()
    return (STATIC / "tuning.js").read_text("utf-8") + script if has_tuning else script


class _Pictures:
    """Pictures of a page: each grid has room by the number of its pictures."""

    def __init__(self, facts: Facts) -> None:
        rows = [*(facts.get("noisy_labels") or ()), *(facts.get("confusions") or ())]
        grids = [row["pictures"] for row in rows] + [*(facts.get("thumbnails") or {}).values()]
        self._n = sum(len(_tried(grid)) for grid in grids)

    def show(self, pictures: Sequence[Facts] | None) -> list[Facts]:
        """Return the first pictures of a grid that are images and have room."""
        tried, shown = _tried(pictures), []
        n_chars_left = MAX_THUMBNAIL_CHARS * len(tried) // max(self._n, 1)
        for item in tried:
            n_chars_left -= len(item["data_uri"])
            if n_chars_left >= 0 and _IMAGE_URI.fullmatch(item["data_uri"]):
                shown.append(item)
        return shown


def _tried(pictures: Sequence[Facts] | None) -> Sequence[Facts]:
    return (pictures or ())[:MAX_OF_GRID]


def _sources(rows: Sequence[Facts]) -> list[Facts]:
    """Return the sources, without their overlap if they are many."""
    if len(rows) <= MAX_SOURCES:
        return list(rows)
    return [{**row, "overlap": None, "agreement": None} for row in rows]


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


def _read(facts: Facts) -> str:
    """Return a sentence on what was read."""
    counts = ((facts.get("stages") or {}).get("signals") or {}).get("counts") or {}
    names = {
        "signals": "texts",
        "images": "images",
        "pages": "pages",
        "feedback": "feedback events",
    }
    parts = [f"{counts[key]:,} {name}" for key, name in names.items() if counts.get(key)]
    return f"Read: {', '.join(parts)}." if parts else ""


def _funnel(facts: Facts) -> list[Facts]:
    """Return the steps of the funnel with their shares, and reasons with their meaning."""
    steps = facts.get("funnel") or ()
    whole = max((step["n"] for step in steps), default=0)
    if not whole:
        return []
    return [
        {**step, "share": step["n"] / whole, "dropped": _rejects(step["dropped"])} for step in steps
    ]


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
