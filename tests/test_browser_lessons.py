"""The panels to think with, pressed and dragged by a person, and each notebook run once, in a real browser."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from browser import Tab, chromium, missing
from own_server import FIRST, LATER, Server

from ptycho_nb.lessons.failures import FAILURES

pytestmark = [pytest.mark.browser, pytest.mark.skipif(bool(missing()), reason=missing() or "all is there")]

BOOK = "lessons.ipynb"
FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("[0-9][0-9]_*.ipynb"))
LONGEST = 60.0  # s for a notebook on two cores
SMALL = "SimulationConfig(N=32, height=64, width=72, probe_diameter=12)"
CELLS = {
    "Failure gallery": "FailureGallery()",
    "Network against iterative": f"Duel({SMALL})",
    "Experiment designer": f"ExperimentDesigner({SMALL})",
    "Ambiguities": "Ambiguities()",
    "Forward model explorer": "ForwardExplorer()",
}
HEAD = "from ptycho_nb import SimulationConfig\nfrom ptycho_nb.ui import *\n"


@pytest.fixture(scope="module")
def browser() -> Iterator:
    with chromium() as one:
        yield one


@pytest.fixture(scope="module")
def tab(browser, tmp_path_factory) -> Iterator[Tab]:
    """A notebook with each panel in a cell of its own, every cell run."""
    folder = tmp_path_factory.mktemp("lessons")
    book = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    book.cells = [nbformat.v4.new_code_cell(HEAD + source) for source in CELLS.values()]
    nbformat.write(book, folder / BOOK)
    with Server(folder) as server:
        one = Tab(browser, server, width=1600)
        one.open(BOOK)
        one.run_all(2 * FIRST)
        yield one
        assert one.console_errors() == []
        one.close()


def panel(tab: Tab, name: str):
    """The panel under this heading."""
    found = tab.page.locator(".pnb-panel").filter(has=tab.page.get_by_role("heading", name=name, exact=True)).first
    found.scroll_into_view_if_needed()
    return found


def another(tab: Tab, picture, seen: set[str]) -> str:
    """A picture in this place that was not there before, once there is one."""
    tab.until(lambda: picture.get_attribute("src") not in seen, what="no other picture")
    return picture.get_attribute("src")


@pytest.mark.parametrize("case", FAILURES.values(), ids=lambda case: case.title)
def test_a_failure_rings_the_alarm_and_its_cure_is_one_click(tab, case):
    gallery = panel(tab, "Failure gallery")
    gallery.get_by_label("Failure", exact=True).select_option(label=case.title)
    assert gallery.get_by_text(case.why).filter(visible=True).count() == 0
    gallery.get_by_role("button", name="Show the failure").click()
    gallery.get_by_text(re.compile(r"^Failure\. .*the alarm rings\.")).wait_for(timeout=FIRST * 1000)
    gallery.get_by_text("guess before you look").click()
    gallery.get_by_text(case.why).filter(visible=True).first.wait_for()
    gallery.get_by_role("button", name="Cure it").click()
    gallery.get_by_text(re.compile(r"^Cured\. .*it is silent\.")).wait_for(timeout=FIRST * 1000)
    pictures = gallery.locator("img").filter(visible=True)
    tab.until(lambda: pictures.count() == 6, what="six pictures")


def test_a_duel_is_seen_as_it_goes_and_stepped_through_afterwards(tab):
    duel = panel(tab, "Network against iterative")
    duel.get_by_label("Seconds each").fill("3")
    duel.get_by_label("Seconds each").press("Enter")
    duel.get_by_role("button", name="Start", exact=True).click()
    duel.get_by_text(re.compile("Network after")).first.wait_for(timeout=LATER * 1000)
    assert duel.get_by_text("Done", exact=True).count() == 0, "nothing was seen before the end"
    duel.get_by_text("Done", exact=True).wait_for(timeout=FIRST * 1000)
    for moment in duel.get_by_role("button", name=re.compile(r"^[\d.]+ s$")).all():
        moment.click()
    duel.locator("table").first.wait_for()


def test_a_duel_stops_when_asked_and_keeps_what_there_is(tab):
    duel = panel(tab, "Network against iterative")
    duel.get_by_label("Seconds each").fill("60")
    duel.get_by_label("Seconds each").press("Enter")
    duel.get_by_role("button", name="Start", exact=True).click()
    duel.get_by_text(re.compile("Network after")).first.wait_for(timeout=LATER * 1000)
    duel.get_by_role("button", name="Stop and keep").click()
    duel.get_by_role("button", name="Start", exact=True).and_(tab.page.locator(":enabled")).wait_for(timeout=LATER * 1000)


def test_what_would_i_get_is_answered_by_a_line_and_a_picture(tab):
    designer = panel(tab, "Experiment designer")
    designer.get_by_role("button", name="What would I get?").click()
    designer.locator(".pnb-look img").wait_for(timeout=FIRST * 1000)
    rows = designer.locator(".pnb-table tr")
    tab.until(lambda: rows.count() == 2, what="two rows")


def test_a_dragged_slider_changes_the_pictures_while_it_is_dragged(tab):
    ambiguities = panel(tab, "Ambiguities")
    handle = ambiguities.locator(".pnb-dial .noUi-handle").first
    box = handle.bounding_box()
    tab.page.mouse.move(box["x"] + 5, box["y"] + 5)
    tab.page.mouse.down()
    picture = ambiguities.locator(".pnb-row img").nth(5)
    seen = {picture.get_attribute("src")}
    for step in range(1, 6):
        tab.page.mouse.move(box["x"] + 5 + 6 * step, box["y"] + 5)
        seen.add(another(tab, picture, seen))  # the button is still down
    tab.page.mouse.up()
    assert "cannot tell" in ambiguities.locator(".pnb-verdict").inner_text()


def test_a_dragged_probe_changes_the_pattern_while_it_is_dragged(tab):
    explorer = panel(tab, "Forward model explorer")
    canvas = explorer.locator("canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    tab.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tab.page.mouse.down()
    picture = explorer.locator(".pnb-steps img").nth(3)
    seen = {picture.get_attribute("src")}
    for step in range(1, 6):
        tab.page.mouse.move(box["x"] + box["width"] / 2 + 8 * step, box["y"] + box["height"] / 2)
        seen.add(another(tab, picture, seen))  # the button is still down
    tab.page.mouse.up()


@pytest.mark.parametrize("stem", [path.stem for path in NOTEBOOKS])
def test_a_notebook_runs_once_without_an_error_in_the_console(browser, stem, tmp_path):
    shutil.copy(FOLDER / f"{stem}.ipynb", tmp_path)
    with Server(tmp_path) as server:
        tab = Tab(browser, server)
        tab.open(f"{stem}.ipynb")
        began = time.monotonic()
        tab.run_all(2 * FIRST)
        took = time.monotonic() - began
        tab.page.wait_for_timeout(500)
        assert tab.console_errors() == []
        assert sorted(path.name for path in tmp_path.iterdir() if path.name[0] != ".") == [f"{stem}.ipynb"], "it left something behind"
        tab.close()
    assert took < LONGEST
