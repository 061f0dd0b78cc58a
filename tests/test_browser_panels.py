"""The quickstart's panels in a real JupyterLab in a real browser: by the hands and eyes of a person."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from browser import FIRST, HOME, Server, Tab, chromium, missing
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
RIGHTMOST = """el => { const end = el.getBoundingClientRect().right + 1;
  return [...el.querySelectorAll('button, input, select, textarea, img, canvas, svg, p, li, td')].filter(e => e.checkVisibility())
    .filter(e => e.getBoundingClientRect().right > end).map(e => e.outerHTML.slice(0, 120)); }"""
NAMELESS = re.compile(r"- '?(button|textbox|combobox|checkbox|radio|spinbutton|listbox|tab|img)(?! ?\")\b(?! \")")


class Visit:
    """The notebook, open in the one tab that someone has."""

    def __init__(self, browser, server: Server) -> None:
        self._browser, self.server = browser, server
        self.tab = self._opened()

    def _opened(self) -> Tab:
        tab = Tab(self._browser, self.server)
        tab.open(BOOK)
        return tab

    def come_again(self) -> None:
        """Close the tab and open another."""
        self.tab.close()
        self.tab = self._opened()


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


def is_drawn(tab: Tab, css: str) -> bool:
    """Whether a picture can be seen there, with pixels in it."""
    shown = tab.find(css)
    return shown.count() > 0 and shown.first.evaluate("e => e.naturalWidth > 8 && e.getBoundingClientRect().width > 8")


def test_the_quickstart_runs_and_shows_the_panels(lab):
    figures = [o for cell in lab.tab.cells() for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
    assert len(figures) >= 5
    for name in TABS:
        assert lab.tab.panel.get_by_role("tab", name=name).filter(visible=True).count() == 1


def test_a_wrong_entry_is_told_and_start_waits_for_it(lab):
    lab.tab.fill("Epochs", "0")
    assert "Epochs" in lab.tab.find("[role=alert]").first.inner_text()
    lab.tab.wait_text(re.compile(r"\b1 problem\b"))
    assert lab.tab.button("Start").is_disabled()
    lab.tab.fill("Epochs", "9999")
    lab.tab.until(lab.tab.button("Start").is_enabled)
    assert lab.tab.find("[role=alert]").count() == 0


def test_the_object_grows_on_the_screen_while_another_cell_answers(lab):
    start(lab.tab)
    assert len(lab.tab.pictures(AMPLITUDE, 30, wanted=3)) == 3
    assert lab.tab.run_cell(cell_of(lab.tab, SUM)) == "2"
    assert len(lab.tab.pictures(AMPLITUDE, 30, wanted=3)) == 3
    assert len(lab.tab.pictures(PHASE, 30, wanted=5)) == 5
    lab.tab.wait_text(re.compile("^Running"))


def test_a_paused_training_takes_no_step_and_draws_nothing_until_it_is_resumed(lab):
    start(lab.tab)
    lab.tab.pictures(AMPLITUDE, 30, wanted=2)
    lab.tab.click("Pause")
    lab.tab.wait_text(re.compile("^Paused"))
    lab.tab.page.wait_for_timeout(500)  # what was on its way
    assert held(lambda: (steps(lab.tab), lab.tab.pictures(AMPLITUDE, 1)), lab.tab, 1)
    lab.tab.click("Resume")
    wait_for_more_steps(lab.tab)
    assert len(lab.tab.pictures(AMPLITUDE, 30, wanted=3)) == 3


def test_stop_ends_the_training_within_a_second_or_a_step_and_keeps_the_object(lab):
    start(lab.tab)
    lab.tab.click("Stop and keep")
    lab.tab.page.wait_for_timeout(1000)
    after = steps(lab.tab)
    lab.tab.wait_text(re.compile("^Stopped"))
    assert steps(lab.tab) - after <= 1
    lab.tab.until(lambda: is_drawn(lab.tab, AMPLITUDE) and is_drawn(lab.tab, PHASE), what="no object")
    assert lab.tab.button("Start").is_enabled()


def test_amplitude_and_phase_are_shown_and_an_export_says_where_it_lies(lab, folder):
    set_up(lab.tab, SHORT)
    lab.tab.click("Start")
    lab.tab.wait_text(re.compile("^Done"))
    lab.tab.until(lambda: is_drawn(lab.tab, AMPLITUDE) and is_drawn(lab.tab, PHASE), what="no object")
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


def test_a_reload_and_another_tab_find_the_training_going_on(lab):
    tab = lab.tab
    tab.save()
    start(tab)
    before = steps(tab)
    tab.reload()
    tab.panel.wait_for()
    assert steps(tab) > before
    assert len(tab.pictures(AMPLITUDE, 30, wanted=3)) == 3
    lab.come_again()
    lab.tab.panel.wait_for()
    tab = lab.tab
    tab.wait_text(re.compile("^Running"))
    assert len(tab.pictures(AMPLITUDE, 30, wanted=3)) == 3
    tab.click("Stop and keep")
    tab.wait_text(re.compile("^Stopped"))


def test_a_page_that_was_never_saved_shows_the_training_once_its_cell_is_run_again(lab):
    start(lab.tab)
    lab.come_again()
    tab = lab.tab
    tab.run_cell(cell_of(tab, "App("), FIRST)
    tab.panel.wait_for()
    tab.turn_to("2 Reconstruct")
    tab.wait_text(re.compile("^Running"))
    assert len(tab.pictures(AMPLITUDE, 30, wanted=3)) == 3


def test_the_name_of_a_file_is_text(lab):
    tab = lab.tab
    tab.turn_to("1 Scan")
    tab.unfold("Open a file")
    tab.find("select[multiple], select[size]").first.select_option(label=re.compile(re.escape(HOSTILE)))
    tab.click("Open")
    tab.wait_text(re.compile(r"Scan <img src=x"), FIRST)
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
    alone = [s.inner_html()[:80] for s in lab.tab.find(".widget-hslider").all() if s.locator("xpath=..//input").count() == 0]
    assert alone == []


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
            assert tab.panel.evaluate(RIGHTMOST) == [], f"{name}: out of the page"
    finally:
        tab.page.set_viewport_size({"width": 1280, "height": 1000})
        tab.command("apputils:change-theme", theme="JupyterLab Light")
        tab.field("Large type").uncheck()


def test_a_saved_notebook_shows_its_pictures_on_a_server_that_does_not_know_it(lab, browser, folder, tmp_path):
    tab = lab.tab
    tab.run_cell(cell_of(tab, "App("), FIRST)
    set_up(tab, SHORT)
    tab.click("Start")
    tab.wait_text(re.compile("^Done"))
    app = cell_of(tab, "App(")
    tab.until(lambda: sum("image/png" in o.get("data", {}) for o in tab.outputs(app)) >= 2, what="no picture stays")
    tab.save()
    (tmp_path / BOOK).write_bytes((folder / BOOK).read_bytes())
    with Server(tmp_path) as server:
        other = Tab(browser, server)
        other.open(BOOK)
        cell = other.view.locator(".jp-Notebook .jp-Cell").nth(app)
        kept = cell.locator(".jp-RenderedImage img")
        kept.first.wait_for()
        assert kept.count() >= 2
        assert all(kept.nth(i).evaluate("e => e.naturalWidth > 100") for i in range(kept.count()))
        cell.scroll_into_view_if_needed()
        other.screenshot("reopened")
        other.close()


@pytest.mark.skipif(bool(missing("voila")), reason=missing("voila") or "all is there")
def test_the_app_runs_in_voila(browser, tmp_path):
    code = ["from ptycho_nb import RefinementConfig, SimulationConfig\nfrom ptycho_nb.ui import App"]
    code += ["App(SimulationConfig.preset('quick'), RefinementConfig(epochs=3), method='Iterative')"]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in code])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, tmp_path / "app.ipynb")
    with Server(tmp_path, "voila") as server:
        tab = Tab(browser, server)
        tab.open("app.ipynb")
        tab.wait_text(re.compile("Next: 2 Reconstruct"), FIRST)
        tab.turn_to("2 Reconstruct")
        tab.click("Start")
        tab.wait_text(re.compile("^Done"), FIRST)
        tab.until(lambda: is_drawn(tab, AMPLITUDE) and is_drawn(tab, PHASE), what="no object")
        tab.screenshot("voila")
        font = "font-?awesome"  # Voila's own page asks a server in the internet for it
        assert tab.console_errors(font) == []
        tab.close()
