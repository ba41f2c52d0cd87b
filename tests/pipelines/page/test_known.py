"""Pairs with known answers, and the mistakes of auditors that they show."""

from __future__ import annotations

from pathlib import Path

import pytest

from curation.runs.stage import open_stage
from labeling.schemas import CANDIDATES
from pipelines.auditing.known_answers import KnownAnswers, read_known_answers
from pipelines.page.answers import answer_rows, import_journals, pairs_of
from pipelines.page.desk import Desk
from pipelines.page.journal import Ask, Entry, Mode, open_journal
from pipelines.page.known import (
    agreement_of,
    describe_auditors,
    measure_auditors,
    pairs_to_mix_in,
    sure_verdicts,
)
from pipelines.run.config import read_config

PAIRS = [(f"{i:032x}", "cat") for i in range(6)]


def entry(i: int, verdict: str, ask: Ask = "first", mode: Mode = "one", known: str = "") -> Entry:
    return Entry("run", *PAIRS[i], verdict, ask, mode, 0, i, known)


def test_mistakes_are_counted_by_auditor_and_mode() -> None:
    journals = {
        "ada": [entry(0, "yes", known="no"), entry(1, "no", "check", "grid", "no")],
        "bob": [entry(0, "no", "check", "grid", "no"), entry(2, "unsure", known="yes")],
        "eve": [entry(1, "yes", mode="grid"), entry(3, "no", mode="grid", known="yes")],
    }
    assert measure_auditors(journals, []) == [
        KnownAnswers("ada", "grid", n_wrong=1),
        KnownAnswers("ada", "one", n_wrong=1, n_wrong_called_right=1),
        KnownAnswers("bob", "grid", n_wrong=1),
        KnownAnswers("eve", "grid", n_right=1, n_right_called_wrong=1),
    ]


def test_what_two_others_agree_on_is_known() -> None:
    journals = {"ada": [entry(0, "yes"), entry(1, "no")], "bob": [entry(0, "no", "check")]}
    earlier = [
        {"image_id": image, "label_id": label, "verdict": "yes", "auditor": "eve"}
        for image, label in PAIRS[:2]
    ]
    assert measure_auditors(journals, earlier) == [
        KnownAnswers("bob", "one", n_right=1, n_right_called_wrong=1)
    ]
    both = agreement_of(sure_verdicts(journals, earlier))
    assert both.n_pairs == 2 and both.share == pytest.approx(1 / 4)
    shown = describe_auditors(journals, earlier, 0.95)
    assert shown["known"][0]["most_of_wrong"] is None


def test_pairs_of_a_file_come_first_wrong_and_right_in_turn() -> None:
    known = {PAIRS[0]: "yes", PAIRS[1]: "no", PAIRS[2]: "no"}
    judged = {
        PAIRS[4]: {"bob": "yes"},
        PAIRS[3]: {"bob": "no", "eve": "no"},
        PAIRS[5]: {"ada": "no"},
    }
    pairs = pairs_to_mix_in(known, judged, "ada", [], 9, seed=0)
    assert [known.get(pair) for pair in pairs[:3]] == ["yes", "no", "no"]
    assert pairs[3:] == [PAIRS[3], PAIRS[4]]
    assert pairs_to_mix_in(known, judged, "ada", PAIRS[:4], 9, seed=0) == [PAIRS[4]]
    assert len(pairs_to_mix_in(known, judged, "ada", [], 2, seed=0)) == 2


def test_a_check_never_replaces_the_first_verdict() -> None:
    journals = {"ada": [entry(0, "yes", "check"), entry(5, "no", "check")], "bob": [entry(0, "no")]}
    rows = answer_rows(journals, [], PAIRS[:1])
    assert rows[["auditor", "verdict"]].values.tolist() == [["ada", "yes"], ["bob", "no"]]


def test_answers_of_a_file_are_mixed_in_and_imported(labelled: Path, shop: Path) -> None:
    with open_journal(labelled, "ada") as journal:
        config = read_config(shop, ["audit.truth=", "audit.n=30"])
        desk = Desk(config, labelled, journal)
        drawn = {question.pair for question in desk.questions}
        others = [pair for pair in _candidates(labelled) if pair not in drawn][:10]
        lines = [
            f"{image},{label},{'yes' if i % 2 else 'no'}"
            for i, (image, label) in enumerate([*others, ("0" * 32, "cat")])
        ]
        (shop.parent / "known.csv").write_text("\n".join(["image_id,label_id,verdict", *lines]))
        known = read_config(shop, ["audit.truth=", "audit.n=30", "audit.known=known.csv"])
        desk = Desk(known, labelled, journal)
        checks = [n for n, question in enumerate(desk.questions) if question.ask == "check"]
        assert len(checks) == 3 and {desk.questions[n].pair for n in checks} <= set(others)
        assert all(desk.file(n) for n in checks)
        desk.judge(dict.fromkeys(range(len(desk.questions)), "yes"), "grid", 100)
        assert desk.state()["judged"] == 30
        assert desk.auditors()["known"][0]["n_wrong"] in (1, 2)
        given = Desk(config, labelled, journal, known=shop.parent / "known.csv")
        assert given.config.audit.known is None and len(given._known) == 10
    (row,) = read_known_answers(import_journals(labelled))
    assert (row.auditor, row.mode, row.n_wrong + row.n_right) == ("ada", "grid", 3)
    assert row.n_wrong == row.n_wrong_called_right


def _candidates(run_dir: Path) -> list[tuple[str, str]]:
    pairs = open_stage(run_dir, "candidates").table(CANDIDATES, ["image_id", "label_id"])
    return pairs_of(pairs)
