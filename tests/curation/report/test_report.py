from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from curation.report.facts import headline, percent, rounded
from curation.report.figures import FIGURES, figure_svg, write_figures
from curation.report.report import MAX_LABELS, REASONS, STEPS, render_report, write_report
from curation.shards.shards import EXPORT_REASONS
from labeling.schemas import SELECT_REASONS

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7*7 }} &amp; ]]> --> \u202e"
RECALL = "Recall is not claimed: it cannot be estimated without judging every label of every image."
VOID = {"meta", "img", "br", "hr", "input", "link", "area", "base", "col", "source", "wbr"}


def thumbnail(side: int = 8) -> str:
    out = io.BytesIO()
    noise = np.random.default_rng(side).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(noise).save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def thresholds(n: int = 60) -> list[dict[str, Any]]:
    shares = np.linspace(1, 0.01, n)
    return [
        {
            "threshold": 1 - share,
            "n_kept": int(12_040 * share),
            "share": share,
            "precision": 0.95 - 0.4 * share,
            "low": 0.9 - 0.4 * share,
            "high": min(1, 0.99 - 0.4 * share),
        }
        for share in shares
    ]


def tuning_table() -> dict[str, Any]:
    rows = thresholds()[::-1]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    counts = {"n_audits": [100] * 60, "labels_few": [3] * 60, "labels_lost": [1] * 60}
    chosen = {"share": 0.3333, "n_kept": 4012, "precision": 0.921, "low": 0.88, "high": 0.95}
    marked = {"keep": 0.333333, "third": 0.333333, "target": 0.9, "confidence": 0.95}
    return {
        "n_candidates": 12_040,
        "n_labels": 40,
        "few": 20,
        "chosen": chosen,
        **columns,
        **counts,
        **marked,
    }


def picture_of(text: str) -> dict[str, Any]:
    vote = {"source": text, "strength": 0.5, "n_pages": 2, "n_hosts": 1}
    return {
        "data_uri": thumbnail(),
        "label": text,
        "sense": text,
        "p_correct": 0.7,
        "reason": "below_threshold",
        "votes": [vote],
        "texts": [{"source": text, "text": text}],
        "location": text,
    }


def label_of(text: str) -> dict[str, Any]:
    counts = {"n_candidates": 900, "n_kept": 300, "n_before_limit": 300, "p_kept": 0.9}
    measured = {"n_audits": 9, "precision": 0.9, "low": 0.5, "high": 1.0, "true_precision": 0.8}
    return {"label_id": "cat", "name": text, "sense": text, **counts, **measured}


def source_of(text: str) -> dict[str, Any]:
    shares = {text: 1.0, "feedback": None}
    measured = {"n_audits": 30, "precision": 0.6, "low": 0.5, "high": 0.7}
    counts = {"n_candidates": 700, "coverage": 0.4, "n_alone": 3}
    return {"source": text, "overlap": shares, "agreement": shares, **counts, **measured}


