"""The quickstart's panels in a real JupyterLab in a real browser: by the hands and eyes of a person."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from browser import Tab, chromium, missing
from own_server import FIRST, HOME, Server
from tiny_scan import tiny_scan

from ptycho_nb.readers.own import save_scan

pytestmark = [pytest.mark.browser, pytest.mark.skipif(bool(missing()), reason=missing() or "all is there")]

BOOK = "quickstart.ipynb"
SUM = "1 + 1"
HOSTILE = "<img src=x onerror=window.foreign=1>.npz"
AMPLITUDE, PHASE = 'img[alt^="Object amplitude"]', 'img[alt^="Object phase"]'
TABS = ("1 Scan", "2 Reconstruct", "3 Object", "4 Patterns", "5 Runs")
WATCH = "from ptycho_nb import ModelConfig; app = App(); runs = []; app.panels.reconstruct.on_begin(runs.append)"
ENDLESS = "TrainingConfig(epochs=9999), ModelConfig(hidden=12), method='Network'"
SHORT = "RefinementConfig(epochs=3), method='Iterative'"
STEPS = "sum(len(history.steps) for run in runs[-1:] for _, history in run.histories)"
OUTSIDE = """el => { const right = e => e.getBoundingClientRect().right;
  const cut = (e, by) => { if (by === el) return right(e) > right(el) + 2;
    const way = getComputedStyle(by).overflowX;
    if (way === 'visible' || right(e) <= right(by) + 2) return cut(e, by.parentElement);
    return by.matches('.lm-Widget') || !['auto', 'scroll'].includes(way); };  // a table may roll, a widget that does is too wide
  return [...el.querySelectorAll('button, input, select, textarea, img, canvas, svg, p, li, table, summary')]
    .filter(e => e.checkVisibility() && cut(e, e.parentElement)).map(e => e.outerHTML.slice(0, 120)); }"""
CRUSHED = """el => [...el.querySelectorAll('input:not([type=checkbox], [type=radio]), select, button, .lm-TabBar-tabLabel')]
  .filter(e => e.checkVisibility() && (e.clientWidth < 24 || (!e.matches('input') && e.scrollWidth > e.clientWidth + 1)))
  .map(e => e.outerHTML.slice(0, 120))"""
BARE_SLIDERS = """el => [...el.querySelectorAll('.noUi-target')].filter(e => e.checkVisibility()).map(e => e.closest('.jupyter-widgets'))
  .filter(e => !e.querySelector('.widget-readout')?.checkVisibility() && !e.parentElement.querySelector('input'))
  .map(e => e.outerHTML.slice(0, 120))"""
NAMELESS = re.compile(r"- '?(button|textbox|combobox|checkbox|radio|spinbutton|listbox|tab|img)(?! ?\")\b(?! \")")


class Visit:
    """The notebook, open in the one tab that someone has."""

    def __init__(self, browser, server: Server) -> None:
        self._browser, self.server = browser, server
        self.come()

    def come(self) -> None:
        """Open it in a tab."""
        self.tab = Tab(self._browser, self.server)
        self.tab.open(BOOK)


@pytest.fixture(scope="module")
def browser() -> Iterator:
    with chromium() as one:
        yield one


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The quickstart with one cell more, and a file with a foreign name."""
    place = tmp_path_factory.mktemp("lab")
    book = nbformat.read(HOME / "notebooks" / "00_quickstart.ipynb", 4)
    book.cells.append(nbformat.v4.new_code_cell(SUM))
    nbformat.write(book, place / BOOK)
    save_scan(place / "plain.npz", tiny_scan(N=32))
    (place / "plain.npz").rename(place / HOSTILE)
    return place


@pytest.fixture(scope="module")
def visit(browser, folder) -> Iterator[Visit]:
    """The quickstart, every cell run."""
    with Server(folder) as server:
        one = Visit(browser, server)
        one.tab.run_all(2 * FIRST)
        one.tab.ask(WATCH)
        yield one
        one.tab.close()


