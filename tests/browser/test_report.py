"""The report in a real browser."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from click.testing import CliRunner
from playwright.sync_api import Page, expect

from curation.report.report import write_report
from curation.runs.stage import open_stage
from pipelines.cli import main
from pipelines.run.stages import taxonomy_of
from tests.browser.conftest import label_shop
from tests.curation.report.test_report import make_facts

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run with a selection of the best half without a floor, and its report."""
    run = label_shop(tmp_path_factory.mktemp("reported"))
    winnow("select", run, "--keep", "0.5", "--floor", "3")
    winnow("report", run)
    return run


def winnow(*arguments: object) -> dict[str, str]:
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.stderr
    return dict(line.split(maxsplit=1) for line in done.stdout.splitlines() if ":" not in line)


def number_of(page: Page, name: str) -> tuple[str, str]:
    """Return a number of the slider and its note, with plain spaces."""
    texts = page.locator(f'#tuning [data-name="{name}"] dd > *').all_inner_texts()
    main_text, note = (text.replace("\u00a0", " ") for text in texts)
    return main_text, note


def test_the_slider_shows_what_its_command_selects(
    page: Page, reported: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(reported, tmp_path / "run"))
    winnow("report", run)
    page.goto((run / "report.html").as_uri())
    slider = page.locator('#tuning input[type="range"]')
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    assert box is not None
    commands = set()
    for part in (0.03, 0.4, 0.77):
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * part, box["y"] + box["height"] / 2, steps=5)
        page.mouse.up()
        command = page.locator("#tuning .command").inner_text().split()
        commands.add(tuple(command))
        assert command[:3] == ["winnow", "select", str(run)]
        assert command[3:5] == ["--floor", "3"]
        shown = {name: number_of(page, name) for name in ("kept", "precision", "wrong", "few")}
        printed = winnow(*command[1:])
        facts = open_stage(run, "selected").facts
        n_kept, precision = int(printed["kept"]), facts["precision"]
        low, high = facts["precision_low"], facts["precision_high"]
        assert shown["kept"][0] == f"{n_kept:,}"
        assert shown["precision"][0] == f"{100 * precision:.1f} %"
        interval = (
            f"{100 * low:.1f} % to {100 * high:.1f} %, from {facts['n_audits_kept']:,} audits"
        )
        assert shown["precision"][1] == interval
        assert shown["wrong"][0] == f"{n_kept * (1 - precision):,.0f}"
        wrong = (n_kept * (1 - bound) for bound in (high, low))
        assert shown["wrong"][1] == " to ".join(f"{n:,.0f}" for n in wrong)
        n_few = len(facts["labels_few"]) + len(facts["labels_lost"])
        assert shown["few"][0] == str(n_few)
        assert shown["few"][1].startswith(f"of {facts['n_labels']}")
        taxonomy = taxonomy_of(open_stage(run, "candidates"))
        for label_id in [*facts["labels_lost"], *facts["labels_few"]][:6]:
            assert taxonomy.display_name(taxonomy.code(label_id)) in shown["few"][1]
    assert len(commands) == 3


def test_the_slider_is_moved_by_keys_and_by_a_number(page: Page, reported: Path) -> None:
    page.goto((reported / "report.html").as_uri())
    slider, field = (page.locator(f'#tuning input[type="{kind}"]') for kind in ("range", "number"))
    expect(field).to_have_value("50")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(field).to_have_value("50.5")
    page.keyboard.press("Home")
    expect(page.locator("#tuning .command")).to_have_text(re.compile(r" --keep 0\.0\d+$"))
    page.keyboard.press("Tab")
    page.keyboard.press("Control+A")
    page.keyboard.type("41.2")
    page.keyboard.press("Enter")
    expect(field).to_have_value("41")
    expect(page.locator("#tuning .command")).to_have_text(re.compile(r" --keep 0\.41$"))
    expect(slider).to_have_attribute("aria-valuetext", re.compile(r"^41 % kept, precision \d"))
    expect(page.locator('#tuning [role="status"]')).to_contain_text("labels kept: ")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_has_no_fault_of_accessibility(
    page: Page, reported: Path, width: int, scheme: str
) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 900})
    page.goto((reported / "report.html").as_uri())
    for each in page.locator("details").all():
        each.evaluate("element => element.open = true")
    result = Axe().run(page)
    assert result.violations_count == 0, result.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_page_asks_for_nothing(page: Page, reported: Path) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    address = (reported / "report.html").as_uri()
    page.goto(address)
    page.wait_for_timeout(300)
    assert [url for url in asked if not url.startswith("data:")] == [address]


def test_texts_from_data_are_not_run(page: Page, tmp_path: Path) -> None:
    hostile = "<script>window.pwned = 1</script><img src=x onerror='window.pwned = 2'>"
    opened: list[str] = []
    page.on("dialog", lambda dialog: opened.append(dialog.message))
    page.goto(write_report(make_facts(hostile), tmp_path).as_uri())
    expect(page.locator("#tuning .command")).to_have_text(re.compile(re.escape(hostile)))
    for each in page.locator("details").all():
        each.evaluate("element => element.open = true")
    assert page.evaluate("window.pwned") is None
    assert opened == []
    for section in ("labels", "errors", "examples", "sources", "audits", "dropped", "making"):
        expect(page.locator(f"#{section}")).to_contain_text(hostile)
    result = Axe().run(page)
    assert result.violations_count == 0, result.generate_report()


def test_the_page_prints_whole(page: Page, reported: Path) -> None:
    page.goto((reported / "report.html").as_uri())
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    cut = (
        "e => [...document.querySelectorAll('.tall')].every(e => e.scrollHeight <= e.clientHeight)"
    )
    assert page.evaluate(cut)