def make_facts(text: str = "plain") -> dict[str, Any]:
    """Facts of every kind; `text` is in every place where a text comes from data."""
    grid = [picture_of(text)]
    counts = {"in": 12_040, "out": 4012, "dropped": {text: 8028}, "labels_kept": 3000}
    confused = {f"{side}_{name}": text for side in ("wrong", "right") for name in ("name", "sense")}
    return {
        "candidates": 12_040,
        "kept": 4012,
        "kept_share": 4012 / 12_040,
        "precision": 0.921,
        "precision_low": 0.88,
        "precision_high": 0.95,
        "confidence": 0.95,
        "n_audits": 500,
        "n_audits_kept": 170,
        "true_precision": 0.93,
        "true_precision_all": 0.45,
        "true_precision_random": 0.46,
        "true_recall_of_pool": 0.68,
        "map_all": 0.412,
        "map_random": 0.371,
        "map_selected": 0.523,
        "threshold_table": thresholds(),
        "tuning": tuning_table(),
        "groups": [
            {
                "group": text,
                "n_candidates": 900,
                "n_audits": 120,
                "n_kept": 300,
                "precision": 0.9,
                "low": 0.85,
                "high": 0.95,
                "threshold": 0.7,
            },
            {
                "group": "the rest",
                "n_candidates": 90,
                "n_audits": 101,
                "n_kept": 0,
                "precision": None,
                "low": 0,
                "high": 1,
                "threshold": None,
            },
        ],
        "funnel": [
            {"step": "candidate labels", "n": 12_040, "dropped": {text: 8000, "implied": 28}},
            {"step": "kept", "n": 4012, "dropped": {}},
        ],
        "labels": [
            label_of(text),
            {"label_id": "dog", "n_candidates": 1000, "n_kept": 0, "name": ""},
        ],
        "noisy_labels": [{**label_of(text), "n_wrong": 30.2, "by": "share", "pictures": grid}],
        "confusions": [
            {"wrong": "cat", "right": "dog", "n_images": 3, "pictures": grid, **confused}
        ],
        "sources": [source_of(text), {**source_of("feedback"), "precision": None, "low": None}],
        "ablation": {
            "target": 0.9,
            "confidence": 0.95,
            "proved": 0.4,
            "keep": 0.333,
            "precision": 0.93,
            "sources": [
                {"source": text, "n_votes": 120, "proved": 0.3, "precision": 0.9},
                {"source": "alt", "n_votes": 12, "proved": 0.0, "precision": None},
            ],
        },
        "audits": {
            "verdicts": {"yes": 300, "no": 200},
            "auditors": {text: 500},
            "n_twice": 20,
            "n_same": 19,
            "n_by_several": 10,
            "share_agreeing": 0.9,
            "kappa": 0.8,
            "known": [
                {
                    "auditor": text,
                    "mode": "grid",
                    "n_wrong": 9,
                    "n_wrong_called_right": 1,
                    "n_right": 8,
                    "n_right_called_wrong": 0,
                }
            ],
        },
        "models": [{"label_set": text, "map": 0.5, "steps": 30, "final_loss": 2.0}],
        "bursts": [
            {
                "label_id": text,
                "what": "votes",
                "time": "2026-01-01T05:00:00+00:00",
                "n": 10_010,
                "n_new": 9990,
                "usual": 2.5,
            }
        ],
        "rejects": {"bad_image": 4, text: 9},
        "thumbnails": {"kept_lowest": grid, "dropped_highest": grid * 2},
        "stages": {"shards": {"content": text, "counts": counts}},
        "run": {"seconds": {"label": 12.3}, "platform": text, "select": f"winnow select {text}"},
    }


SECTIONS = {
    "funnel": ["funnel"],
    "precision": ["threshold_table", "tuning"],
    "groups": ["groups"],
    "truth": ["true_precision", "true_precision_all", "true_precision_random"],
    "models": ["map_all", "map_random", "map_selected", "models"],
    "errors": ["noisy_labels", "confusions"],
    "audits": ["audits"],
    "examples": ["thumbnails"],
    "labels": ["labels"],
    "sources": ["sources"],
    "bursts": ["bursts"],
    "dropped": ["rejects"],
    "making": ["stages", "run"],
}


