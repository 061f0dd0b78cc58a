"""The panel: where the probe stands, what becomes of the wave, and what is lost."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from ptycho_nb.config import SimulationConfig
from ptycho_nb.errors import InputError
from ptycho_nb.lessons.design import Forward, forward, forward_picture, guessed, likeness, mixed, photons_of, two_objects
from ptycho_nb.lessons.design.waves import Complex
from ptycho_nb.metrics import probe_diameter, r_factor
from ptycho_nb.quantities import count
from ptycho_nb.simulate import simulate_probe
from ptycho_nb.ui.drawing import Fold, Markup, Pane, bundle_of, close_all, code, joined, pictured, tag
from ptycho_nb.ui.forms import constructor
from ptycho_nb.ui.lessons.forward.controls import Controls
from ptycho_nb.ui.lessons.forward.exchange import exchange_markup
from ptycho_nb.ui.lessons.forward.pictures import object_shots, step_markup, wave_picture
from ptycho_nb.ui.lessons.forward.words import INTRODUCTION, LOST, MIXED, MIXED_BACK, OBJECTS, SWAPPED, A, B
from ptycho_nb.ui.lessons.look import heading
from ptycho_nb.ui.panels.watch import Watch
from ptycho_nb.ui.viewer import Viewer

HEIGHT = 230  # px of an image on the screen
START = SimulationConfig(seed=2)  # photographs: a person and gravel, a cup and a man with a camera
PROGRAM = """from ptycho_nb import SimulationConfig
from ptycho_nb.lessons.design import forward, forward_picture, guessed, likeness,{mixed} two_objects
from ptycho_nb.simulate import simulate_probe

config = {config}
a, b = two_objects(config)
probe, _ = simulate_probe(config)
seen = forward({canvas}, probe[0], {position})
forward_picture(seen)

