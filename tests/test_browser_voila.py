"""The App, and the notebooks that are pages too, in Voila, in a real browser."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import nbformat
import pytest
from browser import Tab, chromium, missing
from own_server import FIRST, Server

pytestmark = pytest.mark.browser
FONT = "font-?awesome"  # Voila's own page asks a server in the internet for it
AMPLITUDE, PHASE = 'img[alt^="Object amplitude"]', 'img[alt^="Object phase"]'


@pytest.mark.skipif(bool(missing("voila")), reason=missing("voila") or "all is there")
def test_the_app_runs_in_voila(tmp_path):
    code = ["from ptycho_nb import RefinementConfig, SimulationConfig\nfrom ptycho_nb.ui import App"]
    code += ["App(SimulationConfig.preset('quick'), RefinementConfig(epochs=3), method='Iterative')"]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in code])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, tmp_path / "app.ipynb")
    with chromium() as browser, Server(tmp_path, "voila") as server:
        tab = Tab(browser, server)
        tab.open("app.ipynb")
        tab.wait_text(re.compile("Next: 2 Reconstruct"), FIRST)
        tab.turn_to("2 Reconstruct")
        tab.click("Start")
        tab.wait_text(re.compile("^Done"), FIRST)
        tab.until(lambda: tab.draws(AMPLITUDE) and tab.draws(PHASE), what="no object")
        tab.screenshot("voila")
        assert tab.console_errors(FONT) == []
        tab.close()


NOTEBOOKS = Path(__file__).parent.parent / "notebooks"


@pytest.mark.skipif(bool(missing("voila")), reason=missing("voila") or "all is there")
@pytest.mark.parametrize(("stem", "right"), [("00_quickstart", "It explains noise too"), ("02_train_and_watch", "The two losses alone")])
def test_a_notebook_is_a_page_without_code_where_exercises_are_answered_by_buttons(stem, right, tmp_path):
    shutil.copy(NOTEBOOKS / f"{stem}.ipynb", tmp_path)
    with chromium() as browser, Server(tmp_path, "voila") as server:
        tab = Tab(browser, server, width=1600, height=1400)
        tab.open(f"{stem}.ipynb")
        tab.page.get_by_role("heading", name="Sources").wait_for(timeout=2 * FIRST * 1000)  # the last of it
        assert tab.page.locator(".jp-CodeCell .jp-InputArea, .jp-CodeMirrorEditor").filter(visible=True).count() == 0
        tab.page.get_by_label(re.compile(right)).first.check()
        tab.page.get_by_role("button", name="Check", exact=True).first.click()
        tab.page.get_by_text(re.compile(r"✓ \d.1: right")).filter(visible=True).first.wait_for()
        tab.screenshot(f"voila_{stem}")
        assert tab.console_errors(FONT) == []
        tab.close()
