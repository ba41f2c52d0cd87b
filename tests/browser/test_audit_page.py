"""The audit page in a real browser."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from curation.runs.stage import open_stage
from labeling.schemas import CANDIDATES
from pipelines.page.answers import pairs_of
from pipelines.page.journal import Entry, read_journals
from tests.browser.conftest import Served, serving

pytestmark = [pytest.mark.browser, pytest.mark.slow]

N_JUDGED = 100


def entries(run_dir: Path) -> list[Entry]:
    return read_journals(run_dir)["ada"]


def wait_until_saved(page: Page) -> None:
    expect(page.locator("body")).to_have_attribute("data-waiting", "0", timeout=30_000)


def whole_grid(page: Page) -> int:
    """Wait until a grid shows all its pictures; return their number."""
    shown = page.wait_for_function(
        """() => {
            const n = document.querySelectorAll("#grid .tiles li").length;
            const counted = document.querySelector("#grid .confirm .n").textContent;
            return counted === String(n) ? n : 0;
        }""",
        timeout=20_000,
    )
    return int(shown.json_value())


def test_verdicts_by_keys_are_all_in_the_journal_after_a_kill(
    page: Page, served: Served, run_dir: Path
) -> None:
    page.goto(served.address)
    for n in range(N_JUDGED):
        page.wait_for_selector("#one figure img")
        page.keyboard.press("yn"[n % 2])
    wait_until_saved(page)
    served.process.kill()
    served.process.wait()
    lines = entries(run_dir)
    assert [entry.verdict for entry in lines] == ["yes", "no"] * (N_JUDGED // 2)
    assert {entry.mode for entry in lines} == {"one"}


def test_a_grid_counts_what_was_shown_once_it_is_confirmed(
    page: Page, served: Served, run_dir: Path
) -> None:
    page.goto(served.address)
    page.click("[data-mode=grid]")
    expected: list[str] = []
    while len(expected) < N_JUDGED:
        n = whole_grid(page)
        page.keyboard.press("1")
        expected += ["no"] + ["yes"] * (n - 1)
        page.keyboard.press("Enter")
        expect(page.locator("#counts")).to_contain_text("judged")
    wait_until_saved(page)
    assert len({(e.image_id, e.label_id, e.ask) for e in entries(run_dir)}) == len(expected)
    served.process.kill()
    served.process.wait()
    assert [entry.verdict for entry in entries(run_dir)] == expected
    assert {entry.mode for entry in entries(run_dir)} == {"grid"}


def test_marks_made_by_hand_stay_in_another_size_and_turned_round(
    page: Page, served: Served, run_dir: Path
) -> None:
    page.goto(served.address)
    page.click("[data-mode=grid]")
    tiles = page.locator("#grid .tiles button")
    n = whole_grid(page)
    page.keyboard.press("n")  # the tile in focus
    page.keyboard.press("ArrowRight")
    page.keyboard.press("u")
    page.select_option("#size", "6")
    whole_grid(page)
    page.locator("#grid .confirm").focus()
    page.keyboard.press("i")
    shown = [tile.get_attribute("data-verdict") for tile in tiles.all()]
    assert shown == ["no", "unsure"] + ["no"] * (len(shown) - 2) and len(shown) >= n
    page.keyboard.press("i")
    assert whole_grid(page) == len(shown)
    page.keyboard.press("Enter")
    wait_until_saved(page)
    verdicts = [entry.verdict for entry in entries(run_dir)]
    assert verdicts == ["no", "unsure"] + ["yes"] * (len(shown) - 2)


def test_a_grid_holds_one_label_and_no_pair_twice(page: Page, served: Served) -> None:
    page.goto(served.address)
    page.click("[data-mode=grid]")
    page.select_option("#size", "6")
    for _ in range(4):
        whole_grid(page)
        tiles = page.locator("#grid .tiles button")
        sources = [tile.get_attribute("data-number") for tile in tiles.all()]
        assert len(sources) == len(set(sources)) > 0
        page.keyboard.press("Enter")
        page.wait_for_timeout(200)


def test_a_stream_runs_at_its_pace_and_counts_once_its_marks_are_checked(
    page: Page, served: Served, run_dir: Path
) -> None:
    page.goto(served.address)
    page.click("[data-mode=rapid]")
    page.locator("#pace").fill("0.35")
    image = page.locator("#rapid figure img")
    expect(image).to_have_attribute("data-state", "loaded")
    n = int(page.inner_text("#rapid .at").split()[-1])
    first = image.get_attribute("data-number")
    page.wait_for_timeout(800)
    assert image.get_attribute("data-number") == first  # it does not start by itself
    page.keyboard.press("n")
    page.keyboard.press("Enter")
    expect(image).not_to_have_attribute("data-number", str(first))
    page.keyboard.press("Enter")  # stops it
    expect(image).to_have_attribute("data-state", "loaded")
    at = int(page.inner_text("#rapid .at").split()[0]) - 1
    page.keyboard.press("u")
    page.keyboard.press("b")
    page.keyboard.press("Enter")
    assert whole_grid(page) == n
    assert entries(run_dir) == []
    page.keyboard.press("9")
    page.keyboard.press("Enter")
    wait_until_saved(page)
    marked = {0: "no", at - 1: "no", at: "unsure", 8: "no"}
    assert [entry.verdict for entry in entries(run_dir)] == [marked.get(i, "yes") for i in range(n)]
    assert {entry.mode for entry in entries(run_dir)} == {"rapid"}
    second = image.get_attribute("data-number")
    page.wait_for_timeout(800)
    assert image.get_attribute("data-number") == second  # nor does the next one
    page.keyboard.press("Enter")
    expect(image).not_to_have_attribute("data-number", str(second))


def test_a_pair_without_a_picture_can_only_be_unsure(
    page: Page, served: Served, run_dir: Path
) -> None:
    page.route("**/image/*", lambda route: route.fulfill(status=404, json={"error": "gone"}))
    page.goto(served.address)
    expect(page.locator("#one .missing")).to_contain_text("only be unsure")
    page.keyboard.press("y")
    page.keyboard.press("u")
    wait_until_saved(page)
    page.click("[data-mode=grid]")
    expect(page.locator("#grid .tiles li").first).to_contain_text("unsure")
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    wait_until_saved(page)
    assert {entry.verdict for entry in entries(run_dir)} == {"unsure"}


def test_a_refused_screen_is_reported_and_later_ones_are_saved(
    page: Page, served: Served, run_dir: Path
) -> None:
    page.goto(served.address)
    refusal = {"error": "not valid", "help": "reload the page"}
    page.route("**/verdicts", lambda route: route.fulfill(status=400, json=refusal), times=1)
    for _ in range(2):
        page.wait_for_selector("#one figure img")
        page.keyboard.press("y")
        wait_until_saved(page)
    expect(page.locator("#alert")).to_contain_text("not valid\nreload the page")
    assert [entry.verdict for entry in entries(run_dir)] == ["yes"]


def test_ctrl_c_right_after_the_address_is_a_clean_end(served: Served) -> None:
    printed = served.end()
    assert served.process.returncode == 0 and "Traceback" not in printed


def test_back_shows_the_last_screen_again(page: Page, served: Served, run_dir: Path) -> None:
    page.goto(served.address)
    page.wait_for_selector("#one figure img")
    first = page.locator("#one figure img").get_attribute("data-number")
    page.keyboard.press("y")
    page.keyboard.press("z")
    page.wait_for_timeout(300)
    assert page.locator("#one figure img").get_attribute("data-number") == first
    page.keyboard.press("n")
    wait_until_saved(page)
    assert [entry.verdict for entry in entries(run_dir)] == ["yes", "", "no"]


def test_keys_can_be_changed_and_are_kept(page: Page, served: Served, run_dir: Path) -> None:
    page.goto(served.address)
    page.wait_for_selector("#one figure img")
    page.keyboard.press("?")
    page.locator('#keys tr[data-action="yes"] button').click()
    page.keyboard.press("n")
    page.keyboard.press("Escape")
    page.reload()
    page.wait_for_selector("#one figure img")
    expect(page.locator('.yes [data-key-of="yes"]')).to_have_text("n")
    page.keyboard.press("n")
    page.wait_for_selector("#one figure img")
    page.keyboard.press("y")
    wait_until_saved(page)
    assert [entry.verdict for entry in entries(run_dir)] == ["yes", "no"]


def test_a_pair_cannot_be_judged_before_its_picture_is_shown(
    page: Page, served: Served, run_dir: Path
) -> None:
    page.goto(served.address)
    page.wait_for_selector("#one figure img")
    page.route("**/image/*", lambda route: None)
    page.reload()
    page.wait_for_selector("#one .label:not(:empty)")
    page.keyboard.press("y")
    assert page.locator("#one figure img").get_attribute("data-state") == "loading"
    page.unroute("**/image/*")  # lets them pass
    page.wait_for_selector("#one figure img")
    page.keyboard.press("n")
    wait_until_saved(page)
    assert [entry.verdict for entry in entries(run_dir)] == ["no"]


def test_back_shows_the_marks_of_a_grid_again(page: Page, served: Served, run_dir: Path) -> None:
    page.goto(served.address)
    page.click("[data-mode=grid]")
    n = whole_grid(page)
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    page.keyboard.press("z")
    whole_grid(page)
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    wait_until_saved(page)
    last = [entry.verdict for entry in entries(run_dir)][2 * n :]
    assert last == ["yes", "no", "no"] + ["yes"] * (n - 3)


def test_a_second_tab_takes_over_and_the_first_reports_it(page: Page, served: Served) -> None:
    page.goto(served.address)
    page.wait_for_selector("#one figure img")
    second = page.context.new_page()
    second.goto(served.origin)
    second.wait_for_selector("#one figure img")
    page.keyboard.press("y")
    expect(page.locator("#alert")).to_contain_text("taken over by another tab")
    second.keyboard.press("y")
    wait_until_saved(second)


def test_ctrl_c_imports_what_was_judged(page: Page, served: Served, run_dir: Path) -> None:
    page.goto(served.address)
    for _ in range(60):
        page.wait_for_selector("#one figure img")
        page.keyboard.press("y")
    wait_until_saved(page)
    printed = served.end()
    assert served.process.returncode == 0 and "Traceback" not in printed
    assert "winnow select" in printed
    assert open_stage(run_dir, "audits").counts["yes"] > 50


def test_verdicts_wait_until_the_page_is_served_again(page: Page, served: Served) -> None:
    page.goto(served.address)
    page.wait_for_selector("#one figure img")
    served.end()
    page.keyboard.press("y")
    expect(page.locator("#alert")).to_contain_text("Not saved yet: 1 screen")


@pytest.fixture
def hostile() -> Iterator[str]:
    """Serve an empty page on another port; return its address."""

    class Empty(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>other</title>")

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Empty)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_a_page_on_another_port_can_neither_read_nor_write(
    page: Page, served: Served, run_dir: Path, hostile: str
) -> None:
    page.goto(served.address)
    page.wait_for_selector("#one figure img")
    other = page.context.new_page()  # with the cookie of the first
    other.goto(hostile)
    attack = """async (origin) => {
      const body = JSON.stringify({tab: 1, mode: "one", ms: 1, verdicts: {"0": "yes"}});
      const json = {"content-type": "application/json"};
      const tries = [
        {},
        {credentials: "include"},
        {method: "POST", body, headers: json, credentials: "include"},
        {method: "POST", body, mode: "no-cors", credentials: "include"},
      ];
      const outcomes = [];
      for (const options of tries) {
        const tried = fetch(origin + "/verdicts", options);
        outcomes.push(await tried.then(() => "read", () => "blocked"));
      }
      outcomes.push(await new Promise((done) => {
        const image = new Image();
        image.onload = () => done("read");
        image.onerror = () => done("blocked");
        image.src = origin + "/image/0";
      }));
      return outcomes;
    }"""
    assert other.evaluate(attack, served.origin) == ["blocked"] * 5
    assert entries(run_dir) == []


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible(page: Page, served: Served, width: int, scheme: str) -> None:
    page.set_viewport_size({"width": width, "height": 850})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(served.address)
    page.wait_for_selector("#one figure img")
    problems = []
    for show in ("[data-mode=one]", "[data-mode=grid]", "[data-mode=rapid]", "#help-button"):
        page.click(show)
        problems += Axe().run(page).response["violations"]
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert [(problem["id"], problem["nodes"][0]["html"]) for problem in problems] == []


def test_mistakes_in_known_answers_are_shown(page: Page, run_dir: Path, tmp_path: Path) -> None:
    pairs = pairs_of(open_stage(run_dir, "candidates").table(CANDIDATES, ["image_id", "label_id"]))
    lines = [f"{image},{label},no" for image, label in pairs]
    known = tmp_path / "known.csv"
    known.write_text("\n".join(["image_id,label_id,verdict", *lines]))
    with serving(run_dir, "--known", str(known)) as served:
        page.goto(served.address)
        for key in "yyn":
            page.wait_for_selector("#one figure img")
            page.keyboard.press(key)
        wait_until_saved(page)
        page.click("[data-action=auditors]")
        expect(page.locator("#auditors tbody tr")).to_contain_text("2 of 3 (at most")
        assert Axe().run(page).response["violations"] == []
