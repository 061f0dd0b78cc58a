"""What a hub's machine goes through when a class begins: kernels started together, each showing the App on a tiny scan.

    python hub.py [--quick] [--kernels 10]

Every kernel is a process of its own, as JupyterHub starts it, without a browser before it: the App is shown
with the message that carries its view, and the scan is there when it was simulated, judged and drawn.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from jupyter_client.manager import KernelManager
from measure import machine, one_thread, table
from panels import VIEW, Kernel, Message

import ptycho_nb

LONGEST = 300.0  # s for one kernel to come up, and for one cell
CELL = "from ptycho_nb import SimulationConfig; from ptycho_nb.ui import App; app = App(SimulationConfig({})); app"
TINY = "N=32, height=64, width=72, probe_diameter=12"
THERE = "came = app.panels.scan.wait({})"
RUN = "ran = app.panels.reconstruct.run() is not None"


class Seat(NamedTuple):
    """What one kernel took [s], from the start of them all, and its memory [MiB]."""

    ready: float
    shown: float
    drawn: float
    ran: float
    resident: float
    share: float


class Desk(NamedTuple):
    """A kernel and the process it is."""

    pid: int
    kernel: Kernel

    def sits(self, began: float) -> Seat | None:
        """Show the App, wait for its scan, fit it; None where the kernel died on the way."""
        try:
            self.kernel.client.wait_for_ready(timeout=LONGEST)
            ready = time.perf_counter() - began
            self.kernel.client.execute(CELL.format(TINY))
            self._until(lambda m: m["msg_type"] == "display_data" and VIEW in m["content"]["data"])
            shown = time.perf_counter() - began
            drawn, ran = self._ran(THERE.format(LONGEST), began), self._ran(RUN, began)
            answers = self.kernel.value("came and ran and app.scan.M") > 0
        except (RuntimeError, TimeoutError, SyntaxError):  # it died, or did not answer
            return None
        return Seat(ready, shown, drawn, ran, *memory(self.pid)) if answers else None

    def _ran(self, cell: str, began: float) -> float:
        self.kernel.run(cell)
        return time.perf_counter() - began

    def _until(self, told: Callable[[Message], bool]) -> None:
        if not any(told(message) for _, message in self.kernel.heard(told, LONGEST)):
            raise TimeoutError


def memory(pid: int) -> tuple[float, float]:
    """Memory of a process [MiB]: what it holds, and that with what it shares divided among those who share it."""
    rows = dict(line.split(":") for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    resident, share = (int(rows[name].split()[0]) / 1024 for name in ("Rss", "Pss"))
    return resident, share


@contextmanager
def desk() -> Iterator[Desk]:
    """A kernel that has just been started; it ends with the body."""
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(env={**os.environ, "PYTHONPATH": str(Path(ptycho_nb.__file__).parents[1])})
    client = manager.client()
    client.start_channels()
    try:
        yield Desk(int(manager.provisioner.pid), Kernel(client))
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def together(count: int) -> list[Seat | None]:
    """So many kernels at once."""
    with ExitStack() as room, ThreadPoolExecutor(count) as helpers:
        began = time.perf_counter()
        desks = [room.enter_context(desk()) for _ in range(count)]
        return list(helpers.map(lambda one: one.sits(began), desks))


def row(what: str, values: Sequence[float], unit: str) -> tuple[str, str, str]:
    """The middle one and the worst."""
    return what, f"{statistics.median(values):.3g} {unit}", f"{max(values):.3g} {unit}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kernels", type=int, default=10, help="how many at once")
    parser.add_argument("--quick", action="store_true", help="see that it works: three")
    arguments = parser.parse_args()
    one_thread()
    count = 3 if arguments.quick else arguments.kernels
    print(f"{machine()}, {len(os.sched_getaffinity(0))} cores")
    found = together(count)
    seats = [seat for seat in found if seat is not None]
    print(f"\n{count} kernels started together; {count - len(seats)} died.\n")
    if not seats:
        return
    rows = [
        row("kernel answers", [s.ready for s in seats], "s"),
        row("App shown", [s.shown for s in seats], "s"),
        row("scan simulated, judged and drawn", [s.drawn for s in seats], "s"),
        row("object reconstructed, Iterative", [s.ran for s in seats], "s"),
        row("memory of a kernel", [s.resident for s in seats], "MiB"),
        row("memory of a kernel, shared pages divided", [s.share for s in seats], "MiB"),
    ]
    print(table(["what", "median", "worst"], rows))


if __name__ == "__main__":
    main()