@pytest.fixture
def lab(visit, request) -> Iterator[Visit]:
    """The Reconstruct panel, idle, a long training set; afterwards no error in the console."""
    failed = request.session.testsfailed
    visit.tab.ask("app.panels.reconstruct.stop(); app.panels.reconstruct.wait()")
    set_up(visit.tab, ENDLESS)
    yield visit
    if request.session.testsfailed > failed:
        visit.tab.screenshot(f"failed_{request.node.name}")
        print(visit.server.log[-2000:])
    assert visit.tab.console_errors() == []


def set_up(tab: Tab, settings: str) -> None:
    tab.ask(f"_ = App(scan, {settings})")
    tab.turn_to("2 Reconstruct")
    tab.until(lambda: tab.button("Start").is_enabled(), what="Start cannot be pressed")


def start(tab: Tab) -> None:
    """Press Start, and wait until the training is under way."""
    tab.click("Start")
    tab.wait_text(re.compile("^Running"))
    wait_for_more_steps(tab)


def steps(tab: Tab) -> int:
    return int(tab.ask(STEPS) or 0)


def wait_for_more_steps(tab: Tab) -> None:
    before = steps(tab)
    tab.until(lambda: steps(tab) > before + 3, what="no further step")


def held(count: Callable[[], object], tab: Tab, seconds: float) -> bool:
    """Whether this stays as it is."""
    before = count()
    tab.page.wait_for_timeout(1000 * seconds)
    return count() == before


def cell_of(tab: Tab, text: str) -> int:
    return next(i for i, cell in enumerate(tab.cells()) if cell["cell_type"] == "code" and text in "".join(cell["source"]))


def plain(tab: Tab, cell: int) -> list[dict]:
    """The outputs of a cell that are pictures and nothing else."""
    return [o["data"] for o in tab.outputs(cell) if set(o.get("data", {})) == {"image/png", "text/plain"}]


