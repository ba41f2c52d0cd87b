"""The routes of the audit page, on the shop's run."""

from __future__ import annotations

import errno
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from curation.runs.stage import open_stage
from labeling.errors import InputError
from pipelines.delivery.truth import read_truth
from pipelines.jobs.label import label
from pipelines.page.answers import import_journals, pairs_of
from pipelines.page.app import make_app
from pipelines.page.desk import Desk
from pipelines.page.journal import Journal, open_journal
from pipelines.run.config import Config, read_config


@pytest.fixture
def config(shop: Path) -> Config:
    return read_config(shop, ["audit.truth=", "audit.n=30"])


@pytest.fixture
def journal(labelled: Path) -> Iterator[Journal]:
    with open_journal(labelled, "ada") as opened:
        yield opened


@pytest.fixture
def desk(config: Config, labelled: Path, journal: Journal) -> Desk:
    return Desk(config, labelled, journal)


@pytest.fixture
def client(desk: Desk) -> TestClient:
    client = TestClient(make_app(desk, "secret", ["testserver"]))
    page = client.get("/open/secret")
    assert page.status_code == 200 and "Audit of run" in page.text
    return client


def send(client: TestClient, judged: dict[int, str], **changed: Any) -> Any:
    body = {"tab": 1, "mode": "one", "ms": 700, "verdicts": judged} | changed
    return client.post("/verdicts", json=body)


def test_pairs_of_the_draw_are_shown_and_judged(
    client: TestClient, desk: Desk, labelled: Path
) -> None:
    content = client.get("/queue").json()
    numbers = [number for number, _, _ in content["questions"]]
    assert numbers == [*range(len(desk.questions))] and len(numbers) == 32
    label = content["labels"][content["questions"][0][1]]
    assert label["name"] and set(label) == {
        "name",
        "others",
        "gloss",
        "parents",
        "below",
        "beside",
    }
    state = send(client, {0: "yes", 1: "no"}).json()
    assert (state["judged"], state["open"], state["counted"], state["drawn"]) == (2, 30, 2, 30)
    assert state["per_hour"] == round(2 * 3_600_000 / 700)
    assert [entry.verdict for entry in desk.journal.entries] == ["yes", "no"]
    lines = (labelled / "audit-journals" / "ada.jsonl").read_text().splitlines()
    assert [json.loads(line)["ms"] for line in lines] == [350, 350]
    assert [n for n, _, _ in client.get("/queue").json()["questions"]] == numbers[2:]


def test_a_verdict_that_is_taken_back_is_asked_again(client: TestClient, desk: Desk) -> None:
    send(client, {0: "yes"})
    state = send(client, {0: ""}).json()
    assert state["judged"] == 0
    assert client.get("/queue").json()["questions"][0][0] == 0
    assert [entry.verdict for entry in desk.journal.entries] == ["yes", ""]


def test_a_second_tab_takes_over(client: TestClient, desk: Desk) -> None:
    assert 'data-tab="2"' in client.get("/").text
    late = send(client, {0: "yes"})
    assert late.status_code == 409 and "taken over" in late.json()["error"]
    assert client.post("/draw", json={"tab": 1}).status_code == 409
    assert desk.journal.entries == []
    assert send(client, {0: "yes"}, tab=2).status_code == 200


@pytest.mark.parametrize(
    "changed",
    [
        {"verdicts": {}},
        {"verdicts": {"9999": "yes"}},
        {"verdicts": {"0": "yes", "9999": "yes"}},
        {"verdicts": {"-1": "yes"}},
        {"verdicts": {"٣": "yes"}},
        {"verdicts": {"0": "maybe"}},
        {"verdicts": {"0": None}},
        {"verdicts": ["yes"]},
        {"mode": "all"},
        {"ms": -1},
        {"ms": 1.5},
        {"ms": True},
    ],
)
def test_bad_verdicts_are_refused_and_nothing_is_written(
    client: TestClient, desk: Desk, changed: dict[str, Any]
) -> None:
    answer = send(client, {0: "yes"}, **changed)
    assert answer.status_code == 400 and answer.json()["error"]
    assert desk.journal.entries == []


def test_verdicts_may_be_sent_again_after_a_full_disk(
    client: TestClient, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", refuse)
        answer = send(client, {0: "yes"})
    assert answer.status_code == 503 and "make room" in answer.json()["help"]
    assert desk.state()["judged"] == 0
    assert send(client, {0: "yes"}).json()["judged"] == 1


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 60_000])
def test_bodies_that_are_not_json_objects_are_refused(client: TestClient, body: bytes) -> None:
    answer = client.post("/verdicts", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400 and answer.json()["error"]


def test_pictures_are_encoded_again_and_found_by_number(client: TestClient, shop: Path) -> None:
    answer = client.get("/image/0?mode=grid")
    assert answer.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(answer.content)) as image:
        assert max(image.size) <= 384
    for path in ("/image/9999", "/image/-1", "/image/..%2fconfig.json", "/image/0?mode=raw"):
        assert client.get(path).status_code in (400, 404)


def test_a_picture_that_is_missing_has_a_reason(client: TestClient, desk: Desk, shop: Path) -> None:
    file = desk.file(0)
    assert file is not None
    (shop.parent / file.location).unlink()
    answer = client.get("/image/0")
    assert answer.status_code == 404 and answer.json() == {"error": "the file is missing"}


