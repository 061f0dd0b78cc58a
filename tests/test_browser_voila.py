"""The App in Voila, in a real browser."""

from __future__ import annotations

import re

import nbformat
import pytest
from browser import Tab, chromium, missing
from own_server import FIRST, Server

pytestmark = pytest.mark.browser
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
        font = "font-?awesome"  # Voila's own page asks a server in the internet for it
        assert tab.console_errors(font) == []
        tab.close()
