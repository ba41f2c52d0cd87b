"""The views of the audit page that browse and tune, in a real browser."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from click.testing import CliRunner
from playwright.sync_api import Page, expect

from curation.runs.stage import open_stage
from pipelines.browsing.build import build
from pipelines.cli import main
from pipelines.run.saved_config import load_config
from pipelines.selecting.select import select
from tests.browser.conftest import Served, label_shop

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def selected_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = label_shop(tmp_path_factory.mktemp("browse"))
    config = load_config(run)
    select(config, run)
    build(config, run)
    return run


@pytest.fixture
def run_dir(selected_shop: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(selected_shop, tmp_path / "run"))


def open_view(page: Page, served: Served, path: str) -> None:
    page.goto(served.address)
    page.goto(served.origin + path)
    page.wait_for_selector("#content:not([hidden])")


def number_of(page: Page, name: str) -> tuple[str, str]:
    """Return a number of the slider and its note, with plain spaces."""
    texts = page.locator(f'#tuning [data-name="{name}"] dd > *').all_inner_texts()
    main_text, note = (text.replace("\u00a0", " ") for text in texts)
    return main_text, note


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def test_the_slider_shows_what_is_selected_by_the_page_and_by_the_command(
    page: Page, served: Served, run_dir: Path
) -> None:
    open_view(page, served, "/tune")
    slider = page.locator('#tuning input[type="range"]')
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.33 * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.55 * box["width"], middle, steps=5)
    page.mouse.up()
    slider.press("ArrowRight")
    command = page.inner_text("#tuning .command")
    page.click("#use")
    expect(page.locator("#used .command").first).to_have_text(command, timeout=30_000)
    expect(page.locator("#index")).to_be_hidden(timeout=60_000)
    stage = open_stage(run_dir, "selected")
    facts, n_kept = stage.facts, stage.counts["out"]
    shown = {name: number_of(page, name) for name in ("kept", "precision", "wrong", "few")}
    assert shown["kept"][0] == f"{n_kept:,}"
    low, high = facts["precision_low"], facts["precision_high"]
    assert shown["precision"] == (
        percent(facts["precision"]),
        f"{percent(low)} to {percent(high)}, from {facts['n_audits_kept']} audits",
    )
    assert shown["wrong"][0] == f"{n_kept * (1 - facts['precision']):.0f}"
    n_few, n_lost = len(facts["labels_few"]), len(facts["labels_lost"])
    assert shown["few"][0] == str(n_few + n_lost)
    by_command = CliRunner().invoke(
        main, [*command.split()[1:2], str(run_dir), *command.split()[3:]]
    )
    assert by_command.exit_code == 0, by_command.stderr
    assert open_stage(run_dir, "selected").content == stage.content


def test_pairs_on_both_sides_follow_the_slider_and_the_label(page: Page, served: Served) -> None:
    open_view(page, served, "/tune")
    below = page.locator('[data-side="below"] li')
    expect(below.first).to_contain_text("dropped")
    before = below.first.inner_text()
    page.locator('#tuning input[type="number"]').fill("90")
    expect(below.first).not_to_have_text(before)
    label_id = page.locator("#labels option").first.get_attribute("value")
    page.locator("[name=label]").fill(str(label_id))
    expect(page.locator("#scope")).not_to_have_text("All labels")
    n_kept, note = number_of(page, "kept")
    n_of_label, share = note.removeprefix("of ").split(", ")
    assert share == percent(int(n_kept) / int(n_of_label))
    name = page.inner_text("#scope")
    expect(below.first).to_contain_text(name)
    for card in page.locator(".cards:visible li a").all():
        assert card.inner_text().startswith(name)


def test_a_label_leads_to_its_images_and_an_image_to_its_evidence(
    page: Page, served: Served
) -> None:
    open_view(page, served, "/browse")
    page.click('[data-sort="n_kept"]')
    expect(page.locator("th[aria-sort=descending]")).to_have_count(1)
    row = page.locator("#labels tbody tr").first
    name, n_kept = row.locator("a").inner_text(), row.locator("td").nth(1).inner_text()
    row.locator("a").click()
    expect(page.locator("#pairs-title")).to_have_text(f"Images of {name}")
    page.select_option("[name=which]", "kept")
    expect(page.locator("#pairs .count")).to_contain_text(n_kept.split()[0])
    page.locator("#pairs .cards a").first.click()
    expect(page.locator("#image .pairs tbody tr")).not_to_have_count(0)
    expect(page.locator("#image .pairs")).to_contain_text("strength")
    expect(page.locator("#image .pairs")).to_contain_text("kept")
    page.go_back()
    expect(page.locator("#pairs-title")).to_be_visible()


def test_labels_are_found_by_name(page: Page, served: Served) -> None:
    open_view(page, served, "/browse")
    last = page.locator("#labels tbody tr a").last.inner_text()
    page.locator("[name=text]").fill(last)
    expect(page.locator("#labels tbody tr").first).to_contain_text(last)
    page.locator("[name=text]").fill("no such label")
    expect(page.locator("#labels .count")).to_have_text("0 labels")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_views_are_accessible(page: Page, served: Served, width: int, scheme: str) -> None:
    page.set_viewport_size({"width": width, "height": 850})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    open_view(page, served, "/tune")
    expect(page.locator('[data-side="below"] li').first).to_be_visible()
    problems = Axe().run(page).response["violations"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.goto(served.origin + "/browse")
    for step in ("#labels tbody a", "#pairs .cards a", "#image .pairs tbody a"):
        page.wait_for_selector(step)
        problems += Axe().run(page).response["violations"]
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.locator(step).first.click()
    assert [(problem["id"], problem["nodes"][0]["html"]) for problem in problems] == []
