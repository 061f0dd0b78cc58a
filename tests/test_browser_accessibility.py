"""Every panel as a screen reader hears it and as a keyboard goes through it, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import nbformat
import numpy as np
import pytest
from browser import Tab, chromium, missing
from own_server import FIRST, Server
from tiny_scan import tiny_scan

pytestmark = [pytest.mark.browser, pytest.mark.skipif(bool(missing()), reason=missing() or "all is there")]

BOOK, STRANGE = "panels.ipynb", "strange.npz"
SMALL = "SimulationConfig(N=32, height=64, width=72, probe_diameter=12)"
APP = f"""from ptycho_nb import RefinementConfig, SimulationConfig
from ptycho_nb.ui import App
app = App({SMALL}, RefinementConfig(epochs=3), method="Iterative")
waited = app.panels.scan.wait()
app.panels.reconstruct.run()
app"""
TABS = ("1 Scan", "2 Reconstruct", "3 Object", "4 Patterns", "5 Runs")
LESSONS = ("ExperimentDesigner", "ForwardExplorer", "Ambiguities", "FailureGallery", "Duel")
ALONE = (*LESSONS, "Question", "LossPlot", "Form")
HOMES = {"Question": "ptycho_nb.ui.lessons"}
CELLS = {  # each with what a run leaves on the screen
    "Question": "Question('2.1')",
    "LossPlot": "plot = LossPlot().show()",
    "Form": "Form(RefinementConfig())",
    "Duel": f'duel = Duel({SMALL}); duel.seconds.value = "1"; scores = duel.run(); duel',
    "FailureGallery": "gallery = FailureGallery(); outcome = gallery.show(); gallery",
    "ExperimentDesigner": f"designer = ExperimentDesigner({SMALL}); designer.trials.button.click(); tried = designer.wait(); designer",
}
CONTROLS = {"button", "checkbox", "combobox", "DisclosureTriangle", "link", "listbox", "option", "radio", "searchbox", "slider"}
CONTROLS |= {"spinbutton", "switch", "tab", "textbox", "ToggleButton", "toggle button"}
PICTURES = {"Canvas", "image", "img", "progressbar"}
NO_WORDS = {"", "null", "undefined", "?", "▸", "▾"}
UNDESCRIBED = """el => [...el.querySelectorAll('img, canvas, svg')].filter(e => e.checkVisibility())
  .filter(e => !e.closest('[aria-hidden=true]') && !e.getAttribute('alt')?.trim() && !e.closest('[role=img][aria-label]'))
  .map(e => e.outerHTML.slice(0, 160))"""
# What a hand can press, type in or move. A handle that Tab passes by has a box beside it; of tabs the keyboard enters one.
STOPS = """el => { const all = 'button, input, select, textarea, summary, a[href], [contenteditable=true], [tabindex="0"], [role=slider]';
  const stops = [...el.querySelectorAll(all)].filter(e => e.checkVisibility({visibilityProperty: true}) && !e.disabled)
    .filter(e => !e.matches('.noUi-handle[tabindex="-1"]') && !e.matches('[role=tab][tabindex="-1"]'));
  el.ownerDocument.querySelectorAll('[data-stop]').forEach(e => delete e.dataset.stop);
  stops.forEach((e, i) => e.dataset.stop = i);
  return stops.map(e => e.outerHTML.slice(0, 160)); }"""
FOCUS = """el => { const e = el.ownerDocument.activeElement;
  return el.contains(e) ? Number(e.dataset.stop ?? -1) : null; }"""
HEADERS = """el => [...el.querySelectorAll('.pnb-header')].filter(e => e.checkVisibility() && !e.disabled)
  .map(e => e.dataset.mark ??= String(window.marks = (window.marks ?? 0) + 1))"""  # marks stay when parts made late come between


class Heard(NamedTuple):
    """A node of the accessibility tree."""

    role: str
    name: str


class Page(NamedTuple):
    """A panel on the screen."""

    tab: Tab
    panel: Any

    def heard(self) -> list[Heard]:
        """All that the accessibility tree holds of it."""
        client = self.tab.page.context.new_cdp_session(self.tab.page)
        try:
            self.panel.evaluate("e => { window.heard = e; }")
            client.send("Accessibility.enable")
            found = client.send("Runtime.evaluate", {"expression": "window.heard"})["result"]["objectId"]
            nodes = client.send("Accessibility.queryAXTree", {"objectId": found})["nodes"]
        finally:
            client.detach()
        return [Heard(n["role"]["value"], n.get("name", {}).get("value", "").strip()) for n in nodes if not n.get("ignored")]

    def states(self) -> Iterator[str]:
        """The panel as it stands, then with each of its folded parts open."""
        yield "as it stands"
        yield from self._opened(set())

    def _settle(self) -> None:
        """Wait until nothing more comes into the panel."""
        counts = [-1]

        def still() -> bool:
            self.tab.page.wait_for_timeout(300)
            counts.append(self.panel.evaluate("e => e.querySelectorAll('*').length"))
            return counts[-1] == counts[-2]

        self.tab.until(still, what="the panel did not come to rest")

    def _opened(self, above: set[str]) -> Iterator[str]:
        for mark in [one for one in self.panel.evaluate(HEADERS) if one not in above]:
            header = self.panel.locator(f'.pnb-header[data-mark="{mark}"]')
            words = header.inner_text()
            was_open = header.evaluate("e => e.classList.contains('mod-active')")
            known = set(self.panel.evaluate(HEADERS))
            if not was_open:
                header.click()
                self._settle()
            yield words
            yield from self._opened(above | known)
            if not was_open:
                header.click()
                self.tab.page.wait_for_timeout(100)


@pytest.fixture(scope="module")
def tab(tmp_path_factory) -> Iterator[Tab]:
    """A notebook with the App after a run, and each panel that stands alone; every cell run."""
    folder = tmp_path_factory.mktemp("panels")
    scan = tiny_scan(N=32)
    np.savez(folder / STRANGE, my_photons=scan.intensity, stage=scan.positions, beam=scan.probe[0])
    book = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    sources = [APP, *(f"from {HOMES.get(name, 'ptycho_nb.ui')} import {name}\n{CELLS.get(name, f'{name}()')}" for name in ALONE)]
    book.cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(book, folder / BOOK)
    with chromium() as browser, Server(folder) as server:
        one = Tab(browser, server)
        one.open(BOOK)
        one.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
        one.run_all(2 * FIRST)
        yield one
        one.close()


@pytest.fixture(params=[*TABS, *ALONE])
def page(tab, request) -> Iterator[Page]:
    """One of the panels."""
    failed = request.session.testsfailed
    name = request.param
    if name in TABS:
        tab.turn_to(name)
        one = Page(tab, tab.panel)
    else:
        cell = tab.view.locator(".jp-Notebook .jp-Cell").nth(1 + ALONE.index(name))
        one = Page(tab, cell.locator(".pnb-panel, .jupyter-widgets").first)
    one.panel.scroll_into_view_if_needed()
    tab.page.wait_for_timeout(1000)
    yield one
    if request.session.testsfailed > failed:
        tab.screenshot(f"failed_{request.node.name}")
    assert tab.console_errors() == []


def nameless(page: Page) -> list[Heard]:
    return [node for node in page.heard() if node.role in CONTROLS | PICTURES and node.name in NO_WORDS]


def test_every_control_and_picture_is_named_in_the_accessibility_tree(page):
    for state in page.states():
        heard = page.heard()
        assert {node.role for node in heard} & CONTROLS, f"{state}: nothing to press is heard"
        assert nameless(page) == [], state
        assert page.panel.evaluate(UNDESCRIBED) == [], state


def test_the_keyboard_reaches_every_control_and_leaves_either_way(page):
    for state in page.states():
        stops = page.panel.evaluate(STOPS)
        assert stops, state
        page.panel.locator("[data-stop='0']").first.evaluate("e => e.focus({preventScroll: true})")
        there, back = walked(page, "Tab", len(stops)), walked(page, "Shift+Tab", len(stops))
        assert [stops[i] for i in range(len(stops)) if i not in there] == [], f"{state}: not reached"
        assert sorted(there) == sorted(set(there)), f"{state}: a ring without an end"
        assert [stops[i] for i in range(len(stops)) if i not in back] == [], f"{state}: not reached backwards"


def walked(page: Page, key: str, most: int) -> list[int]:
    """The stops at which this key comes by, until it has left the panel; pressed from outside it goes in first."""
    found: list[int] = []
    at = page.panel.evaluate(FOCUS)
    for _ in range(2 * most + 10):
        if at is not None and at >= 0:
            found.append(at)
        page.tab.page.keyboard.press(key)
        at = page.panel.evaluate(FOCUS)
        if at is None and found:
            return found
    raise AssertionError(f"{key} does not leave the panel")


def test_arrows_go_through_the_tabs_and_enter_opens_one(tab):
    tab.turn_to(TABS[0])
    tab.find(".lm-TabBar-tab").first.focus()
    for name in TABS[1:]:
        tab.page.keyboard.press("ArrowRight")
        assert tab.page.evaluate("() => document.activeElement.innerText").startswith(name)
    tab.page.keyboard.press("Enter")
    assert tab.find(".lm-mod-current[role=tab]").first.inner_text().startswith(TABS[-1])


def test_a_click_on_a_tab_takes_the_keys_to_the_panel(tab):
    before = [cell["id"] for cell in tab.cells()]
    tab.turn_to(TABS[0])
    tab.view.locator(".jp-Notebook .jp-InputPrompt").first.click()  # a cell is chosen, and d d would delete it
    tab.turn_to(TABS[1])
    for key in "ddxab":
        tab.page.keyboard.press(key)
    tab.page.wait_for_timeout(500)
    assert [cell["id"] for cell in tab.cells()] == before


def test_a_slider_tells_its_number_and_not_its_power_of_ten(tab):
    tab.turn_to("2 Reconstruct")
    box, handle = tab.field("Learning rate"), tab.find(".noUi-handle[aria-label='Learning rate']").first
    handle.wait_for(state="attached")
    for number in ("0.02", "0.3"):
        tab.fill("Learning rate", number)
        tab.until(lambda number=number: float(handle.get_attribute("aria-valuetext")) == pytest.approx(float(number), rel=0.06))
    assert handle.get_attribute("tabindex") == "-1"  # the box beside it is its keyboard
    assert box.input_value() == "0.3"


def test_news_come_to_a_place_that_stands_and_is_one_of_news(tab):
    for role in ("status", "alert"):
        places = tab.page.locator(f".pnb-{role} > .widget-html-content")
        assert set(places.evaluate_all("all => all.map((e) => e.getAttribute('role'))")) == {role}
    tab.ask("app.panels.say('Something <b>new</b>.')")
    tab.wait_text("Something <b>new</b>.")
    assert tab.page.evaluate(
        "() => { window.place = document.querySelector('.pnb-desk.pnb-status > [role=status]'); return place.innerText; }"
    )
    tab.ask("app.panels.say('More.')")
    tab.wait_text(re.compile("^More"))
    assert tab.page.evaluate("() => place.isConnected && place.innerText").startswith("More")


def test_a_header_tells_whether_it_is_open(tab):
    tab.turn_to("1 Scan")
    header = tab.find(".pnb-header").first
    before = header.get_attribute("aria-expanded")
    header.click()
    tab.until(lambda: header.get_attribute("aria-expanded") != before)
    assert {before, header.get_attribute("aria-expanded")} == {"true", "false"}
    header.click()
    tab.until(lambda: header.get_attribute("aria-expanded") == before)


def test_a_folder_is_watched_only_while_its_list_is_on_a_page(tab):
    views = "app.panels.scan.controls.browser.widget._view_count"
    assert int(tab.ask(views)) == 1
    tab.ask("from ptycho_nb.ui.panels import ScanPanel; dropped = ScanPanel()")
    assert int(tab.ask("dropped.controls.browser.widget._view_count")) == 0
    assert tab.ask("dropped.controls.browser._watch.wait(0)") == "True"
    tab.ask("dropped.close()")


def test_the_fields_of_an_unknown_file_are_named_and_reached(tab):
    tab.turn_to("1 Scan")
    tab.unfold("Open a file")
    tab.fill("Path", STRANGE)
    tab.click("Map fields")
    tab.wait_text(re.compile("^Map fields: the 3 arrays"))
    page = Page(tab, tab.find(".pnb-fields").first)
    assert nameless(page) == []
    assert {"my_photons", "stage", "beam"} <= {node.name for node in page.heard()}
    stops = page.panel.evaluate(STOPS)
    page.panel.locator("[data-stop='0']").first.focus()
    assert set(walked(page, "Tab", len(stops))) == set(range(len(stops)))
    tab.click("Hide")
