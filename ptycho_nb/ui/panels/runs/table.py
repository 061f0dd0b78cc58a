"""The runs in a table: what each took and reached, and in which settings they differ."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ptycho_nb.config import Setting
from ptycho_nb.history import State
from ptycho_nb.ui.drawing import Markup, joined, tag
from ptycho_nb.ui.forms import emptiness, written
from ptycho_nb.ui.panels.run import Run

HEAD = ("Run", "Method", "State", "Epochs", "Time", "Loss", "Misfit\N{NO-BREAK SPACE}R", "Settings that differ")
LOSS = "train_loss"
ABOUT = "Runs of this kernel. R compares only runs of one scan with equal freedom; it is no measure of quality."
SECTIONS = {"training": "training", "model": "network", "data": "groups", "inference": "stitching", "refinement": "iterative fit"}
NOTHING_KNOWN = "–"
ENDED = (State.DONE, State.STOPPED, State.DIVERGED, State.FAILED)


def runs_table(runs: Sequence[Run], misfits: Mapping[Run, float]) -> Markup:
    """A row for each run, the newest last.

    Parameters
    ----------
    runs : sequence of Run
    misfits : mapping of Run to float
        R of those that have a result.
    """
    head = tag("tr", *(tag("th", word, scope="col") for word in HEAD))
    differing = differences(runs)
    rows = (_row(run, misfits.get(run), differing[run]) for run in runs)
    table = tag("table", tag("thead", head), tag("tbody", *rows), aria_label="Runs of this kernel")
    return joined(tag("p", ABOUT, class_="pnb-hint"), tag("div", table, class_="pnb-table", tabindex=0))


def _row(run: Run, misfit: float | None, differing: Sequence[str]) -> Markup:
    cells: list[object] = [run.method, _state(run), _epochs(run), _time(run), _loss(run), _number(misfit), _lines(differing)]
    return tag("tr", tag("th", run.number, scope="row"), *(tag("td", cell) for cell in cells))


def _state(run: Run) -> Markup:
    """In words; what went wrong, where something did."""
    why = run.summary if run.state in (State.FAILED, State.DIVERGED) else ""
    return joined(str(run.state), *([": ", why] if why else []))


def _epochs(run: Run) -> str:
    """Of each part of the run."""
    return " + ".join(str(history.epochs) for _, history in run.histories) or NOTHING_KNOWN


def seconds(run: Run) -> float:
    """What the run took, pauses left out; so far where it goes on."""
    if run.result is not None:
        return run.result.seconds
    return sum(history.seconds[-1] if history.seconds else 0.0 for _, history in run.histories)


def _time(run: Run) -> str:
    took = seconds(run)
    if not took:
        return NOTHING_KNOWN
    number, unit = (took, "s") if took < 100 else (took / 60, "min") if took < 6000 else (took / 3600, "h")
    return f"{number:.3g}\N{NO-BREAK SPACE}{unit}"


def _loss(run: Run) -> str:
    """The last of the last part that has one."""
    losses = [list(history.metrics.get(LOSS, [])) for _, history in run.histories]
    return _number(next((values[-1] for values in reversed(losses) if values), None))


def _number(value: float | None) -> str:
    return f"{value:.4g}" if value is not None and math.isfinite(value) else NOTHING_KNOWN


def _lines(texts: Sequence[str]) -> Markup:
    return joined(*(tag("div", text) for text in texts))


def differences(runs: Sequence[Run]) -> dict[Run, list[str]]:
    """What of the settings of each run is not the same in all; of a single run, what is not at its default."""
    if len(runs) == 1:
        names = set(runs[0].changes)
        return {runs[0]: _told(runs[0], names) or ["all at their defaults"]}
    known: dict[str, list[Any]] = {}
    for run in runs:
        for name, value in _values(run).items():
            known.setdefault(name, []).append(value)
    names = {name for name, values in known.items() if any(value != values[0] for value in values)}
    scans = len({id(run.scan) for run in runs}) > 1
    told = {run: [*([f"scan {run.scan.name}, {run.scan.M} patterns"] if scans else []), *_told(run, names)] for run in runs}
    return {run: lines or ["none"] for run, lines in told.items()}


def _values(run: Run) -> dict[str, Any]:
    """Every setting of a run, by section.field."""
    return {f"{section}.{name}": value for section, config in run.configs.items() for name, value in config.model_dump().items()}


def _told(run: Run, names: set[str]) -> list[str]:
    """Some settings of a run in words, a line each."""
    settings = [(section, setting) for section, config in run.configs.items() for setting in config.settings()]
    chosen = [(section, setting) for section, setting in settings if f"{section}.{setting.name}" in names]
    labels = [setting.label for _, setting in settings]
    return [_line(run, section, setting, labels.count(setting.label) > 1) for section, setting in chosen]


def _line(run: Run, section: str, setting: Setting, several: bool) -> str:
    """One setting: label, value, and whether that is the default; the section too where others have the same label."""
    value = run.configs[section].model_dump()[setting.name]
    where = f" ({SECTIONS.get(section, section)})" if several else ""
    default = ", default" if value == setting.default else ""
    if value is None:
        return f"{setting.label}{where}: {emptiness(setting)}{default}"
    return f"{setting.label}{where} {('yes' if value else 'no') if isinstance(value, bool) else written(value)}{default}"