other = forward({other}, probe[0], {position})
likeness(guessed(seen, {guess!r}, other), seen.exit_wave)
"""
CANVASES = {A: "a", B: "b", MIXED: "mixed(a, b)", MIXED_BACK: "mixed(b, a)"}  # as Python writes them
OTHER = {A: B, B: A, MIXED: MIXED_BACK, MIXED_BACK: MIXED}


class ForwardExplorer:
    """A probe over an object: patch, exit wave and pattern at once, and what a detector cannot tell.

    Parameters
    ----------
    config : SimulationConfig, optional
        Object A is of its kind and seed, B of the next seed; its probe, one mode, is what one begins with.

    Attributes
    ----------
    widget : widgets.VBox
    controls : Controls
    map : Viewer
        The object; a point picked in it moves the probe.
    seen : Forward or None
        What is shown; None where the very first drawing failed.
    """

    def __init__(self, config: SimulationConfig | None = None) -> None:
        config = START if config is None else config
        if not isinstance(config, SimulationConfig):
            raise InputError(f"The explorer takes a SimulationConfig, not a {type(config).__name__}.")
        self._base = config.replace(probe_modes=1)
        self.pair = two_objects(self._base)
        self._probe: tuple[SimulationConfig, Complex] | None = None
        self.seen: Forward | None = None
        self._laid = self._exchanged = ""  # the object in the map, the exchange that is shown
        self.controls = Controls(self._base, self.pair[0].shape, self._edited, self._moved)
        self.problem, self.numbers = Pane(role="alert", kind="problem"), Pane(role="status", kind="numbers")
        self.steps, self.guess, self.exchange, self.code = Pane(kind="steps"), Pane(kind="steps"), Pane(kind="steps"), Pane(kind="code")
        self.map = Viewer(height=HEIGHT, modes=("pan", "point"))
        self.map.mode = "point"
        self.map.on_point(self._pointed)
        self.widget = self._built()
        self._watch = Watch(self._draw, self.problem.put)
        self._watch.begin()

    def _built(self) -> widgets.VBox:
        c = self.controls
        head = heading("Forward model explorer", INTRODUCTION)
        work = widgets.HBox([c.probe, self.map])
        work.add_class("pnb-designer")
        lost = [Pane(tag("h3", "What is lost")), Pane(tag("p", LOST)), c.guess, self.guess]
        swapped = [Pane(tag("h3", "Two objects change phases")), Pane(tag("p", SWAPPED)), c.exchange, self.exchange]
        extras = Fold([self.code], titles=("Show Python",), selected_index=None)
        whole = widgets.VBox([*head, work, self.problem, self.numbers, self.steps, *lost, *swapped, extras])
        whole.add_class("pnb-panel")
        return whole

    @property
    def config(self) -> SimulationConfig:
        """The probe and the objects that are shown."""
        c = self.controls
        return self._base.replace(probe=c.kind.value, probe_diameter=c.diameter.value, defocus=c.defocus.value)

    @property
    def python(self) -> str:
        """The same as a program."""
        c = self.controls
        chosen = {"canvas": CANVASES[c.object.value], "other": CANVASES[OTHER[c.object.value]], "guess": c.guess.value}
        mixing = " mixed," if "mixed" in chosen["canvas"] else ""
        return PROGRAM.format(config=constructor(self.config), position=c.position, mixed=mixing, **chosen)

    def canvas(self, name: str) -> Complex:
        """One of the objects (H, W): "a", "b", "a b" with the amplitude of A and the phase of B, "b a"."""
        parts = dict(zip((A, B), self.pair, strict=True))
        first, *second = name.split()
        return mixed(parts[first], parts[second[0]]) if second else parts[first]

    def wait(self, seconds: float = 60.0) -> bool:
        """Block until all is drawn; whether that came within this time."""
        return self._watch.wait(seconds)

    def close(self) -> None:
        """Leave no widget and no thread behind."""
        self._watch.close()
        close_all(self.widget)

    def _edited(self) -> None:
        self._watch.wake()

    def _moved(self) -> None:
        """The probe was moved by row or column: the picked point is no longer where it stands."""
        self.map.point = ()
        self._edited()

    def _pointed(self, point: tuple[float, ...]) -> None:
        """A place on the object was clicked, or dragged to."""
        if point:
            self.controls.stand(point[0], point[1])
            self._edited()

    def _draw(self) -> None:
        """All that depends on the controls as they are; what they leave alone is not drawn again."""
        c, probe = self.controls, self._lit()
        name = str(c.object.value)
        canvas = self.canvas(name)
        self.seen = seen = forward(canvas, probe, c.position)
        if self._laid != name:
            self._laid = name
            self.map.pixel_size = self._base.pixel_size
            self.map.put(object_shots(canvas, f"object {OBJECTS[name]}"), shape=canvas.shape)
        self.map.marks = self._marks(probe)
        self.problem.put()
        self.numbers.put(tag("p", _words(seen, probe)))
        self.steps.put(step_markup(seen))
        self.guess.put(self._guess_markup(seen, forward(self.canvas(OTHER[name]), probe, c.position)))
        if self._exchanged != c.exchange.value:
            self._exchanged = str(c.exchange.value)
            self.exchange.put(exchange_markup(self.pair, self._exchanged))
        self.code.put(code(self.python))

    def _lit(self) -> Complex:
        """The probe (N, N) of the controls, made once."""
        config = self.config
        if self._probe is None or self._probe[0] != config:
            self._probe = (config, simulate_probe(config)[0][0])
        return self._probe[1]

    def _marks(self, probe: Complex) -> list[dict[str, Any]]:
        """Where the probe stands: its 90 % circle and its window."""
        row, column = self.controls.position
        half = self._base.N / 2
        box = (row - half, column - half, row + half, column + half)
        return [
            {"kind": "circle", "at": (row, column), "radius": probe_diameter(probe) / 2},
            {"kind": "box", "at": box, "dashed": True},
        ]

    def _guess_markup(self, seen: Forward, other: Forward) -> Markup:
        """The wave that a guess of the lost phase gives, beside the true one."""
        choice = str(self.controls.guess.value)
        wave = guessed(seen, choice, other)
        alike = likeness(wave, seen.exit_wave)
        misfit = r_factor(photons_of(wave), seen.photons)
        told = f"Likeness of the two waves {alike:.3f} (1: the same up to a global phase). Misfit of their patterns R {misfit:.6f}."
        waves = (wave_picture(seen.exit_wave, "True exit wave", ""), wave_picture(wave, "With the guessed phase", told))
        return joined(tag("div", *waves, class_="pnb-pictures"), tag("p", told))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """The panel; the steps as a picture where widgets cannot be shown."""
        return bundle_of(self, self.widget, lambda: {} if self.seen is None else pictured(forward_picture(self.seen)))

    def __repr__(self) -> str:
        row, column = self.controls.position
        return f"<ForwardExplorer: object {OBJECTS[self.controls.object.value]}, probe at ({row:.1f}, {column:.1f})>"


def _words(seen: Forward, probe: Complex) -> str:
    """Where the probe stands and how many photons there are."""
    row, column = seen.position
    sent, counted = (float((abs(wave) ** 2).sum()) for wave in (probe, seen.exit_wave))
    return (
        f"Probe at row {row:.1f}, column {column:.1f} px. It carries {count(sent)} photons; {count(counted)} leave the object"
        f" and {count(float(seen.photons.sum()))} arrive: the far field loses none."
    )
