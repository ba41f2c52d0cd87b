"""The routes of the audit page that look at candidates and thresholds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from curation.runs.stage import open_stage
from pipelines.browsing.build import build
from pipelines.page.app import make_app
from pipelines.page.desk import Desk
from pipelines.page.journal import open_journal
from pipelines.run.config import Config, read_config


@pytest.fixture
def config(shop: Path) -> Config:
    return read_config(shop, ["audit.truth="])


@pytest.fixture
def client(config: Config, selected: Path) -> Iterator[TestClient]:
    build(config, selected)
    with open_journal(selected, "ada") as journal:
        client = TestClient(make_app(Desk(config, selected, journal), "secret", ["testserver"]))
        client.get("/open/secret")
        yield client


@pytest.fixture
def version(client: TestClient) -> str:
    state = client.get("/index").json()
    assert state["state"] == "ready"
    return str(state["version"])


def test_labels_lead_to_pairs_and_these_to_all_that_is_known(
    client: TestClient, version: str
) -> None:
    labels = client.get(f"/labels/{version}?sort=n_kept&falling=1").json()
    label = labels["rows"][0]["label_id"]
    kept = client.get(f"/pairs/{version}?label={label}&which=kept").json()
    assert kept["n"] == labels["rows"][0]["n_kept"]
    assert all(pair["reason"] == "kept" for pair in kept["rows"])
    number = kept["rows"][0]["number"]
    image = client.get(f"/pair/{version}/{number}").json()
    assert label in [pair["label_id"] for pair in image["labels"]]
    assert image["location"] and image["labels"][0]["evidence"]
    picture = client.get(f"/pair-image/{version}/{number}")
    assert picture.headers["content-type"] == "image/jpeg"


def test_a_chosen_share_is_selected_as_it_was_shown(
    client: TestClient, version: str, selected: Path
) -> None:
    table = client.get(f"/tuning/{version}").json()
    row = table["share"].index(0.2)
    done = client.post("/select", json={"share": 0.2}).json()
    stage = open_stage(selected, "selected")
    assert done["n_kept"] == table["n_kept"][row] == stage.counts["out"]
    for name, column in (("", "precision"), ("_low", "low"), ("_high", "high")):
        assert stage.facts[f"precision{name}"] == pytest.approx(table[column][row], rel=1e-4)
        assert done[f"precision{name}"] == stage.facts[f"precision{name}"]
    assert done["command"].endswith("--keep 0.2") and done["setting"] == "select.keep = 0.2"
    stale = client.get(f"/labels/{version}")
    assert stale.status_code == 200  # until another index is opened
    while client.get("/index").json()["state"] == "building":
        time.sleep(0.1)
    assert client.get("/index").json()["version"] != version
    refused = client.get(f"/labels/{version}")
    assert refused.status_code == 400 and refused.json()["help"] == "reload the page"


def test_one_label_and_a_subtree_have_tables_of_their_own(client: TestClient, version: str) -> None:
    label = client.get(f"/labels/{version}").json()["rows"][0]
    of_label = client.get(f"/tuning/{version}?label={label['label_id']}").json()
    assert of_label["n_candidates"] == label["n"] and of_label["command"]
    edges = client.get(f"/edges/{version}?share=0.3&label={label['label_id']}").json()
    assert {pair["label_id"] for side in ("above", "below") for pair in edges[side]} == {
        label["label_id"]
    }
    everywhere = client.get(f"/edges/{version}?share=0.3").json()
    assert everywhere["above"][0]["p"] >= everywhere["below"][0]["p"]


@pytest.mark.parametrize(
    "path",
    [
        "/labels/{v}?sort=p",
        "/labels/{v}?start=-1",
        "/labels/{v}?start=٣",
        "/labels/other",
        "/pairs/{v}",
        "/pairs/{v}?label=no-such-label",
        "/pairs/{v}?label=a&which=some",
        "/pair/{v}/999999999",
        "/pair-image/{v}/999999999",
        "/edges/{v}",
        "/edges/{v}?share=nan",
        "/edges/{v}?share=1e999",
        "/tuning/{v}?label=%3Cscript%3E",
    ],
)
def test_what_does_not_exist_is_refused(client: TestClient, version: str, path: str) -> None:
    answer = client.get(path.format(v=version))
    assert answer.status_code == 400 and answer.json()["error"]


@pytest.mark.parametrize("share", [0, 1.1, -1, True, "x", [], {}, float("inf")])
def test_an_invalid_share_is_refused(client: TestClient, selected: Path, share: Any) -> None:
    before = open_stage(selected, "selected").content
    body = {"share": str(share) if share == float("inf") else share}
    assert client.post("/select", json=body).status_code == 400
    assert open_stage(selected, "selected").content == before


def test_a_share_is_not_selected_from_newer_judgements(
    client: TestClient, config: Config, selected: Path
) -> None:
    audits = open_stage(selected, "audits")
    (selected / "audits" / "CURRENT").unlink()
    answer = client.post("/select", json={"share": 0.2})
    assert answer.status_code == 400 and answer.json()["help"]
    assert audits.dir.exists()


def test_a_run_without_a_selection_is_selected_from_the_page(
    config: Config, labelled: Path, shop: Path
) -> None:
    with open_journal(labelled, "ada") as journal:
        desk = Desk(read_config(shop, ["audit.n=120", "audit.truth="]), labelled, journal)
        client = TestClient(make_app(desk, "secret", ["testserver"]))
        client.get("/open/secret")
        state = client.get("/index").json()
        assert state["state"] == "none" and "winnow select" in state["command"]
        refused = client.post("/select", json={})
        assert refused.status_code == 400 and "no audits" in refused.json()["error"]
        desk.judge({n: "yn"[n % 2] == "y" and "yes" or "no" for n in range(120)}, "one", 100)
        done = client.post("/select", json={}).json()
        assert done["n_kept"] > 0 and open_stage(labelled, "selected").counts["out"] > 0


def test_views_are_shown_and_do_not_take_the_page_over(client: TestClient) -> None:
    for path in ("/browse", "/tune"):
        page = client.get(path)
        assert page.status_code == 200 and "script" in page.text
    body = {"tab": 1, "mode": "one", "ms": 1, "verdicts": {"0": "yes"}}
    assert client.post("/verdicts", json=body).status_code == 200


def test_every_route_is_guarded(client: TestClient) -> None:
    values = {"number:int": "0", "version": "x"}
    for route in client.app.routes:  # type: ignore[attr-defined]
        assert isinstance(route, Route | Mount)
        path = route.path + "/page.css" * isinstance(route, Mount)
        for name, value in values.items():
            path = path.replace(f"{{{name}}}", value)
        methods = {"GET"} if isinstance(route, Mount) else (route.methods or set()) - {"HEAD"}
        assert methods in ({"GET"}, {"POST"})
        (method,) = methods
        json = {"json": {}} if method == "POST" else {}
        other = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
        assert client.request(method, path, headers=other, **json).status_code == 403
        assert client.request(method, path, headers={"host": "evil"}, **json).status_code == 400
        if method == "POST":
            assert client.post(path, content=b"{}").status_code == 403
        stranger = TestClient(client.app, base_url="http://testserver")
        answer = stranger.request(method, path, **json)
        assert answer.status_code == 401 and "content-security-policy" in answer.headers
