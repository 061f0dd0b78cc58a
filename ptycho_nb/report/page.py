"""One page that holds a run: pictures, numbers, settings and text in a single HTML file without scripts."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ptycho_nb.errors import InputError
from ptycho_nb.exports import suffix
from ptycho_nb.figures import PAGE, Picture, loss_curves, patterns, positions_picture, printed, probe_picture
from ptycho_nb.files import StrPath, write_atomic
from ptycho_nb.history import History
from ptycho_nb.markup import NOTHING, Markup, code, joined, tag
from ptycho_nb.metrics import r_factor
from ptycho_nb.report.methods import references, sentences
from ptycho_nb.report.tables import facts, findings, settings, versions
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.views import View, view

DPI, SHARP = 110, 220  # of the pictures; of the object
JUDGED = 256  # patterns among which the worst is sought
PIXELS = 2**21  # of the patterns predicted at once
ENDINGS = (".html", ".htm")


def write_report(
    path: StrPath,
    result: Reconstruction,
    scan: Scan | None = None,
    shown: View | None = None,
    *,
    python: str = "",
    inputs: Iterable[StrPath] = (),
) -> Path:
    """Everything about a run on one page, in a file that needs no network and no script; its absolute path.

    Parameters
    ----------
    path : path
        .html; one that exists is replaced.
    result : Reconstruction
    scan : Scan, optional
        What it was made from: with it come patterns, positions, photons and misfit.
    shown : View, optional
        How the object is to be drawn; as ``view`` gives it if none.
    python : str
        The program that makes the same run.
    inputs : paths
        Files that the result was made from; they are never overwritten.

    Raises
    ------
    InputError
        The scan is another one, or the file cannot be written.
    """
    suffix(path, ENDINGS)
    page = report(result, scan, shown, python=python).encode()

    def write(stream: BinaryIO) -> None:
        stream.write(page)

    write_atomic(path, write, inputs=inputs)
    return Path(path).absolute()


def report(result: Reconstruction, scan: Scan | None = None, shown: View | None = None, *, python: str = "") -> Markup:
    """The page of ``write_report``."""
    name = f"{result.name}: {result.method}"
    told = sentences(result, scan)
    head = tag("head", tag("meta", charset="utf-8"), tag("meta", name="viewport", content=VIEWPORT), tag("title", name), tag("style", CSS))
    parts = [
        tag("h1", name),
        _section("Object", _object(result, shown)),
        _section("Run", facts(result, scan), _notes(scan)),
        _section("Checks", findings(result, scan)),
        _section("Probe and positions", tag("div", _probe(result), _positions(scan), class_="beside")),
        _section("Loss", _loss(result.history)),
        _section("Patterns", _patterns(result, scan)),
        _section("Methods", tag("p", *(joined(one, " ") for one in told)), tag("ul", *(tag("li", one) for one in references(told)))),
        _section("Settings", settings(result)),
        _section("Python", code(python)) if python else NOTHING,
        _section("Versions", versions()),
    ]
    return joined(Markup("<!doctype html>\n"), tag("html", head, tag("body", tag("main", *parts)), lang="en"))


def _section(title: str, *content: Markup) -> Markup:
    return tag("section", tag("h2", title), *content)


def _figure(make: Callable[[], Picture], words: str, caption: str = "", dpi: float = DPI) -> Markup:
    """A picture with its words; where it cannot be drawn, the reason."""
    try:
        picture = make()
    except InputError as error:
        return tag("p", str(error))
    data = base64.b64encode(picture.png(dpi)).decode()
    drawn = tag("img", src=Markup(f"data:image/png;base64,{data}"), alt=words)
    return tag("figure", drawn, tag("figcaption", caption) if caption else NOTHING)


def _object(result: Reconstruction, shown: View | None) -> Markup:
    try:
        seen = shown or view(result)
    except InputError as error:
        return tag("p", str(error))
    return _figure(lambda: printed(seen, width=PAGE), f"{seen.amplitude_words}. {seen.phase_words}.", seen.caption, SHARP)


def _notes(scan: Scan | None) -> Markup:
    """What the reader read and assumed."""
    if scan is None or not scan.notes:
        return NOTHING
    return joined(tag("h3", "What was read and assumed"), tag("ul", *(tag("li", note) for note in scan.notes)))


def _probe(result: Reconstruction) -> Markup:
    modes = "Probe" if len(result.probe) == 1 else f"The {len(result.probe)} modes of the probe"
    words = f"{modes}: hue is the phase, brightness the amplitude"
    return _figure(lambda: probe_picture(result.probe, result.pixel_size), words, f"{words}.")


def _positions(scan: Scan | None) -> Markup:
    if scan is None:
        return NOTHING
    words = f"{scan.M} positions of the probe over the light that fell on the object"
    return _figure(lambda: positions_picture(scan), words, f"{words}.")


def _loss(history: History | None) -> Markup:
    if history is None or not history["train_loss"]:
        return tag("p", "The result holds no completed epoch.")
    losses = history["train_loss"]
    words = f"Training loss by epoch, from {losses[0]:.4g} to {losses[-1]:.4g} over {len(losses)} epochs"
    return _figure(lambda: loss_curves(history), words)


def _patterns(result: Reconstruction, scan: Scan | None) -> Markup:
    """The pattern explained worst, and a typical one."""
    if scan is None:
        return tag("p", "The report was made without the scan.")
    numbers, misfits = _misfits(result, scan)
    order = np.argsort(misfits)
    typical, worst = order[len(order) // 2], order[-1]
    which = [int(numbers[worst]), int(numbers[typical])]
    words = (
        f"Pattern {which[0]}, the worst of {len(numbers)} looked at (R {misfits[worst]:.3f}), and pattern {which[1]}, a typical one "
        f"(R {misfits[typical]:.3f}): measured, predicted, and what is left in units of the counting noise"
    )
    return _figure(lambda: patterns(scan, result, which), words, f"{words}.")


def _misfits(result: Reconstruction, scan: Scan) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """R of patterns evenly over the scan that have light, a batch at a time."""
    lit = np.flatnonzero(np.einsum("mrc,rc->m", scan.intensity, scan.mask) > 0)
    numbers = lit[np.unique(np.linspace(0, len(lit) - 1, min(len(lit), JUDGED)).astype(int))]
    size = max(1, PIXELS // scan.N**2)
    found = []
    for first in range(0, len(numbers), size):
        some = numbers[first : first + size]
        pairs = zip(result.predicted(some), scan.intensity[some], strict=True)
        found += [r_factor(expected, measured, scan.mask) for expected, measured in pairs]
    return numbers, np.array(found)


VIEWPORT = "width=device-width, initial-scale=1"
CSS = Markup("""
:root { color-scheme: light dark; --ink: #1b1b1b; --faint: #5c5c5c; --paper: #ffffff; --line: #d4d4d4; --mark: #8a3a00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e6e6; --faint: #a8a8a8; --paper: #16181b; --line: #3c4046; --mark: #ffb787; } }
body { margin: 0; color: var(--ink); background: var(--paper); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1rem 1.2rem 3rem; }
h1 { font-size: 1.6rem; overflow-wrap: anywhere; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; }
figure { margin: .5rem 0 1rem; } img { max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
figcaption { color: var(--faint); font-size: .9rem; }
.beside { display: flex; flex-wrap: wrap; gap: 1rem; align-items: start; } .beside figure { flex: 1 1 20rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem; display: block; overflow-x: auto; }
th, td { text-align: left; vertical-align: top; padding: .2rem .9rem .2rem 0; border-bottom: 1px solid var(--line); font-weight: inherit; }
thead th { color: var(--faint); } td { overflow-wrap: anywhere; }
tbody th { min-width: 9rem; } td:last-child { color: var(--mark); }
table:not(:has(thead)) td:last-child { color: inherit; }
code { color: var(--faint); font-size: .88em; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; padding: .7rem; border: 1px solid var(--line); border-radius: 4px; }
@media print { :root { color-scheme: light; --ink: #000; --paper: #fff; --faint: #444; --line: #bbb; --mark: #000; }
  main { max-width: none; padding: 0; } body { font-size: 10.5pt; }
  figure, tr { break-inside: avoid; } h2, h3 { break-after: avoid; } table { display: table; } }
""")