class Page(HTMLParser):
    """Reads a page strictly: every element is closed, in the right order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(data)

    def values(self, name: str) -> list[str]:
        return [value for _, attribute, value in self.attributes if attribute == name]


def page_of(facts: dict[str, Any]) -> Page:
    return Page(render_report(rounded(facts)))


def sections_of(page: Page) -> set[str]:
    return {value for tag, name, value in page.attributes if (tag, name) == ("section", "id")}


# Sentences


def test_the_headline_gives_the_kept_labels_and_their_precision() -> None:
    sentences = [sentence.replace("\u00a0", " ") for sentence in headline(make_facts())]
    assert sentences == [
        "Kept 4,012 of 12,040 candidate labels (33.3 %).",
        "By 500 audited pairs, 170 of them kept, the precision of the kept labels is 92.1 % "
        "(95 % interval 88.0 to 95.0 %).",
        "The truth is known here: the precision is 93.0 %, inside the interval.",
        "A model trained on the kept labels reaches a mean average precision of 52.3 % on "
        "held-out images, against 37.1 % on a random share and 41.2 % on all candidates.",
        RECALL,
    ]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, "The run has no candidate labels yet."),
        ({"candidates": 0, "kept": 0}, "There is no data: no candidate label was found."),
        ({"candidates": 5}, "Found 5 candidate labels; none is selected yet."),
        ({"candidates": 5, "kept": 2}, "No precision is stated: no pair was audited."),
        ({"precision": 0.5}, "The precision of the kept labels is 50.0 %."),
        (
            {"floor_held": 2, "n_by_floor": 1234},
            "The 2 most probable of each label are kept before others, 1,234 of them for no other "
            "reason.",
        ),
        ({"true_precision": 0.5}, "The truth is known here: the precision is 50.0 %."),
        (
            {"true_precision": 0.5, "precision_low": 0.6, "precision_high": 0.7},
            "The truth is known here: the precision is 50.0 %, outside the interval.",
        ),
        (
            {"map": 0.5},
            "A model trained on the kept labels reaches a mean average precision of 50.0 % on "
            "held-out images.",
        ),
    ],
)  # fmt: skip
def test_the_headline_claims_no_more_than_is_known(facts: dict[str, Any], expected: str) -> None:
    sentences = [sentence.replace("\u00a0", " ") for sentence in headline(facts)]
    assert expected in sentences
    assert sentences[-1] == RECALL


def test_the_headline_gives_the_least_number_of_missed_pairs() -> None:
    facts = {"kept_share_of_right": 0.62, "pool_missed_low": 1240.7}
    assert headline(facts)[-1].replace("\u00a0", " ") == (
        f"{RECALL} By the audits, 62.0 % of the right candidates are kept. By the overlap "
        "of the sources, at least 1,240 more right labels of these images are not candidates; "
        "there may be many times as many."
    )
    assert headline({"pool_missed_low": 0.9})[-1] == RECALL


def test_the_headline_gives_the_proved_precision() -> None:
    facts = {"candidates": 10, "kept": 4, "precision": 0.93, "confidence": 0.95}
    sentences = " ".join(headline(facts | {"precision_held": 0.9})).replace(
        "\N{NO-BREAK SPACE}", " "
    )
    assert "It was proved that at least 90 % of them are right, with 95 % confidence." in sentences
    strict = " ".join(headline(facts | {"precision_held": 0.995, "confidence": 0.999}))
    assert "at least 99.5" in strict and "with 99.9" in strict
    grouped = " ".join(headline(facts | {"precision_held": 0.9, "by": "level"}))
    assert "proved that in each group by level at least" in grouped
    one_empty = {"precision_held": 0.9, "by": "level", "groups": [{"n_kept": 4}, {"n_kept": 0}]}
    assert "by level that keeps any at least" in " ".join(headline(facts | one_empty))
    assert "proved" not in " ".join(headline(facts))


def test_shares_are_percent() -> None:
    assert percent(1 / 3) == "33.3\u00a0%"
    assert percent(0.95, 0) == "95\u00a0%"
    assert percent(None) == "–"


def test_every_reason_that_this_package_gives_is_explained() -> None:
    assert set(REASONS) == {*EXPORT_REASONS, *SELECT_REASONS, *STEPS} - {"kept"}


# The page


def test_the_page_has_every_section() -> None:
    assert sections_of(page_of(make_facts())) == set(SECTIONS)


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_is_absent_where_its_facts_are(section: str) -> None:
    facts = {key: value for key, value in make_facts().items() if key not in SECTIONS[section]}
    assert sections_of(page_of(facts)) == set(SECTIONS) - {section}


def test_a_page_of_nothing_is_still_a_page() -> None:
    page = page_of({})
    assert sections_of(page) == set()
    assert RECALL in page.texts["p"]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_part_of_the_facts_makes_a_page(data: st.DataObject) -> None:
    facts = make_facts()
    keys = data.draw(st.sets(st.sampled_from(sorted(facts))))
    emptied = data.draw(st.sets(st.sampled_from(sorted(facts))))
    part = {key: None if key in emptied else facts[key] for key in keys}
    page_of(part)


def test_the_page_loads_nothing() -> None:
    page = page_of(make_facts())
    for name in ("src", "href", "xlink:href", "srcset", "action", "data", "poster", "background"):
        assert all(value.startswith(("data:image/", "#")) for value in page.values(name))
    assert "link" not in page.tags
    text = render_report(rounded(make_facts()))
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", text))
    assert "@import" not in text
    assert set(re.findall(r"https?://[^\"\s]+", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }


def test_the_policy_allows_this_script_and_no_other() -> None:
    page = page_of(make_facts())
    table, script = page.texts["script"]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = next(value for value in page.values("content") if "default-src" in value)
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy
    assert json.loads(table)["command"] == "winnow select plain"


def test_texts_from_data_stay_texts() -> None:
    plain, hostile = page_of(make_facts()), page_of(make_facts(HOSTILE))
    assert hostile.tags == plain.tags
    assert [name for _, name, _ in hostile.attributes] == [name for _, name, _ in plain.attributes]
    assert hostile.texts["script"][1] == plain.texts["script"][1]
    assert json.loads(hostile.texts["script"][0])["command"] == f"winnow select {HOSTILE}"
    assert HOSTILE in hostile.texts["bdi"]
    assert HOSTILE in hostile.texts["code"]
    assert f"image labeled {HOSTILE}" in hostile.values("alt")


def test_the_page_can_be_read_by_a_screen_reader() -> None:
    page = page_of(make_facts())
    tags = Counter(page.tags)
    assert tags["caption"] == tags["table"] > 5
    assert tags["img"] == len(page.values("alt")) == 5
    assert all(page.values("alt"))
    labels = [v for t, n, v in page.attributes if (t, n) == ("svg", "aria-label")]
    assert len(labels) == tags["svg"] == 4
    ids = page.values("id")
    assert len(ids) == len(set(ids))


def test_labels_are_listed_by_candidates_and_named_by_id_where_nameless() -> None:
    page = page_of(make_facts("red disc"))
    names = [name for name in page.texts["bdi"] if name in ("red disc", "dog", "cat")]
    assert names.index("dog") < len(names) - 1 - names[::-1].index("red disc")
    assert "cat" in page.texts["span"]
    assert "dog" not in page.texts["span"]


@pytest.mark.parametrize(
    "uri",
    [
        "https://example.org/x.png",
        "data:image/svg+xml;base64,PHN2Zy8+",
        "data:text/html;base64,PGI+",
        "data:image/png;base64,AAAA\" onerror=\"alert(1)",
        "javascript:alert(1)",
        "",
    ],
)  # fmt: skip
def test_thumbnails_that_are_not_images_are_left_out(uri: str) -> None:
    facts = make_facts()
    shown = page_of(facts).values("src")
    assert len(shown) == 5
    facts["thumbnails"]["kept_lowest"] = [{"data_uri": uri, "label": "x", "p_correct": 0.5}]
    assert page_of(facts).values("src") == shown[1:]


def test_the_page_stays_small_however_much_there_is(tmp_path: Path) -> None:
    facts = make_facts()
    name = "a rather long name of a label, with a few words in it"
    facts["labels"] = [
        {"label_id": f"n{i:08d}", "name": f"{name} {i}", "n_candidates": i, "n_kept": 1}
        for i in range(19_000)
    ]
    image = {"data_uri": thumbnail(60), "label": name, "p_correct": 0.5}
    assert len(image["data_uri"]) > 10_000
    facts["thumbnails"] = {"kept_lowest": [image] * 1000, "dropped_highest": [image] * 1000}
    facts["noisy_labels"] = facts["confusions"] = []
    facts["threshold_table"] = thresholds(1001)
    page = write_report(facts, tmp_path)
    assert page.stat().st_size < 5_000_000
    text = page.read_text()
    assert f"The {MAX_LABELS:,} labels with most candidates, of 19,000" in text
    assert "n00018999" in text
    assert "n00000001" not in text
    assert "Kept, with the lowest" in text
    assert "Dropped, with the highest" in text
    assert text.count("<img") == 200


def test_the_steps_add_up_and_name_their_reasons() -> None:
    facts = {
        "funnel": [
            {"step": "candidate labels", "n": 10, "dropped": {"below_threshold": 6}},
            {"step": "kept", "n": 4, "dropped": {"held_out": 1}},
            {"step": "in training shards", "n": 3, "dropped": {}},
        ]
    }
    text = " ".join(page_of(facts).texts["th"] + page_of(facts).texts["td"])
    assert "the probability to be right is below the threshold" in text
    assert "of images that are held out" in text
    assert "−6" in text


def test_pictures_show_reason_sense_and_evidence() -> None:
    page = page_of({"thumbnails": {"dropped_highest": [picture_of("bat")]}})
    texts = " ".join(text for each in page.texts.values() for text in each)
    assert "70.0\u00a0%, below threshold" in texts
    assert "0.50, 2 pages of 1 site" in texts
    assert page.texts["bdi"].count("bat") == 4


# The files


def test_facts_are_written_as_they_are(tmp_path: Path) -> None:
    facts = make_facts()
    assert write_report(facts, tmp_path) == tmp_path / "report.html"
    text = (tmp_path / "report.json").read_text()
    read = json.loads(text)
    assert read == rounded(facts)
    assert list(read) == sorted(facts)
    assert read["kept_share"] == 0.333223
    assert read["labels"] == facts["labels"]
    assert text == json.dumps(read, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    assert render_report(read) == (tmp_path / "report.html").read_text()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_rounded_facts_are_json_and_stay(value: Any) -> None:
    once = rounded(value)
    assert rounded(once) == once
    assert json.loads(json.dumps(once, allow_nan=False)) == once


def test_numbers_of_numpy_become_plain() -> None:
    facts = {"a": np.float32(1 / 3), "b": np.int64(3), "c": np.arange(2), "d": np.bool_(True)}
    assert rounded(facts) == {"a": 0.333333, "b": 3, "c": [0, 1], "d": True}
    assert {type(v) for v in rounded(facts).values()} == {float, int, list, bool}


def turned(facts: Any) -> Any:
    """Return equal facts whose keys come in another order."""
    if isinstance(facts, dict):
        return {key: turned(facts[key]) for key in reversed(facts)}
    return [turned(item) for item in facts] if isinstance(facts, list) else facts


def test_the_same_facts_make_the_same_bytes(tmp_path: Path) -> None:
    pages = []
    for name, size in (("a", 10.0), ("b", 23.0)):
        (tmp_path / name).mkdir()
        facts = turned(make_facts()) if name == "b" else make_facts()
        facts["thumbnails"] = {}
        facts["run"] = {"seconds": size}
        with matplotlib.rc_context({"font.size": size, "axes.linewidth": size}):
            pages.append(write_report(facts, tmp_path / name).read_text())
    assert pages[0].replace("10.0", "23.0") == pages[1].replace("10.0", "23.0")
    reports = [json.loads((tmp_path / name / "report.json").read_text()) for name in ("a", "b")]
    assert reports[0] | {"run": None} == reports[1] | {"run": None}


# The figures


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_parts_of_a_page(name: str) -> None:
    facts = make_facts()
    facts["sources"].append({**source_of("alt"), "precision": 0.8})
    svg = figure_svg(name, facts)
    assert svg is not None
    root = ElementTree.fromstring(svg)
    assert root.attrib["role"] == "img"
    assert "width" not in root.attrib
    assert "viewBox" in root.attrib
    assert "<style" not in svg
    assert not re.search(r"#[0-9a-f]{6}(?!\))", svg)


def texts_of(svg: str | None) -> list[str]:
    return [
        element.text or "" for element in ElementTree.fromstring(svg or "").iter() if element.text
    ]


def test_the_curve_marks_the_chosen_point() -> None:
    facts = make_facts()
    assert "kept 33.3 %, precision 92.1 %" in texts_of(figure_svg("precision", facts))
    del facts["precision"]
    assert not any(
        "kept" in t and "precision" in t for t in texts_of(figure_svg("precision", facts))
    )


def test_names_of_sources_are_neither_formulas_nor_longer_than_the_figure() -> None:
    facts = make_facts()
    facts["sources"] = [source_of("$\\frac$"), source_of("a" * 300)]
    texts = texts_of(figure_svg("sources", facts))
    assert "$\\frac$" in texts and "a" * 27 + "…" in texts


def test_each_evaluated_set_has_a_bar() -> None:
    facts = make_facts()
    texts = texts_of(figure_svg("models", facts))
    assert {"all candidates", "a random share", "the kept labels", "52.3 %", "37.1 %"} <= set(texts)
    del facts["map_random"]
    assert "a random share" not in texts_of(figure_svg("models", facts))


def test_figures_are_files_for_papers(tmp_path: Path) -> None:
    paths = write_figures(rounded(make_facts()), tmp_path)
    assert {path.name for path in paths} == {
        f"{name}.{suffix}"
        for name in ("precision", "long-tail", "models", "ablation")
        for suffix in ("png", "svg")
    }
    with Image.open(tmp_path / "precision.png") as image:
        assert image.size == (1620, 990)
    before = [path.read_bytes() for path in paths]
    assert before == [path.read_bytes() for path in write_figures(rounded(make_facts()), tmp_path)]
    assert write_figures({}, tmp_path) == []
