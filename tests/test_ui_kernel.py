"""The panel and the loss plot in a real kernel: cells run beside a training, interrupts leave it alone, the last picture stays.

PTYCHO_NB_KERNEL_PATH names a folder with another ipykernel for it: ``pip install --target FOLDER --no-deps ipykernel==…``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from queue import Empty

import pytest
from jupyter_client.manager import KernelManager

pytestmark = pytest.mark.kernel
HERE = Path(__file__).parent
OTHER = os.environ.get("PTYCHO_NB_KERNEL_PATH", "")
SETUP = f"""
import sys; sys.path[:0] = [{str(HERE.parent)!r}, {str(HERE)!r}]
import time
from tiny_scan import tiny_scan
from ptycho_nb import ModelConfig, RefinementConfig, TrainingConfig, reconstruct, refine, train
from ptycho_nb.ui import LossPlot, ReconstructPanel
scan = tiny_scan(N=32)
"""
ENDLESS = """
runs = []
panel = ReconstructPanel(scan, TrainingConfig(epochs=9999), ModelConfig(hidden=12), method='Network')
panel.on_begin(runs.append)
panel
"""


class Kernel:
    """Runs cells and keeps what each put out."""

    def __init__(self, manager: KernelManager) -> None:
        self._manager, self._client = manager, manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=90)
        self.run(SETUP)

    def begin(self, code: str) -> str:
        """Start a cell; its id."""
        return self._client.execute(code)

    def end(self, cell: str, seconds: float = 60, after: float = 0.0) -> list[dict]:
        """The messages until this cell has ended, and of some time after it."""
        found, end, idle = [], time.monotonic() + seconds, None
        while time.monotonic() < end and (idle is None or time.monotonic() - idle < after):
            try:
                message = self._client.get_iopub_msg(timeout=0.1)
            except Empty:
                continue
            ended = message["msg_type"] == "status" and message["content"]["execution_state"] == "idle"
            if ended and idle is None and message["parent_header"].get("msg_id") == cell:
                idle = time.monotonic()
            found.append(message)
        assert idle is not None, f"the cell did not end within {seconds} s"
        self._wait_for_reply(cell)
        return found

    def _wait_for_reply(self, cell: str) -> None:
        """As every page does before it sends more: a kernel of ipykernel 7.3 may not hear what comes between news and reply."""
        while self._client.get_shell_msg(timeout=20)["parent_header"].get("msg_id") != cell:
            pass

    def wait_begun(self, cell: str) -> None:
        """Until the kernel says that it runs this cell."""
        message = self._client.get_iopub_msg(timeout=60)
        while (message["msg_type"], message["parent_header"].get("msg_id")) != ("execute_input", cell):
            message = self._client.get_iopub_msg(timeout=60)

    def begin_drawn(self, code: str) -> str:
        """Start a cell whose run is drawn; its id, once the curve has grown."""
        cell, curves, end = self.begin(code), 0, time.monotonic() + 60
        while curves < 2:
            assert time.monotonic() < end, "no curve was drawn within 60 s"
            curves += is_curve(self._client.get_iopub_msg(timeout=60))
        return cell

    def run(self, code: str, after: float = 0.0) -> list[dict]:
        """The messages of a cell that raises nothing, and of some time after it."""
        messages = self.end(self.begin(code), after=after)
        for error in kept(messages, "error"):
            pytest.fail("\n".join(error["traceback"]))
        return messages

    def text(self, code: str) -> str:
        """The result of a cell."""
        (result,) = kept(self.run(code), "execute_result")
        return result["data"]["text/plain"]

    def press(self, button: str) -> None:
        """What a page sends when someone clicks this button."""
        model = self.text(f"{button}.model_id").strip("'")
        content = {"comm_id": model, "data": {"method": "custom", "content": {"event": "click"}}}
        self._client.shell_channel.send(self._client.session.msg("comm_msg", content))
        time.sleep(0.2)  # it has no reply to wait for

    def until(self, code: str, wanted: Callable[[str], bool], seconds: float = 30) -> str:
        """Ask until the answer is the one wanted."""
        end = time.monotonic() + seconds
        while not wanted(answer := self.text(code)):
            assert time.monotonic() < end, f"{code} is {answer} after {seconds} s"
            time.sleep(0.1)
        return answer

    def interrupt(self) -> None:
        time.sleep(0.2)
        self._manager.interrupt_kernel()

    def restart(self) -> None:
        """A kernel that knows nothing but the setup."""
        self._manager.restart_kernel(now=True)
        self._client.wait_for_ready(timeout=90)
        self.run(SETUP)

    def close(self) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    paths = [OTHER, os.environ.get("PYTHONPATH", "")]
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, paths))})
    one = Kernel(manager)
    yield one
    one.close()


@pytest.fixture
def training(kernel) -> Iterator[Kernel]:
    """A panel in a cell, its training under way."""
    kernel.run(ENDLESS)
    kernel.press("panel.controls.start")
    kernel.until("panel.state.name", lambda state: state == "'RUNNING'")
    wait_for_more_steps(kernel)
    yield kernel
    kernel.run("panel.close()")


def kept(messages: list[dict], kind: str) -> list[dict]:
    """The contents of the messages of a kind."""
    return [m["content"] for m in messages if m["msg_type"] == kind]


def is_curve(message: dict) -> bool:
    """Whether a live loss plot is drawn with this message."""
    return message["msg_type"] == "comm_msg" and "<polyline" in str(message["content"]["data"].get("state", {}).get("value"))


def bundles(messages: list[dict]) -> list[set[str]]:
    kinds = ("display_data", "update_display_data")
    return [set(m["content"]["data"]) for m in messages if m["msg_type"] in kinds]


def steps(kernel: Kernel) -> int:
    return int(kernel.text("sum(len(history.steps) for run in runs for _, history in run.histories)"))


def wait_for_more_steps(kernel: Kernel) -> None:
    before = steps(kernel)
    kernel.until("sum(len(history.steps) for run in runs for _, history in run.histories)", lambda now: int(now) > before + 3)


def test_the_kernel_is_the_one_asked_for(kernel):
    (found,) = metadata.distributions(name="ipykernel", path=[OTHER]) if OTHER else [metadata.distribution("ipykernel")]
    assert kernel.text("__import__('ipykernel').__version__") == repr(found.version)


def test_a_loss_plot_is_live_in_a_plain_cell_and_ends_as_a_picture(kernel):
    limited = "TrainingConfig(epochs=9999, time_limit=4)"  # by time: a count of epochs may be over before a second frame is due
    messages = kernel.run(f"train(scan, {limited}, ModelConfig(hidden=12), listener=LossPlot().show());", after=1)
    assert sum(is_curve(m) for m in messages) >= 2
    shown = bundles(messages)
    assert "application/vnd.jupyter.widget-view+json" in shown[0]
    assert shown[-1] == {"image/png", "text/plain"}
    assert kept(messages, "stream") == []


def test_cells_run_while_the_panel_trains_and_nothing_lands_in_them(training):
    for _ in range(3):
        messages = training.run("1 + 1")
        assert not kept(messages, "stream") + kept(messages, "display_data")
        wait_for_more_steps(training)
    assert training.text("panel.state.name") == "'RUNNING'"
    messages = training.run("panel.stop(); stopped = panel.wait()", after=3)
    assert training.text("stopped") == "True"
    assert bundles(messages).count({"image/png", "text/plain"}) == 2
    assert training.text("panel.state.name") == "'STOPPED'"


def test_an_interrupt_ends_the_cell_and_not_the_training_beside_it(training):
    training.interrupt()  # no cell runs
    wait_for_more_steps(training)
    cell = training.begin("time.sleep(60)")
    training.wait_begun(cell)
    training.interrupt()
    assert [e["ename"] for e in kept(training.end(cell, seconds=20), "error")] == ["KeyboardInterrupt"]
    wait_for_more_steps(training)
    assert training.text("panel.state.name") == "'RUNNING'"


def test_the_panel_answers_after_an_interrupt(training):
    training.interrupt()
    training.press("panel.controls.pause")
    training.until("panel.state.name", lambda state: state == "'PAUSED'")
    held = steps(training)
    time.sleep(1)
    assert steps(training) == held
    training.press("panel.controls.pause")
    wait_for_more_steps(training)
    training.press("panel.controls.stop")
    training.until("panel.state.name", lambda state: state == "'STOPPED'")


def test_an_interrupted_training_in_a_cell_ends_as_stopped_and_keeps_its_network(kernel):
    cell = kernel.begin_drawn("trained = train(scan, TrainingConfig(epochs=9999), ModelConfig(hidden=12), listener=LossPlot().show())")
    kernel.interrupt()
    messages = kernel.end(cell, seconds=20)
    assert kept(messages, "error") == kept(messages, "stream") == []
    assert kernel.text("trained.history.state.name, reconstruct(trained.model, scan).object.ndim") == "('STOPPED', 2)"


def test_an_interrupted_fit_in_a_cell_ends_as_stopped_and_keeps_its_object(kernel):
    cell = kernel.begin_drawn("fitted = refine(scan, config=RefinementConfig(epochs=9999), listener=LossPlot().show())")
    kernel.interrupt()
    assert kept(kernel.end(cell, seconds=20), "error") == []
    assert kernel.text("fitted.state.name, fitted.object.ndim") == "('STOPPED', 2)"


def test_a_blocking_run_of_the_panel_ends_as_stopped_on_an_interrupt(kernel):
    kernel.run(ENDLESS)
    cell = kernel.begin_drawn("kept = panel.run()")
    kernel.interrupt()
    assert kept(kernel.end(cell, seconds=20), "error") == []
    assert kernel.text("panel.state.name, kept is not None") == "('STOPPED', True)"
    kernel.run("panel.close()")


def test_a_panel_shown_again_is_the_same_panel(kernel):
    kernel.run("panel = ReconstructPanel(scan, RefinementConfig(epochs=2))\n_ = panel.run()\npanel")
    shown = bundles(kernel.run("panel"))
    assert "image/png" not in shown[0]  # the object stands below the panel, once
    assert [("image/png" in one) for one in shown[-2:]] == [True, True]
    kernel.run("panel.close()")


def test_after_a_restart_in_the_middle_of_a_training_the_cell_begins_anew(training):
    training.restart()
    messages = training.run(ENDLESS)
    assert kept(messages, "stream") == []
    assert "application/vnd.jupyter.widget-view+json" in bundles(messages)[0]
    assert training.text("panel.state.name, len(runs)") == "('IDLE', 0)"
    training.press("panel.controls.start")
    wait_for_more_steps(training)