def test_the_quickstart_runs_and_shows_the_panels(lab):
    figures = [o for cell in lab.tab.cells() for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
    assert len(figures) >= 5
    for name in TABS:
        assert lab.tab.panel.get_by_role("tab", name=name).filter(visible=True).count() == 1


def test_a_wrong_entry_is_told_and_start_waits_for_it(lab):
    lab.tab.fill("Epochs", "0")
    assert "Epochs is 0; it must be" in lab.tab.find("[role=alert]:not(:empty)").first.inner_text()
    lab.tab.wait_text(re.compile(r"\b1 problem\b"))
    lab.tab.until(lab.tab.button("Start").is_disabled)
    lab.tab.fill("Epochs", "9999")
    lab.tab.until(lab.tab.button("Start").is_enabled)
    assert lab.tab.find("[role=alert]:not(:empty)").count() == 0


def test_the_object_grows_on_the_screen_while_another_cell_answers(lab):
    start(lab.tab)
    assert len(lab.tab.pictures(AMPLITUDE, 90, wanted=3)) == 3
    assert lab.tab.run_cell(cell_of(lab.tab, SUM)) == "2"
    assert len(lab.tab.pictures(AMPLITUDE, 90, wanted=3)) == 3
    assert len(lab.tab.pictures(PHASE, 90, wanted=5)) == 5
    lab.tab.wait_text(re.compile("^Running"))


def test_a_paused_training_takes_no_step_and_draws_nothing_until_it_is_resumed(lab):
    start(lab.tab)
    lab.tab.pictures(AMPLITUDE, 90, wanted=2)
    lab.tab.click("Pause")
    lab.tab.wait_text(re.compile("^Paused"))
    lab.tab.page.wait_for_timeout(500)  # what was on its way
    assert held(lambda: (steps(lab.tab), lab.tab.pictures(AMPLITUDE, 1)), lab.tab, 1)
    lab.tab.click("Resume")
    wait_for_more_steps(lab.tab)
    assert len(lab.tab.pictures(AMPLITUDE, 90, wanted=3)) == 3


def test_stop_ends_the_training_within_a_second_or_a_step_and_keeps_the_object(lab):
    start(lab.tab)
    lab.tab.click("Stop and keep")
    lab.tab.page.wait_for_timeout(1000)
    after = steps(lab.tab)
    lab.tab.wait_text(re.compile("^Stopped"))
    assert steps(lab.tab) - after <= 1
    lab.tab.until(lambda: lab.tab.draws(AMPLITUDE) and lab.tab.draws(PHASE), what="no object")
    lab.tab.until(lab.tab.button("Start").is_enabled)


def test_amplitude_and_phase_are_shown_and_an_export_says_where_it_lies(lab, folder):
    set_up(lab.tab, SHORT)
    lab.tab.click("Start")
    lab.tab.wait_text(re.compile("^Done"))
    lab.tab.until(lambda: lab.tab.draws(AMPLITUDE) and lab.tab.draws(PHASE), what="no object")
    lab.tab.turn_to("3 Object")
    for words in ("Amplitude", "Phase"):
        lab.tab.find(f'[role=img][aria-label*="{words}" i]').first.wait_for()
    before = set(folder.iterdir())
    lab.tab.unfold("Export and report")
    lab.tab.click("Save")
    shown = Path(lab.tab.wait_text(re.compile("^Saved:")).inner_text().removeprefix("Saved:").strip())
    assert shown.is_absolute()
    assert shown.stat().st_size > 1000
    assert set(folder.iterdir()) - before == {shown}


def come_back(tab: Tab) -> None:
    """Wait for the panels, with a reload where JupyterLab's widgets gave a busy kernel 2 s and then said so for good."""
    lost = tab.view.get_by_text("Error displaying widget: model not found")
    for _ in range(3):
        tab.until(lambda: tab.panel.count() or lost.count(), FIRST, "neither panels nor an error")
        if tab.panel.count():
            return
        tab.errors = [error for error in tab.errors if "widget model not found" not in error]
        tab.reload()
    pytest.fail("No panels after three tries.")


def test_a_reload_and_another_tab_find_the_training_going_on(lab):
    tab = lab.tab
    tab.save()
    start(tab)
    before = steps(tab)
    tab.reload()
    come_back(tab)
    assert steps(tab) > before
    assert len(tab.pictures(AMPLITUDE, 90, wanted=3)) == 3
    lab.tab.close()
    lab.come()
    tab = lab.tab
    come_back(tab)
    tab.wait_text(re.compile("^Running"))
    assert len(tab.pictures(AMPLITUDE, 90, wanted=3)) == 3
    tab.click("Stop and keep")
    tab.wait_text(re.compile("^Stopped"))


def test_a_page_that_was_never_saved_shows_the_training_once_its_cell_is_run_again(lab):
    start(lab.tab)
    lab.tab.close()
    lab.come()
    tab = lab.tab
    tab.run_cell(cell_of(tab, "App("), FIRST)
    tab.panel.wait_for()
    tab.turn_to("2 Reconstruct")
    tab.wait_text(re.compile("^Running"))
    assert len(tab.pictures(AMPLITUDE, 90, wanted=3)) == 3


def test_keys_pressed_in_a_panel_do_nothing_to_the_notebook(lab):
    tab = lab.tab
    before = [cell["id"] for cell in tab.cells()]
    places = (("1 Scan", "button:has-text('Quick look')"), ("2 Reconstruct", "input[type=radio]"), ("2 Reconstruct", "summary"))
    places += (("4 Patterns", ".noUi-handle"), ("5 Runs", "input[type=checkbox]"), ("5 Runs", ".lm-TabBar-tab.lm-mod-current"))
    for name, css in places:
        tab.turn_to(name)
        tab.find(css).first.focus()
        for key in "ddxab00":
            tab.page.keyboard.press(key)
        tab.page.wait_for_timeout(300)
        assert [cell["id"] for cell in tab.cells()] == before, f"{css} in {name}: cells went or came"
        assert tab.page.locator(".jp-Dialog").count() == 0, f"{css} in {name}: the notebook asks"
    tab.run_cell(cell_of(tab, SUM))
    tab.find("input[type=checkbox]").first.focus()
    tab.page.keyboard.press("Control+s")  # still the notebook's
    tab.until(lambda: not tab.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.model.dirty"), what="not saved")


def test_the_name_of_a_file_is_text(lab):
    tab = lab.tab
    tab.turn_to("1 Scan")
    tab.unfold("Open a file")
    entry = tab.find("select[size]").locator("option").filter(has_text=HOSTILE).inner_text()
    tab.find("select[size]").select_option(label=entry)
    tab.click("Open")
    tab.wait_text("from <img src=x", FIRST)
    tab.screenshot("foreign_name")
    assert tab.page.evaluate("() => window.foreign") is None
    assert tab.find('img[src="x"]').count() == 0


@pytest.mark.parametrize("name", TABS)
def test_every_control_and_picture_has_a_name(lab, name):
    lab.tab.turn_to(name)
    lab.tab.page.wait_for_timeout(500)
    seen = lab.tab.panel.aria_snapshot()
    assert [line.strip() for line in seen.splitlines() if NAMELESS.search(line)] == []
    assert lab.tab.find("img:not([alt]), img[alt='']").count() == 0
    assert lab.tab.panel.evaluate(BARE_SLIDERS) == []


@pytest.mark.parametrize("look", ["light", "dark", "narrow", "large"])
def test_the_panels_fit_their_page(lab, look):
    tab = lab.tab
    tab.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    if look == "narrow":
        tab.page.set_viewport_size({"width": 600, "height": 1000})
    if look == "dark":
        tab.command("apputils:change-theme", theme="JupyterLab Dark")
    if look == "large":
        tab.field("Large type").check()
    try:
        for name in TABS:
            tab.turn_to(name)
            tab.page.wait_for_timeout(800)
            tab.panel.evaluate("e => e.scrollIntoView()")
            tab.screenshot(f"{look}_{name[0]}")
            for test, fault in ((OUTSIDE, "out of the page"), (CRUSHED, "too narrow to read")):
                tab.until(lambda test=test: tab.panel.evaluate(test) == [], what=f"{name}: {fault}")
    finally:
        tab.page.set_viewport_size({"width": 1280, "height": 1000})
        tab.command("apputils:change-theme", theme="JupyterLab Light")
        tab.field("Large type").uncheck()


def test_a_saved_notebook_shows_its_pictures_on_a_server_that_does_not_know_it(lab, browser, folder, tmp_path):
    tab = lab.tab
    tab.run_cell(cell_of(tab, "App("), FIRST)
    set_up(tab, SHORT)
    app = cell_of(tab, "App(")
    before = plain(tab, app)
    tab.click("Start")
    tab.wait_text(re.compile("^Done"))
    tab.until(lambda: len([kept for kept in plain(tab, app) if kept not in before]) == 2, what="object and loss do not stay")
    tab.save()
    (tmp_path / BOOK).write_bytes((folder / BOOK).read_bytes())
    with Server(tmp_path) as server:
        other = Tab(browser, server)
        other.open(BOOK)
        cell = other.view.locator(".jp-Notebook .jp-Cell").nth(app)
        kept = cell.locator(".jp-RenderedImage img")
        other.until(lambda: kept.count() >= 2, what="object and loss")
        assert all(kept.nth(i).evaluate("e => e.naturalWidth > 100") for i in range(kept.count()))
        cell.scroll_into_view_if_needed()
        other.screenshot("reopened")
        other.close()
