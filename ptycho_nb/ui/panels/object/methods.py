"""The results of several methods side by side."""

from __future__ import annotations

import numpy as np

from ptycho_nb.figures import comparison
from ptycho_nb.ui.drawing import inlined, tag
from ptycho_nb.ui.panels.object.section import Entry, Nothing, Section, Shown

ONE = "There is one method so far: reconstruct the same scan by another, and both stand here side by side."
ELSEWHERE = "Other results lie on another canvas, of another scan or size, and are left out: only those of one scan can be registered."


class MethodsSection(Section):
    """The newest result of each method on one scan, registered, on the same scales, with the time it took."""

    title = "Methods side by side"
    slow = True

    def of(self, shown: Shown) -> tuple[object, ...]:
        return (shown.entry, *comparable(shown))

    def draw(self, shown: Shown) -> None:
        found = comparable(shown)
        if len(found) < 2:
            raise Nothing(ELSEWHERE if any(e.result.method != shown.result.method for e in shown.entries) else ONE)
        results = {entry.result.method: entry.result for entry in found}
        scan = shown.scan
        truth = scan.truth_on(shown.result.canvas) if scan is not None and scan.truth is not None else None
        drawn = comparison(results, truth)
        took = ", ".join(f"{entry.result.method} {entry.result.seconds:.3g} s" for entry in found)
        left = len({e.result.method for e in shown.entries}) > len(found)
        words = f"Amplitude above phase by {len(found)} methods" + (" and of the known object" if truth is not None else "")
        self.pane.put(tag("p", f"Time taken: {took}."), tag("p", ELSEWHERE) if left else "", inlined(drawn, words))


def comparable(shown: Shown) -> list[Entry]:
    """What is looked at, and of each other method the newest on the same canvas and positions."""
    found = {shown.result.method: shown.entry}
    for entry in shown.entries:
        if entry.result.method not in found and _same_ground(entry, shown.entry):
            found[entry.result.method] = entry
    return sorted(found.values(), key=lambda entry: entry.number)


def _same_ground(one: Entry, other: Entry) -> bool:
    a, b = one.result, other.result
    alike = a.canvas == b.canvas and a.name == b.name and len(a.positions) == len(b.positions)
    return alike and bool(np.isfinite(a.object).all())
