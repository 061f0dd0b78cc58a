"""A scan in words: what was read and assumed, its numbers, and what looks wrong."""

from __future__ import annotations

import os
from collections.abc import Sequence

import ptycho_nb
from ptycho_nb.checks import SCAN_CHECKS, Finding
from ptycho_nb.config import SimulationConfig, TrainingConfig
from ptycho_nb.figures import positions_picture
from ptycho_nb.memory import memory
from ptycho_nb.metrics import overlap, probe_diameter, step
from ptycho_nb.quantities import count, length
from ptycho_nb.readers.source import size
from ptycho_nb.scan import Scan
from ptycho_nb.ui.drawing import Markup, inlined, joined, tag
from ptycho_nb.ui.forms import FileSource, Oriented, Source
from ptycho_nb.ui.panels.findings import listed
from ptycho_nb.ui.panels.scan.browser import printable

ENOUGH = 0.5  # linear overlap that reconstructions need as a rule: Bunk et al., Ultramicroscopy 108, 481 (2008)
BY_HAND = "What is named with = is an argument of load_scan; here it stands under Open a file, Map fields."
EMPTY = (
    "No scan yet: open a file below, or simulate one to try things out. "
    "A scan is diffraction patterns with the position of the probe for each; a file of other names is mapped by hand."
)


def heading(scan: Scan, source: Source) -> Markup:
    """What the scan is called and where it comes from."""
    turned = ", its positions turned" if isinstance(source, FileSource | Oriented) and source.orientation else ""
    if isinstance(source, Oriented):
        source = source.source
    if source is None:
        origin = "given in Python"
    elif isinstance(source, SimulationConfig):
        origin = "simulated"
    else:
        origin = f"from {printable(os.fspath(source.path if isinstance(source, FileSource) else source))}"
    return tag("p", tag("b", scan.name), f", {origin}{turned}")


def facts(scan: Scan) -> Markup:
    """The numbers of a scan, a row each."""
    rows = [tag("tr", tag("th", name, scope="row"), tag("td", words)) for name, words in _facts(scan).items()]
    return tag("table", tag("caption", "The scan in numbers"), *rows, class_="pnb-facts")


def _facts(scan: Scan) -> dict[str, str]:
    H, W = scan.canvas.shape
    modes = f", {len(scan.probe)} modes" if len(scan.probe) > 1 else ""
    wide = probe_diameter(scan.probe)
    dark = int((~scan.mask).sum())
    return {
        "Patterns": f"{scan.M} of {scan.N} × {scan.N} px" + (f", {dark} px masked" if dark else ""),
        "Photons": f"{count(scan.photons)} in a mean pattern",
        "Overlap": _overlap(scan),
        "Probe": f"90 % within {_across(wide, scan.pixel_size)}{modes}",
        "Pixel size": "unknown: lengths are in px" if scan.pixel_size is None else length(scan.pixel_size),
        "Object": f"{H} × {W} px" + (", truth known" if scan.truth is not None else ""),
        "Memory": _memory(scan),
    }


def _overlap(scan: Scan) -> str:
    if scan.M < 2:
        return "none, one position"
    found = overlap(scan.probe, scan.positions)
    judged = "enough as a rule" if found >= ENOUGH else f"little: {ENOUGH:.0%} or more is the rule"
    return f"{100 * found:.0f} % linear, step {step(scan.positions):.1f} px: {judged}"


def _across(pixels: float, pixel_size: float | None) -> str:
    return f"{pixels:.1f} px" + ("" if pixel_size is None else f" = {length(pixels * pixel_size)}")


def _memory(scan: Scan) -> str:
    iterative, network = ptycho_nb.memory_needed(scan), ptycho_nb.memory_needed(scan, training=TrainingConfig())
    left = memory().available
    short = ": too little, crop or bin the scan" if max(iterative, network) > left else ""
    return f"about {size(iterative)} a run (Iterative), {size(network)} (Network); {size(left)} free{short}"


def notes(scan: Scan) -> Markup:
    """What was read and assumed, a sentence each."""
    if not scan.notes:
        return tag("p", "Read as it is; nothing was assumed.")
    return joined(tag("p", "What was read and assumed:"), tag("ul", *(tag("li", note) for note in scan.notes)))


def findings(found: Sequence[Finding]) -> Markup:
    """What looks wrong, the gravest first, and what to try."""
    if not found:
        return tag("p", f"{len(SCAN_CHECKS)} checks, nothing looks wrong.")
    hint = tag("p", BY_HAND) if any("=" in f.advice for f in found) else ""
    return joined(tag("p", f"{len(SCAN_CHECKS)} checks, {len(found)} with something to say:"), listed(found), hint)


def positions(scan: Scan) -> Markup:
    """Where the probe stood, over the light that fell, with footprints; a figure in the page."""
    words = f"Map of the {scan.M} probe positions in order of time over the light that fell, circles hold 90 % of the probe"
    return inlined(positions_picture(scan), words)
