"""A person before a notebook in a browser without a network: what hands and eyes do there.

The browser is the system's chromium; where it or Playwright is missing, ``missing()`` says so in a sentence.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from own_server import FIRST, LATER, Server

SCREENS = Path(os.environ.get("PTYCHO_NB_SCREENS") or Path(tempfile.gettempdir(), f"ptycho_nb_screens_{os.getpid()}"))
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or "/usr/bin/chromium"
OFFLINE = (  # with --no-sandbox, for root; the rest keeps it from every network
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
NOTEBOOK = "const book = window.jupyterapp?.shell?.currentWidget, cells = book?.content?.model?.sharedModel?.cells;"
CELLS = f"() => {{ {NOTEBOOK} return cells.map(c => ({{...c.toJSON(), busy: c.executionState !== 'idle'}})); }}"
READY = f"() => {{ {NOTEBOOK} return cells?.length && book.sessionContext?.session?.kernel?.status === 'idle'; }}"
RUN = f"""([command, numbers]) => {{ {NOTEBOOK}
  for (const i of numbers) if (cells[i].cell_type === 'code') cells[i].execution_count = null;
  book.content.activeCellIndex = numbers[0]; window.jupyterapp.commands.execute(command); }}"""
ASK = f"""async code => {{ {NOTEBOOK} let found = null;
  const future = book.sessionContext.session.kernel.requestExecute({{code, store_history: false}});
  future.onIOPub = m => {{ const c = m.content;
    if (m.header.msg_type === 'execute_result') found = c.data['text/plain'];
    if (m.header.msg_type === 'error') found = c.ename + ': ' + c.evalue; }};
  await Promise.race([future.done, new Promise((_, no) => setTimeout(() => no(new Error('no answer: ' + code)), 30000))]);
  return found; }}"""


def missing(*modules: str) -> str:
    """What these tests lack, in a sentence; nothing where all is there."""
    lacking = [name for name in ("playwright", "jupyterlab", *modules) if find_spec(name) is None]
    if lacking:
        return f"{' and '.join(lacking)} not installed: pip install -c constraints.txt '.[test,lab,browser]'"
    return "" if Path(CHROMIUM).exists() else "no chromium on this machine: apt-get install chromium fonts-dejavu-core"


@contextmanager
def chromium() -> Iterator[Any]:
    """The browser, without a window."""
    from playwright.sync_api import sync_playwright  # here: where it is missing the tests are skipped, not broken

    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=CHROMIUM, args=list(OFFLINE))
        yield browser
        browser.close()


class Tab:
    """One tab of the browser, on one server: what a person does there, and sees.

    Attributes
    ----------
    page : playwright.sync_api.Page
    errors : list of str
        What the console called an error, what nobody caught, and each dialog that opened.
    """

    def __init__(self, browser: Any, server: Server, *, width: int = 1280, height: int = 1000) -> None:
        self.server = server
        self._context = browser.new_context(viewport={"width": width, "height": height})
        self.page = self._context.new_page()
        self.page.set_default_timeout(LATER * 1000)
        self.errors: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.errors.append(f"not caught: {error}"))
        self.page.on("dialog", self._answer)

    def _hear(self, message: Any) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")

    def _answer(self, dialog: Any) -> None:
        if dialog.type != "beforeunload":  # the page asks whether unsaved changes may go
            self.errors.append(f"dialog: {dialog.message}")
        dialog.accept()

    def close(self) -> None:
        self._context.close()

    def open(self, name: str) -> None:
        """Open a notebook, and wait for its kernel."""
        place = {"lab": f"lab/tree/{name}?reset&", "notebook": f"notebooks/{name}?", "voila": f"voila/render/{name}?"}[self.server.program]
        self.page.goto(f"{self.server.url}/{place}token={self.server.token}", timeout=FIRST * 1000)
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait for the notebook and its idle kernel; in Voila, for the first widget."""
        if self.server.program == "voila":
            self.page.locator(".jupyter-widgets").first.wait_for(timeout=FIRST * 1000)
        else:
            self.page.wait_for_function(READY, timeout=FIRST * 1000)

    def reload(self) -> None:
        self.page.reload()
        self.wait_ready()

    def command(self, name: str, **arguments: Any) -> None:
        """Do what a menu or a key would."""
        self.page.evaluate("([name, given]) => { window.jupyterapp.commands.execute(name, given); }", [name, arguments])

    def cells(self) -> list[dict[str, Any]]:
        """Each cell as it would be saved, and whether it is busy."""
        return self.page.evaluate(CELLS)

    def outputs(self, cell: int) -> list[dict[str, Any]]:
        return self.cells()[cell].get("outputs", [])

    def run_all(self, seconds: float = FIRST) -> None:
        """Run every cell, and wait for the last."""
        self._run("notebook:run-all-cells", list(range(len(self.cells()))), seconds)

    def run_cell(self, cell: int, seconds: float = LATER) -> str:
        """Run a cell and wait for it; its text."""
        self._run("notebook:run-cell", [cell], seconds)
        return "".join("".join(o.get("text") or o.get("data", {}).get("text/plain", "")) for o in self.outputs(cell))

    def _run(self, command: str, numbers: list[int], seconds: float) -> None:
        self.page.evaluate(RUN, [command, numbers])
        self.until(lambda: self._have_run(numbers), seconds, "the cells did not end")

    def _have_run(self, numbers: list[int]) -> bool:
        cells = [c for i, c in enumerate(self.cells()) if i in numbers and c["cell_type"] == "code" and "".join(c["source"]).strip()]
        for output in (o for c in cells for o in c["outputs"] if o["output_type"] == "error"):
            raise AssertionError(f"A cell raised {output['ename']}: {output['evalue']}")
        return all(c["execution_count"] is not None and not c["busy"] for c in cells)

    def ask(self, code: str) -> str | None:
        """What the kernel answers to a line of Python that no cell holds."""
        return self.page.evaluate(ASK, code)

    def save(self) -> None:
        self.command("docmanager:save")
        self.until(lambda: not self.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.model.dirty"), what="not saved")

    def restart(self) -> None:
        """Restart the kernel, and say yes to the question."""
        self.command("notebook:restart-kernel")
        self.page.locator(".jp-Dialog .jp-mod-accept").click()
        self.page.wait_for_timeout(500)
        self.wait_ready()

    @property
    def view(self) -> Any:
        """The notebook in front."""
        place = {"lab": ".jp-NotebookPanel", "notebook": ".jp-NotebookPanel", "voila": "body"}[self.server.program]
        return self.page.locator(place).filter(visible=True).first

    @property
    def panel(self) -> Any:
        """The outermost panel in it."""
        return self.view.locator(".pnb-panel").first

    def find(self, css: str) -> Any:
        """What can be seen of this in the panel."""
        return self.panel.locator(css).filter(visible=True)

    def button(self, name: str) -> Any:
        return self.panel.get_by_role("button", name=name, exact=True).filter(visible=True).first

    def click(self, name: str) -> None:
        """Press a button."""
        self.button(name).click()

    def turn_to(self, name: str) -> None:
        """Choose one of the tabs inside the panel."""
        self.panel.get_by_role("tab", name=name).filter(visible=True).first.click()

    def unfold(self, name: str) -> None:
        """Open one of the parts that are folded away."""
        self.find(".pnb-header").filter(has_text=name).first.click()

    def field(self, label: str) -> Any:
        """The control of this name."""
        return self.panel.get_by_label(label, exact=True).filter(visible=True).first

    def fill(self, label: str, text: str) -> None:
        """Type into a box, and leave it."""
        self.field(label).fill(text)
        self.field(label).press("Tab")

    def wait_text(self, text: str | re.Pattern[str], seconds: float = LATER) -> Any:
        """Where this can be read in the panel, once it can."""
        found = self.panel.get_by_text(text).filter(visible=True).first
        found.wait_for(timeout=seconds * 1000)
        return found

    def until(self, test: Callable[[], object], seconds: float = LATER, what: str = "it did not happen") -> None:
        """Wait until this holds."""
        end = time.monotonic() + seconds
        while not test():
            assert time.monotonic() < end, f"{what} within {seconds} s"
            self.page.wait_for_timeout(50)

    def pictures(self, css: str, seconds: float, wanted: int = 10**6) -> set[str]:
        """The different pictures seen in this place within a time, or as soon as there are so many."""
        seen, end = set(), time.monotonic() + seconds
        while time.monotonic() < end and len(seen) < wanted:
            seen |= {source for source in [self.page.evaluate(f"() => document.querySelector({css!r})?.src")] if source}
            self.page.wait_for_timeout(40)
        return seen

    def draws(self, css: str) -> bool:
        """Whether a picture can be seen there, with pixels in it."""
        shown = self.find(css)
        return shown.count() > 0 and shown.first.evaluate("e => e.naturalWidth > 8 && e.getBoundingClientRect().width > 8")

    def screenshot(self, name: str) -> Path:
        """A picture of the page; where it lies is printed, and shown when the test fails."""
        SCREENS.mkdir(parents=True, exist_ok=True)
        path = SCREENS / f"{name}.png"
        self.page.screenshot(path=path)
        print(path)
        return path

    def console_errors(self, *named: str) -> list[str]:
        """Errors so far, but those of these patterns, and every error box that stands open."""
        open_ones = [
            f"box: {text}" for text in self.page.locator(".jp-Dialog, .Toastify__toast--error").filter(visible=True).all_inner_texts()
        ]
        return [e for e in [*self.errors, *open_ones] if not any(re.search(pattern, e) for pattern in named)]
