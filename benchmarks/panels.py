"""What the panels cost: drawing, traffic, clicks, and what is left behind, each in a real kernel.

    python panels.py [--quick]

Trainings with the Reconstruct panel's live view and plain ones take turns in one kernel (fast map,
batch 32, preview on); traffic is the content of the messages that a kernel sends to the screen; a
click is the message that a browser sends for it.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager
from measure import machine, one_thread, table

import ptycho_nb.ui

Message = dict[str, Any]

VIEW = "application/vnd.jupyter.widget-view+json"
LONGEST = 600.0  # s for one cell
SETUP = """
import gc, threading, time
import ipywidgets
from ipywidgets.widgets.widget import _instances
from matplotlib.figure import Figure
from ptycho_nb import RefinementConfig, SimulationConfig, TrainingConfig, simulate_scan, train
from ptycho_nb.ui import ReconstructPanel

scan = simulate_scan(SimulationConfig(height={side}, width={side}))
panel = ReconstructPanel(scan, method="Network")

def measured():
    while "here" not in panel.controls.estimate.value:
        time.sleep(0.1)

def plain(training):
    return train(scan, training).history.seconds[-1]

def shown(training):
    panel.set(training, method="Network")
    measured()  # else it is timed beside the run
    panel.run()
    return panel._runner.run.histories[0][1].seconds[-1]

def left():
    gc.collect()
    pages = int(open("/proc/self/statm").read().split()[1])
    figures = sum(issubclass(type(one), Figure) for one in gc.get_objects())
    return threading.active_count(), len(_instances), figures, pages * 4096
"""


class Kernel:
    """A kernel of its own, and every message that it sends to the screen."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self.client = client

    def heard(self, until: Callable[[Message], bool], seconds: float) -> list[tuple[float, Message]]:
        """Messages with the time at which each came, until one of them ends it or the time is over."""
        found: list[tuple[float, Message]] = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                message = self.client.get_iopub_msg(timeout=min(0.2, max(0.0, end - time.monotonic())))
            except Empty:
                continue
            if message["msg_type"] == "error":
                raise RuntimeError("\n".join(message["content"]["traceback"]))
            found.append((time.monotonic(), message))
            if until(message):
                break
        return found

    def run(self, code: str) -> list[tuple[float, Message]]:
        """What a cell sends until it has ended."""
        own = self.client.execute(code)
        return self.heard(lambda m: _idle(m) and m["parent_header"].get("msg_id") == own, LONGEST)

    def value(self, expression: str) -> Any:
        """What a plain expression gives."""
        told = [m for _, m in self.run(f"print(repr({expression}))") if m["msg_type"] == "stream"]
        return ast.literal_eval("".join(m["content"]["text"] for m in told))

    def click(self, button: str) -> str:
        """Press a button as a browser does; the number of the message."""
        session, channel = self.client.session, self.client.shell_channel
        content = {"comm_id": button, "data": {"method": "custom", "content": {"event": "click"}}}
        message = session.msg("comm_msg", content)
        channel.send(message)
        return str(message["header"]["msg_id"])


