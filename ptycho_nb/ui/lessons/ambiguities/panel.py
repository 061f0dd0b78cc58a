"""The panel: controls that change object and probe, the misfit as a number, scores before and after alignment."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets
import numpy as np

from ptycho_nb.lessons.ambiguities import PATHS, SAME, Experiment, Guess, Moves, amplitudes, experiment, likeness
from ptycho_nb.ui.drawing import Markup, Pane, bundle_of, close_all, pictured, tag
from ptycho_nb.ui.lessons.ambiguities.changes import FREE, RULED_OUT, Change
from ptycho_nb.ui.lessons.ambiguities.pictures import in_words, object_pictures, pattern_picture, row, still, table, wave_pictures
from ptycho_nb.ui.lessons.dial import Dial
from ptycho_nb.ui.lessons.look import heading

TRUTH, CHANGED, ALIGNED, TURNED = "True", "Changed", "Changed, aligned", "Changed, turned back and aligned"
INTRODUCTION = (
    "Object and probe of this simulated scan are known. Predict what each change does to the misfit R, then make it and look: where R "
    "stays, no fit to the patterns can choose between the changed and the true ones."
)
UNMOVED = "Move a slider or tick a box: what it does, and what tells the two apart, is said here."
NOTHING = "Nothing is changed: this is what photon noise leaves of the truth itself."
CANNOT = "The patterns cannot tell the changed ones from the true."
TELL = "The patterns tell: this is no ambiguity of this scan."


class Ambiguities:
    """Seven changes of object and probe that no pattern can tell, and two that the patterns tell.

    Attributes
    ----------
    widget : widgets.VBox
    path : widgets.Dropdown
        Of the scan: "raster" or "jittered".
    dials : dict of str to Dial
        By the field of ``Moves``.
    switches : dict of str to widgets.Checkbox
        By the field of ``Moves``.
    reset : widgets.Button
    news, why, scores : Pane
        What became of the misfit; what each change does; how like the truth the object is, before and after alignment.
    misfit : float
        R of what is shown.
    before, after : lessons.ambiguities.Likeness
        As shown, and aligned.
    """

    _changes = (*FREE, *RULED_OUT)

    def __init__(self) -> None:
        self.path = widgets.Dropdown(
            options=[("raster, steps of 8 px", PATHS[0]), ("jittered, up to 2 px off the raster", PATHS[1])],
            description="Scan path",
            tooltip="How the positions lie",
            layout={"width": "330px"},
            style={"description_width": "initial"},
        )
        self.reset = widgets.Button(description="Back to the truth", tooltip="Undo every change", layout={"width": "auto"})
        changes = self._changes
        self.dials = {c.field: self._dial(c, c.limits) for c in changes if c.limits is not None}
        self.switches = {c.field: self._switch(c) for c in changes if c.limits is None}
        self.news, self.why, self.scores = Pane(role="status", kind="verdict"), Pane(kind="why"), Pane(kind="likeness")
        self._rows = {name: Pane(kind="row") for name in (TRUTH, CHANGED, ALIGNED)}
        self._quiet = False
        self._drawn: Experiment | None = None  # whose truth is on the screen
        self.widget = self._built()
        for control in (self.path, *self.switches.values()):
            control.observe(lambda _: self._draw(), "value")
        self.reset.on_click(lambda _: self.show(Moves()))
        self._draw()

    def _dial(self, change: Change, limits: tuple[float, float, float]) -> Dial:
        return Dial(change.name, limits, vars(Moves())[change.field], change.sentence, self._draw)

    def _switch(self, change: Change) -> widgets.Checkbox:
        return widgets.Checkbox(False, description=change.name, tooltip=change.sentence, indent=False, layout={"width": "auto"})

    def _built(self) -> widgets.VBox:
        bar = widgets.HBox([self.path, self.reset])
        bar.add_class("pnb-bar")
        seen = widgets.HBox([self._rows[TRUTH], self._rows[CHANGED], widgets.VBox([self._rows[ALIGNED], self.scores])])
        seen.add_class("pnb-ambiguous")
        named = [self.dials[c.field].widget if c.limits else self.switches[c.field] for c in self._changes]
        controls = widgets.VBox([*named, self.why])
        controls.add_class("pnb-changes")
        work = widgets.HBox([controls, seen])
        work.add_class("pnb-work")
        head = heading("Ambiguities", INTRODUCTION)
        whole = widgets.VBox([*head, bar, self.news, work])
        whole.add_class("pnb-panel")
        return whole

    @property
    def experiment(self) -> Experiment:
        """The scan on the chosen path."""
        return experiment(str(self.path.value))

    @property
    def moves(self) -> Moves:
        """What the controls say."""
        return Moves(**{n: d.value for n, d in self.dials.items()}, **{n: bool(s.value) for n, s in self.switches.items()})

    @property
    def verdict(self) -> str:
        """What became of the misfit, in a sentence or two."""
        noise = self.experiment.noise
        if self.moves == Moves():
            return f"Misfit R {noise:.6f}. {NOTHING}"
        same = abs(self.misfit - noise) < SAME * noise
        return f"Misfit R {self.misfit:.6f}; of the truth {noise:.6f}. {CANNOT if same else TELL}"

    def _told(self) -> list[Markup]:
        """What each change that is made does, a paragraph each: it is predicted before it is told."""
        at_first, now = vars(Moves()), vars(self.moves)
        made = [c for c in self._changes if now[c.field] != at_first[c.field]]
        return [tag("p", tag("b", f"{c.name}. "), c.sentence) for c in made] or [tag("p", UNMOVED)]

    def show(self, moves: Moves) -> None:
        """Set every control and draw once."""
        self._quiet = True
        try:
            for name, dial in self.dials.items():
                dial.value = vars(moves)[name]
            for name, switch in self.switches.items():
                switch.value = vars(moves)[name]
        finally:
            self._quiet = False
        self._draw()

    def close(self) -> None:
        """Leave no widget behind."""
        close_all(self.widget)

    def _draw(self) -> None:
        """Everything anew, for the controls as they are."""
        if self._quiet:
            return
        scan, moves = self.experiment, self.moves
        guess = moves.on(scan.truth)
        self.misfit = scan.misfit(guess)
        self.news.put(tag("p", self.verdict))
        self.why.put(*self._told())
        pair = scan.aligned(moves.turned(guess))
        self.before, self.after = scan.as_it_is(guess), likeness(pair)
        if self._drawn is not scan:
            self._row(TRUTH, scan, scan.truth, "the true one")
        self._drawn = scan
        self._row(CHANGED, scan, guess, in_words(self.before))
        aligned = TURNED if moves.twin or moves.mirror else ALIGNED
        self._rows[ALIGNED].put(row(aligned, *object_pictures(pair.object, aligned, in_words(self.after))))
        self.scores.put(table({CHANGED: self.before, aligned: self.after}))
        self._shown = {TRUTH: scan.truth.object[scan.region], CHANGED: guess.object[scan.region], aligned: pair.object}

    def _row(self, name: str, scan: Experiment, guess: Guess, words: str) -> None:
        """Object, probe and middle pattern."""
        middle = len(scan.photons) // 2
        measured = scan.measured[middle]
        pattern = measured if guess is scan.truth else amplitudes(guess._replace(positions=guess.positions[[middle]]))[0]
        brightest = float(np.abs(scan.truth.probe).max())
        kind = "pattern, measured" if guess is scan.truth else "pattern, expected"
        shown = (
            *object_pictures(guess.object[scan.region], name, words),
            wave_pictures(guess, brightest, name),
            pattern_picture(pattern, measured, kind),
        )
        self._rows[name].put(row(name, *shown))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """The panel; a picture of its state where widgets cannot be shown."""
        return bundle_of(self, self.widget, lambda: pictured(still(self._shown, self.verdict.replace(". ", ".\n", 1))))

    def __repr__(self) -> str:
        return f"<Ambiguities: {self.path.value} path, R {self.misfit:.4f}>"
