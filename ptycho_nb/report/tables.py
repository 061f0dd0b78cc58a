"""The tables of a report: facts, checks, settings, versions."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ptycho_nb import __version__
from ptycho_nb.checks import Finding, checks
from ptycho_nb.config import CONFIGS, NO_UNIT, Setting
from ptycho_nb.markup import NOTHING, Markup, joined, tag
from ptycho_nb.metrics import overlap, probe_diameter, step
from ptycho_nb.quantities import length, number
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan

LIBRARIES = ("torch", "lightning", "numpy", "scipy", "scikit-image", "matplotlib", "h5py", "tifffile")
HIDDEN = ("facts",)  # sections of the settings that no person sets
CHANGED = "● changed"
Rows = Iterable[tuple[object, ...]]


def table(rows: Rows, heads: tuple[str, ...] = ()) -> Markup:
    """A table whose first column names each row."""
    top = tag("thead", tag("tr", *(tag("th", head, scope="col") for head in heads))) if heads else NOTHING
    body = [tag("tr", tag("th", row[0], scope="row"), *(tag("td", cell) for cell in row[1:])) for row in rows]
    return tag("table", top, tag("tbody", *body))


def facts(result: Reconstruction, scan: Scan | None) -> Markup:
    """The scan and the run in numbers."""
    M, N = len(result.positions), result.probe.shape[-1]
    rows: list[tuple[object, ...]] = [
        ("Scan", result.name),
        ("Patterns", f"{number(M)} of {N} × {N} px"),
        ("Photons a pattern", "not known without the scan" if scan is None else number(float(f"{scan.photons:.3g}"))),
        ("Object pixel", "not known" if result.pixel_size is None else length(result.pixel_size)),
        ("Object", f"{result.object.shape[0]} × {result.object.shape[1]} px{_metric(result)}"),
        (
            "Probe",
            f"{len(result.probe)} mode{'s' * (len(result.probe) > 1)}, 90 % of the energy within {probe_diameter(result.probe):.3g} px",
        ),
    ]
    if M > 1:
        rows.append(("Step", f"{step(result.positions):.3g} px, linear overlap {overlap(result.probe, result.positions):.2f}"))
    rows += [("Method", result.method), ("Ended", str(result.state)), ("Time", f"{result.seconds:.3g} s")]
    return table([*rows, *_history(result)])


def _metric(result: Reconstruction) -> str:
    if result.pixel_size is None:
        return ""
    rows, columns = (length(side * result.pixel_size) for side in result.object.shape)
    return f", {rows} × {columns}"


def _history(result: Reconstruction) -> Rows:
    """What the course of the run says of itself."""
    history = result.history
    if history is None:
        return []
    rows: list[tuple[object, ...]] = [("Epochs", f"{number(history.epochs)}, {number(len(history.steps))} steps")]
    if history.started is not None:
        rows.append(("Begun", f"{datetime.fromtimestamp(history.started, UTC):%Y-%m-%d %H:%M} UTC"))
    rows += [("Device", history.device)] * bool(history.device)
    return [*rows, *[("Message", history.message)] * bool(history.message)]


def findings(result: Reconstruction, scan: Scan | None) -> Markup:
    """What looks wrong, and what to try."""
    found: list[tuple[str, Finding]] = [("result", f) for f in checks(result, scan)]
    if scan is not None:
        found = [("scan", f) for f in checks(scan)] + found
    if not found:
        return tag("p", "Every check is silent: nothing looks wrong." if scan is not None else "The checks of the result are silent.")
    rows = [(f"{f.word} ({of})", str(f.severity), f.cause, f.advice) for of, f in found]
    return table(rows, ("Check", "Weight", "What was found", "What to try"))


def settings(result: Reconstruction) -> Markup:
    """Every setting behind the result; those away from their defaults are marked."""
    parts = [_section(name, values) for name, values in result.settings.items() if name not in HIDDEN]
    return joined(*parts) if parts else tag("p", "The result states no settings.")


def _section(name: str, values: Any) -> Markup:
    kind = CONFIGS.get(name)
    if kind is None or not isinstance(values, dict):
        return tag("details", tag("summary", name), tag("p", json.dumps(values, default=str)), open="open")
    rows = [_setting(setting, values) for setting in kind.settings()]
    heads = ("Setting", "Value", "Default", "")
    title = (kind.__doc__ or name).partition("\n")[0].removesuffix(".")
    return joined(tag("h3", title), table(rows, heads))


def _setting(setting: Setting, values: dict[str, Any]) -> tuple[object, ...]:
    unit = "" if setting.unit == NO_UNIT else f" {setting.unit}"
    if setting.name not in values:
        return _label(setting), "not stated", _shown(setting.default, unit), ""
    value = values[setting.name]
    changed = value != setting.default
    shown = _shown(value, unit)
    return _label(setting), tag("strong", shown) if changed else shown, _shown(setting.default, unit), CHANGED if changed else ""


def _label(setting: Setting) -> Markup:
    return joined(setting.label, " ", tag("code", setting.name))


def _shown(value: Any, unit: str) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}{unit}" if isinstance(value, float) else f"{value}{unit}"


def versions() -> Markup:
    """Of the software that wrote the report."""
    return table([("ptycho_nb", __version__), ("Python", platform.python_version()), *((name, _version(name)) for name in LIBRARIES)])


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not known"