@contextmanager
def kernel() -> Iterator[Kernel]:
    """A kernel that ends with the body."""
    manager = KernelManager(kernel_name="python3")
    home = str(Path(ptycho_nb.ui.__file__).parents[2])
    manager.start_kernel(env={**os.environ, "PYTHONPATH": home})
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        yield Kernel(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def drawing(one: Kernel, pairs: int, epochs: int) -> list[tuple[str, str]]:
    """Running time of trainings with the live view over that of plain ones, in pairs that change places."""
    one.run("panel")
    training = f"TrainingConfig(epochs={epochs}, batch_size=32)"
    one.run(f"shown({training}); plain({training})")  # once, to warm up
    ratios, seconds = [], []
    for i in range(pairs):
        order = ("plain", "shown") if i % 2 else ("shown", "plain")
        took = {name: one.value(f"{name}({training})") for name in order}
        ratios.append(took["shown"] / took["plain"])
        seconds.append(took["plain"])
    cost = 100 * (statistics.median(ratios) - 1)
    spread = f"{100 * (min(ratios) - 1):.1f} to {100 * (max(ratios) - 1):.1f}"
    return [
        (f"drawing, of the training's time (median of {pairs} pairs of {statistics.median(seconds):.1f} s)", f"{cost:.1f} % ({spread})")
    ]


def traffic(one: Kernel, method: str, seconds: float) -> list[tuple[str, str]]:
    """Bytes a second to the screen while a run goes on."""
    one.run(f"panel.set(TrainingConfig(epochs=10000, batch_size=32), RefinementConfig(epochs=10000), method={method!r}); measured()")
    one.run("panel.controls.start.click()")
    one.heard(lambda m: False, 2.0)  # the first pictures come at once
    began = time.monotonic()
    sizes = [(at - began, _bytes(m)) for at, m in one.heard(lambda m: False, seconds) if m["msg_type"] == "comm_msg"]
    one.run("panel.stop(); stopped = panel.wait()")
    mean = sum(size for _, size in sizes) / seconds
    busiest = max(sum(size for at, size in sizes if second <= at < second + 5) / 5 for second in range(max(1, int(seconds) - 4)))
    return [(f"traffic, {method}: mean, and the busiest 5 s", f"{mean / 1000:.0f} and {busiest / 1000:.0f} kB/s")]


def clicks(one: Kernel, count: int) -> list[tuple[str, str]]:
    """From the message of a click on Pause, while a network trains, to the message that changes the screen."""
    one.run("panel.set(TrainingConfig(epochs=10000, batch_size=32), method='Network'); measured(); panel.controls.start.click()")
    one.heard(lambda m: False, 3.0)
    button = one.value("panel.controls.pause.model_id")
    waits = []
    for _ in range(count):
        began = time.monotonic()
        number = one.click(button)
        answer = one.heard(lambda m, own=number: m["msg_type"] == "comm_msg" and m["parent_header"].get("msg_id") == own, 5.0)  # type: ignore[misc]
        waits.append(1000 * (answer[-1][0] - began))
        one.heard(lambda m: False, 0.3)
        one.click(button)  # Resume
        one.heard(lambda m: False, 0.5)
    one.run("panel.stop(); stopped = panel.wait()")
    return [(f"click to callback while training (median of {count}, worst)", f"{statistics.median(waits):.0f} ms, {max(waits):.0f} ms")]


def cycles(one: Kernel, count: int) -> list[tuple[str, str]]:
    """What so many runs, every second one stopped, leave behind."""
    turn = "[(panel.controls.start.click(), panel.stop() if i % 2 else None, panel.wait()) for i in range({})]"
    one.run("panel.set(RefinementConfig(epochs=1), method='Iterative'); measured()")
    one.run(f"_ = {turn.format(20)}; before = left()")
    one.run(f"_ = {turn.format(count)}; time.sleep(2); after = left()")
    before, after = one.value("before"), one.value("after")
    names = ("threads", "widgets", "figures")
    more = ", ".join(f"{name} {b - a:+d}" for name, a, b in zip(names, before, after, strict=False))
    return [(f"left behind by {count} start/stop cycles", f"{more}, memory {100 * (after[3] / before[3] - 1):+.1f} %")]


def app() -> list[tuple[str, str]]:
    """From the cell to the message that shows the App: in a fresh kernel, and in one that has imported it."""
    rows = []
    for label, setup in (
        ("fresh kernel", "pass"),
        ("kernel that has run ptycho_nb", "import ptycho_nb.ui.app, ptycho_nb; ptycho_nb.train"),
    ):
        with kernel() as one:
            one.run(setup)
            began = time.monotonic()
            one.client.execute("from ptycho_nb.ui import App; App()")
            shown = one.heard(lambda m: m["msg_type"] == "display_data" and VIEW in m["content"]["data"], 60.0)
            size = sum(_bytes(m) for _, m in shown)
            rows.append((f"App shown, {label}", f"{shown[-1][0] - began:.1f} s, {size / 1e6:.1f} MB"))
    return rows


def _idle(message: Message) -> bool:
    return message["msg_type"] == "status" and message["content"]["execution_state"] == "idle"


def _bytes(message: Message) -> int:
    return len(json.dumps(message["content"], default=str).encode()) + sum(len(part) for part in message.get("buffers", []))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=8, help="of trainings, with and without the live view")
    parser.add_argument("--epochs", type=int, default=40, help="of each of these")
    parser.add_argument("--quick", action="store_true", help="see that it works")
    arguments = parser.parse_args()
    one_thread()
    print(machine())
    quick = arguments.quick
    rows: list[tuple[str, str]] = []
    with kernel() as one:
        one.run(SETUP.format(side=160 if quick else 384))
        rows += drawing(one, 2 if quick else arguments.pairs, 5 if quick else arguments.epochs)
        for method in ("Network", "Iterative"):
            rows += traffic(one, method, 6 if quick else 30)
        rows += clicks(one, 5 if quick else 40)
        rows += cycles(one, 10 if quick else 100)
    rows += app()
    print("\n" + table(["what", "figure"], rows))


if __name__ == "__main__":
    main()
