"""The panel and the loss plot in a real kernel: cells run beside a training, and the last picture stays."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty

import pytest
from jupyter_client.manager import KernelManager

pytestmark = pytest.mark.kernel
HERE = Path(__file__).parent
SETUP = f"""
import sys; sys.path[:0] = [{str(HERE.parent)!r}, {str(HERE)!r}]
from tiny_scan import tiny_scan
from ptycho_nb import ModelConfig, RefinementConfig, TrainingConfig, refine, train
from ptycho_nb.ui import LossPlot, ReconstructPanel
scan = tiny_scan(N=32)
"""


class Kernel:
    """Runs cells and keeps what each put out."""

    def __init__(self, client) -> None:
        self.client = client

    def run(self, code: str, seconds: float = 60, after: float = 0.0) -> list[dict]:
        """The messages of a cell, and of some time after it."""
        self.client.execute(code)
        found, end, idle = [], time.monotonic() + seconds, None
        while time.monotonic() < end and (idle is None or time.monotonic() - idle < after):
            try:
                message = self.client.get_iopub_msg(timeout=0.1)
            except Empty:
                continue
            if message["msg_type"] == "error":
                pytest.fail("\n".join(message["content"]["traceback"]))
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle" and idle is None:
                idle = time.monotonic()
            found.append(message)
        assert idle is not None, f"the cell did not end within {seconds} s: {code}"
        return found

    def text(self, code: str) -> str:
        (result,) = [m for m in self.run(code) if m["msg_type"] == "execute_result"]
        return result["content"]["data"]["text/plain"]


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(env={**os.environ, "OMP_NUM_THREADS": "1"})
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    one = Kernel(client)
    one.run(SETUP)
    yield one
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def bundles(messages: list[dict]) -> list[set[str]]:
    kinds = ("display_data", "update_display_data")
    return [set(m["content"]["data"]) for m in messages if m["msg_type"] in kinds]


def test_a_loss_plot_is_live_in_a_plain_cell_and_ends_as_a_picture(kernel):
    messages = kernel.run("train(scan, TrainingConfig(epochs=40), ModelConfig(hidden=12), listener=LossPlot().show());", after=1)
    live = [m for m in messages if m["msg_type"] == "comm_msg" and "<svg" in str(m["content"]["data"].get("state", {}).get("value"))]
    assert len(live) >= 2
    shown = bundles(messages)
    assert "application/vnd.jupyter.widget-view+json" in shown[0]
    assert shown[-1] == {"image/png", "text/plain"}
    assert [m for m in messages if m["msg_type"] == "stream"] == []


def test_cells_run_while_the_panel_trains_and_nothing_lands_in_them(kernel):
    kernel.run("panel = ReconstructPanel(scan, TrainingConfig(epochs=9999), ModelConfig(hidden=12), method='Network')\npanel")
    kernel.run("panel.controls.start.click()", after=2)
    for _ in range(3):
        messages = kernel.run("1 + 1")
        assert not [m for m in messages if m["msg_type"] in ("stream", "display_data")]
    assert "State.RUNNING" in kernel.text("panel.state")
    messages = kernel.run("panel.stop(); stopped = panel.wait()", after=3)
    assert kernel.text("stopped") == "True"
    assert bundles(messages).count({"image/png", "text/plain"}) == 2
    assert "State.STOPPED" in kernel.text("panel.state")


def test_a_panel_shown_again_is_the_same_panel(kernel):
    kernel.run("panel = ReconstructPanel(scan, RefinementConfig(epochs=2))\n_ = panel.run()\npanel")
    shown = bundles(kernel.run("panel"))
    assert "image/png" in shown[0]
    assert [("image/png" in one) for one in shown[-2:]] == [True, True]
    kernel.run("panel.close()")
