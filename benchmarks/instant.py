"""How soon the panels that follow a slider answer: from the message of a change to the last one that changes the screen.

    python instant.py [--quick] [--panel ExperimentDesigner]

A kernel of its own, N = 64. Each control is taken through its whole range, in steps of random order, as a browser
sends them, and the panel has drawn before the next; a control that changes nothing on the screen is not counted.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import time
from collections.abc import Sequence
from typing import NamedTuple

from measure import machine, one_thread, table
from panels import Kernel, Message, kernel

PANELS = {  # where the controls of each are: name -> widget
    "ExperimentDesigner": "{**{n: d.slider for n, d in panel.settings.dials.items()}, **panel.settings.choices}",
    "ForwardExplorer": "{n: getattr(c, n) if n in CHOICES else getattr(c, n).slider for n in NAMES} | {'probe dragged': panel.map}",
    "Ambiguities": "{**{n: d.slider for n, d in panel.dials.items()}, **panel.switches, 'path': panel.path}",
}
SETUP = """
from ptycho_nb.ui import ExperimentDesigner, ForwardExplorer, Ambiguities

CHOICES = ("object", "kind", "guess", "exchange")
NAMES = ("row", "column", "diameter", "defocus", *CHOICES)
HALF = 32  # px of a window: so far from the rim its middle stays

def states(widget, count):
    # as a browser sends them: over the whole range, ends included; the last as it was
    if hasattr(widget, "point"):
        across = [[HALF + (n - 2 * HALF) * i / count for n in widget.shape] for i in range(count)]
        return [{"point": place} for place in across] + [{"point": []}]
    if hasattr(widget, "options"):
        return [{"index": i % len(widget.options)} for i in range(count)] + [{"index": widget.index}]
    if isinstance(widget.value, bool):
        return [{"value": bool(i % 2)} for i in range(count)] + [{"value": widget.value}]
    low, high, step = widget.min, widget.max, widget.step  # of a logarithmic one: exponents
    found = [low + step * round(round((high - low) / step) * i / (count - 1)) for i in range(count)]
    return [{"value": widget.base**v if hasattr(widget, "base") else v} for v in found] + [{"value": widget.value}]
"""
ENDED = "drawn = panel.wait() if hasattr(panel, 'wait') else True"  # a thread of its own draws, in panels that have one


class Answer(NamedTuple):
    """Of one control: its name, and the waits [s]."""

    control: str
    waits: list[float]


def moved(one: Kernel, widget: str, state: dict[str, object]) -> float | None:
    """Send a change as a browser does; the time [s] to the last message that changes the screen, None where nothing changes."""
    session, channel = one.client.session, one.client.shell_channel
    content = {"comm_id": widget, "data": {"method": "update", "state": state, "buffer_paths": []}}
    began = time.monotonic()
    channel.send(session.msg("comm_msg", content))
    seen = [at - began for at, message in one.run(ENDED) if _changes(message)]
    return seen[-1] if seen else None


def _changes(message: Message) -> bool:
    """Whether it gives a widget another state; an echo of what the browser itself set does not."""
    return message["msg_type"] == "comm_msg" and message["content"]["data"].get("method") == "update"


def answers(one: Kernel, panel: str, controls: str, count: int) -> list[Answer]:
    """Each control of a panel in turn."""
    one.run(f"panel = {panel}(); c = getattr(panel, 'controls', None); panel")
    one.heard(lambda m: False, 2.0)
    one.run(f"controls = {controls}")
    found = []
    for name, (model, states) in one.value(f"{{n: (w.model_id, states(w, {count})) for n, w in controls.items()}}").items():
        *course, before = states
        random.Random(0).shuffle(course)
        waits = [wait for state in course if (wait := moved(one, model, state)) is not None]
        moved(one, model, before)
        found.append(Answer(name, waits))
    one.run("panel.close()")
    return found


def rows(panel: str, found: Sequence[Answer]) -> list[tuple[str, str, str, str]]:
    """A line for each control, and one for all of the panel."""
    everything = Answer("all", [w for a in found for w in a.waits])
    return [(panel, a.control, f"{1000 * statistics.median(a.waits):.0f}", f"{1000 * max(a.waits):.0f}") for a in (*found, everything)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="see that it works")
    parser.add_argument("--panel", choices=PANELS, help="only this one")
    arguments = parser.parse_args()
    one_thread()
    print(f"{machine()}, {len(os.sched_getaffinity(0))} cores")
    lines: list[tuple[str, str, str, str]] = []
    with kernel() as one:
        one.run(SETUP)
        for name, controls in PANELS.items():
            if arguments.panel in (None, name):
                lines += rows(name, answers(one, name, controls, 4 if arguments.quick else 15))
    print("\n" + table(["panel", "control", "median [ms]", "worst [ms]"], lines))


if __name__ == "__main__":
    main()