def test_evidence_holds_votes_and_texts(client: TestClient) -> None:
    content = client.get("/evidence/0").json()
    assert content["votes"] and all(vote["source"] for vote in content["votes"])
    assert all(text["text"] for text in content["texts"])


def test_the_next_pairs_are_drawn_once_all_are_judged(
    client: TestClient, desk: Desk, labelled: Path
) -> None:
    n = len(desk.questions)
    send(client, {number: "yes" if number % 2 else "no" for number in range(n)})
    assert client.get("/queue").json()["questions"] == []
    assert client.post("/draw", json={"tab": 1}).json()["new"] > 0
    assert open_stage(labelled, "audits").counts["yes"] > 0
    content = client.get("/queue").json()
    assert [number for number, _, _ in content["questions"]][0] == n
    judged = {question.pair for question in desk.questions[:n]}
    new = [question for question in desk.questions[n:] if question.ask == "first"]
    assert new and not judged & {question.pair for question in new}


def test_a_look_gives_the_precision_so_far_and_is_counted(
    config: Config, labelled: Path, journal: Journal, shop: Path
) -> None:
    many = config.model_copy(update={"audit": config.audit.model_copy(update={"n": 120})})
    desk = Desk(many, labelled, journal, width=0.2)
    client = TestClient(make_app(desk, "secret", ["testserver"]))
    client.get("/open/secret")
    few = client.post("/look", json={"tab": 1})
    assert few.status_code == 400 and few.json()["help"]
    truth = set(pairs_of(read_truth(shop.parent / "truth.csv", desk.taxonomy)))
    judged = {n: question.pair in truth for n, question in enumerate(desk.questions)}
    send(client, {n: "yes" if is_right else "no" for n, is_right in judged.items()})
    look = client.post("/look", json={"tab": 1}).json()
    assert 0 <= look["low"] <= look["precision"] <= look["high"] <= 1
    assert (look["number"], look["n_audits"], look["width"]) == (1, 120, 0.2)
    assert look["is_narrow"] or look["n_next"] > 120
    assert look == client.post("/look", json={"tab": 1}).json()
    assert client.post("/look", json={"tab": 7}).status_code == 409


def test_a_new_desk_asks_what_is_left(config: Config, labelled: Path, journal: Journal) -> None:
    desk = Desk(config, labelled, journal)
    desk.judge({0: "yes", 1: "unsure"}, "one", 100)
    again = Desk(config, labelled, journal)
    judged = {question.pair for question in desk.questions[:2]}
    asked = [question for question in again.questions if question.ask == "first"]
    assert len(asked) == 28 and not judged & {question.pair for question in asked}


def test_verdicts_on_candidates_that_were_made_again_are_refused(
    client: TestClient, desk: Desk, labelled: Path, shop: Path
) -> None:
    taxonomy = shop.parent / "taxonomy.jsonl"
    *lines, _ = taxonomy.read_text().splitlines(keepends=True)
    taxonomy.write_text("".join(lines))
    label(read_config(shop, ["audit.truth=", "label.max_reject_share=1"]), labelled)
    answer = send(client, {0: "yes"})
    assert answer.status_code == 400 and "labeled again" in answer.json()["error"]
    assert desk.journal.entries == []


def test_the_end_of_the_candidates_is_reported(
    config: Config, labelled: Path, journal: Journal
) -> None:
    n = open_stage(labelled, "candidates").counts["candidates"]
    audit = config.audit.model_copy(update={"n": n})
    desk = Desk(config.model_copy(update={"audit": audit}), labelled, journal)
    desk.judge(dict.fromkeys(range(len(desk.questions)), "yes"), "one", 100)
    with pytest.raises(InputError, match=f"all {n} candidates have been judged"):
        desk.draw()


def test_a_new_desk_asks_again_what_was_taken_back_after_an_import(
    config: Config, labelled: Path, journal: Journal
) -> None:
    desk = Desk(config, labelled, journal)
    desk.judge({0: "yes", 1: "no"}, "one", 100)
    import_journals(labelled)
    desk.judge({1: ""}, "one", 100)
    assert desk.state()["counted"] == 1
    assert Desk(config, labelled, journal).questions[0].pair == desk.questions[1].pair


def test_pairs_that_another_auditor_has_judged_are_imported_before_a_draw(
    config: Config, labelled: Path, journal: Journal
) -> None:
    desk = Desk(config, labelled, journal)
    with open_journal(labelled, "bob") as other:
        of_bob = Desk(config, labelled, other)
        of_bob.judge(dict.fromkeys(range(len(of_bob.questions)), "yes"), "one", 100)
    desk.draw()
    assert open_stage(labelled, "audits").counts["yes"] >= 30
    assert any(question.ask == "first" for question in desk.questions[32:])


def test_texts_are_escaped(
    config: Config, labelled: Path, journal: Journal, tmp_path: Path
) -> None:
    renamed = labelled.rename(tmp_path / "<script>alert(1)<")
    desk = Desk(config, renamed, journal)
    client = TestClient(make_app(desk, "secret", ["testserver"]))
    page = client.get("/open/secret").text
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page
