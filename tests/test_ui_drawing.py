"""Drawing beside a run: cheap, throttled, harmless when it fails, and safe from foreign text."""

from __future__ import annotations

import logging
import re
import threading
import time
from html.parser import HTMLParser
from pathlib import Path

import lightning as L
import numpy as np
import pytest
import torch
from ipywidgets.widgets.widget import _instances
from leftovers import until
from tiny_scan import tiny_scan

import ptycho_nb.ui
from ptycho_nb import History, State
from ptycho_nb.config import ModelConfig, RefinementConfig, TrainingConfig
from ptycho_nb.refinement import refine
from ptycho_nb.training import train
from ptycho_nb.ui import LossPlot
from ptycho_nb.ui.drawing import (
    NOTHING,
    Cost,
    Drawer,
    Frame,
    Line,
    LossFrame,
    Pane,
    PreviewFrame,
    close_all,
    loss_svg,
    object_images,
    plot,
    probe_image,
    shrunk,
    tag,
)
from ptycho_nb.ui.drawing.curve import Curve

NASTY = "<img src=x onerror=alert(1)>\x00\n" + '"' + "x" * 900
SCAN = tiny_scan()
SHORT = TrainingConfig(epochs=3, batch_size=8), ModelConfig(hidden=12)


class Elements(HTMLParser):
    """The elements of a page, with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((name, dict(attributes)))


class Count(Frame):
    """Counts its calls."""

    period, share = 0.05, 1.0

    def __init__(self) -> None:
        self.drawn = self.last = 0

    def draw(self, history: History) -> Cost:
        self.drawn += 1
        return Cost()

    def draw_last(self, history: History) -> None:
        self.last += 1


class Broken(Count):
    """Fails at once."""

    off = False

    def draw(self, history: History) -> Cost:
        raise RuntimeError("no ink")

    def switch_off(self) -> None:
        self.off = True


def running(**metrics: list[float]) -> History:
    history = History()
    history.begin()
    for value in metrics.get("train_loss", [1.0, 0.5]):
        history.record_step("train_loss", value)
    return history


# Foreign text.


def test_foreign_text_stays_text_in_content_and_in_attributes():
    page = tag("p", NASTY, tag("b", "kept"), title=NASTY)
    assert [name for name, _ in Elements(page).found] == ["p", "b"]
    assert "\x00" not in page
    assert len(page) < 6000


def test_the_arrows_of_dropdowns_are_light_in_the_dark_in_every_panel_by_one_rule():
    rule = '[data-jp-theme-light="false"] .pnb-panel .widget-dropdown > select'
    assert rule in ptycho_nb.ui.drawing.STYLE
    sources = Path(ptycho_nb.ui.__file__).parent.rglob("*.py")
    assert sum(path.read_text().count(rule) for path in sources) == 1


def test_one_module_alone_writes_html():
    folder = Path(ptycho_nb.ui.__file__).parent
    writers = {p.name for p in folder.rglob("*.py") if re.search(r"\bwidgets\.HTML|\bHTML(Math)?\(|import .*\bHTML\b", p.read_text())}
    assert writers == {"markup.py"}


def test_a_pane_sends_nothing_when_nothing_changed():
    pane = Pane("a < b", role="status")
    assert pane.value == "a &lt; b", "its place on the page has the role, and stands while the text changes"
    assert "pnb-status" in pane._dom_classes
    assert pane.put("a < b") == 0
    assert pane.put("another") > 0
    pane.put()
    assert pane.value == NOTHING
    close_all(pane)


# The curve and its drawing.


@pytest.mark.parametrize("count", [1, 399, 400, 401, 100_003])
def test_a_curve_of_any_length_has_at_most_400_points_and_keeps_its_mean(count, rng):
    values = rng.normal(5, 1, count)
    curve = Curve()
    for value in values:
        curve.add(value)
    places, drawn = curve.drawn()
    assert len(drawn) <= 400
    assert len(drawn) >= min(count, 200)
    assert 1 <= places[0] < places[-1] <= count or count == 1
    whole = count if count <= 400 else None
    assert drawn.mean() == pytest.approx(values.mean(), abs=1e-9 if whole else 0.05)


def test_smoothing_begins_unbiased_and_ends_near_the_level():
    curve = Curve()
    for value in [3.0] * 50:
        curve.add(value)
    np.testing.assert_allclose(curve.drawn(0.9)[1], 3.0)


def test_values_that_are_not_finite_leave_a_gap():
    curve = Curve()
    for value in (1.0, float("nan"), float("inf"), 2.0):
        curve.add(value)
    np.testing.assert_array_equal(curve.drawn()[0], [1, 4])


@pytest.mark.parametrize("values", [[1.0], [1.0, 1.0], [1e-9, 1e9], [-1.0, 2.0], [0.0, 0.0], [0.2, 0.21], [5e-324, 1e300]])
@pytest.mark.parametrize("log", [True, False])
def test_any_loss_is_drawn_inside_the_frame(values, log):
    page = loss_svg([Line("training", np.arange(1.0, len(values) + 1), np.array(values))], log=log)
    numbers = [float(n) for pair in re.findall(r'points="([^"]*)"', page) for n in re.split("[ ,]", pair)]
    assert all(0 <= n <= 480 for n in numbers)
    assert page.count("<text") >= 3
    assert "nan" not in page


def test_the_loss_says_in_words_what_it_shows_and_takes_its_colours_from_the_theme():
    falling = Line("training", np.arange(1.0, 101), np.linspace(2, 1, 100))
    page = loss_svg([falling, Line("validation", np.array([50.0, 100.0]), np.array([1.5, 1.5]))])
    name, attributes = Elements(page).found[0]
    assert (name, attributes["role"]) == ("svg", "img")
    assert attributes["aria-label"] == "Loss up to step 100: training 1, falling; validation 1.5, level."
    assert "currentColor" in page
    drawn = [attributes["points"].split() for name, attributes in Elements(page).found if name == "polyline"]
    assert [len(points) for points in drawn] == [100, 2]
    assert Elements(loss_svg([])).found[0][1]["aria-label"] == "No loss yet."


def test_the_longest_loss_is_a_small_drawing(rng):
    curve = Curve()
    for value in rng.uniform(1, 2, 50_000):
        curve.add(value)
    page = loss_svg([Line("training", *curve.drawn())])
    (points,) = (attributes["points"].split() for name, attributes in Elements(page).found if name == "polyline")
    assert 200 <= len(points) <= 400
    assert all(re.fullmatch(r"[\d.]+,[\d.]+", point) for point in points)
    assert len(page) < 12_000


# Pictures.


def test_pictures_are_small_and_say_what_they_show(rng):
    found = np.exp(1j * rng.normal(0, 0.3, (700, 500))) * rng.uniform(0.5, 1, (700, 500))
    page = object_images(found, inside=(slice(10, 650), slice(20, 470)))
    images = [a for name, a in Elements(page).found if name == "img"]
    assert [a["alt"].split(",")[0] for a in images] == ["Object amplitude", "Object phase"]
    assert all(int(a["width"]) <= 256 and int(a["height"]) <= 256 for a in images)
    assert all(a["src"].startswith("data:image/png;base64,") for a in images)
    assert len(page) < 150_000
    (probe,) = (attributes for name, attributes in Elements(probe_image(found[None, :64, :64])).found if name == "img")
    assert "Probe" in probe["alt"]


@pytest.mark.parametrize("shape", [(3, 900), (900, 3), (256, 256), (257, 100), (1, 1)])
def test_shrinking_keeps_the_mean_and_fits(shape):
    small = shrunk(np.full(shape, 2 + 1j), 256)
    assert max(small.shape) <= 256
    np.testing.assert_allclose(small, 2 + 1j)


# The drawer.


def test_a_drawer_draws_by_time_and_a_last_time():
    frame, history = Count(), running()
    drawer = Drawer([frame])
    with drawer.following():
        began = time.monotonic()
        drawer(history)
        time.sleep(0.4)
    assert 2 <= frame.drawn <= 2 + (time.monotonic() - began) / frame.period
    assert frame.last == 1
    assert until(lambda: "ptycho_nb drawing" not in {t.name for t in threading.enumerate()})


def test_costly_drawing_is_done_rarely():
    class Costly(Count):
        share = 0.03

        def draw(self, history: History) -> Cost:
            super().draw(history)
            return Cost(seconds=0.03)

    frame, history = Costly(), running()
    drawer = Drawer([frame])
    with drawer.following():
        drawer(history)
        time.sleep(0.5)
    assert frame.drawn == 1  # 0.03 s are 3 % of a second


def test_large_frames_are_sent_rarely():
    class Large(Count):
        def draw(self, history: History) -> Cost:
            super().draw(history)
            return Cost(bytes=150_000)

    frame = Large()
    drawer = Drawer([frame])
    with drawer.following():
        drawer(running())
        time.sleep(0.4)
    assert frame.drawn == 1


def test_a_drawing_that_fails_is_off_and_the_others_go_on(caplog):
    broken, other = Broken(), Count()
    drawer = Drawer([broken, other])
    with drawer.following(), caplog.at_level(logging.CRITICAL):
        drawer(running())
        assert until(lambda: broken.off and other.drawn >= 2)
    assert drawer.frames == [other]


def test_a_note_that_fails_does_not_reach_the_run(caplog):
    class Deaf(Count):
        def note(self, history: History) -> None:
            raise RuntimeError("deaf")

    frame, other = Deaf(), Count()
    drawer = Drawer([frame, other])
    with caplog.at_level(logging.CRITICAL):
        history = train(SCAN, *SHORT, listener=drawer).history
    assert history.state is State.DONE
    assert history.listener is drawer
    assert drawer.frames == [other]


def test_a_drawing_that_failed_is_tried_again_with_the_next_run(caplog):
    broken, other = Broken(), Count()
    drawer = Drawer([broken, other])
    with caplog.at_level(logging.CRITICAL):
        for _ in range(2):
            broken.off = False
            with drawer.following():
                drawer(running())
                assert until(lambda: broken.off)
            assert drawer.frames == [other]


# What is drawn of a run.


def test_the_loss_frame_follows_one_run_after_another():
    frame = LossFrame()
    first = train(SCAN, *SHORT, listener=lambda h: (frame.note(h), frame.draw(h))[0]).history
    assert f"training loss {first.steps[-1][1]:.4g}" in frame.pane.value
    assert f"validation loss {first['val_loss'][-1]:.4g}" in frame.pane.value
    frame.draw(running(train_loss=[7.0, 6.0]))
    assert "Loss up to step 2: loss 6, falling." in frame.pane.value
    frame.log.value = False
    frame.smoothing.value = 0.8
    assert "loss 6.444" in frame.pane.value
    close_all(frame.widget)


def test_the_validation_is_drawn_at_the_steps_at_which_it_was_measured():
    history, frame = running(train_loss=[2.0] * 12), LossFrame()
    history.record_epoch(train_loss=2.0)
    history.record_epoch(train_loss=2.0, val_loss=2.0)
    for value in [2.0] * 12:
        history.record_step("train_loss", value)
    history.record_epoch(train_loss=2.0, val_loss=2.0)
    frame.draw(history)
    training, validation = (attributes["points"].split() for name, attributes in Elements(frame.pane.value).found if name == "polyline")
    assert [point.split(",")[0] for point in validation] == [training[11].split(",")[0], training[23].split(",")[0]]
    close_all(frame.widget)


def test_a_preview_begins_with_nothing_and_can_be_cleared():
    frame = PreviewFrame()
    frame.of(SCAN)
    frame.keep(refine(SCAN, config=RefinementConfig(epochs=1)))
    frame.of(SCAN)
    assert frame.pane.value == NOTHING
    frame.keep(refine(SCAN, config=RefinementConfig(epochs=1)))
    frame.clear()
    assert frame.pane.value == NOTHING
    close_all(frame.pane)


def test_a_preview_is_computed_when_asked_for_and_drawn_with_its_misfit():
    frame = PreviewFrame()
    frame.of(SCAN)
    calls = []

    def listener(history: History) -> None:
        if len(history.steps) in (1, 5):
            assert frame.draw(history) is None  # asks
        frame.note(history)
        calls.append(frame._fresh)
        if frame._fresh is not None:
            assert frame.draw(history).bytes > 500

    result = refine(SCAN, config=RefinementConfig(epochs=4), listener=listener)
    assert sum(c is not None for c in calls) == 2
    assert "Misfit R" in frame.pane.value
    frame.keep(result)
    assert f"Misfit R {result.r_factor(SCAN):.3f}" in frame.pane.value
    close_all(frame.pane)


# The plot by itself.


@pytest.fixture
def cell(monkeypatch):
    """What a cell was shown, in order."""
    shown: list[dict] = []
    monkeypatch.setattr(plot.Keepsake, "show", lambda self, bundle=None: (shown.append(bundle), setattr(self, "_handle", self))[0])
    monkeypatch.setattr(plot.Keepsake, "put", lambda self, bundle: shown.append(bundle))
    return shown


def drew_to_the_end(live: LossPlot) -> bool:
    return live._drawer.wait(10) and until(lambda: "ptycho_nb drawing" not in {t.name for t in threading.enumerate()})


def test_a_loss_plot_follows_a_training_and_leaves_a_picture(cell):
    live = LossPlot().show()
    history = train(SCAN, *SHORT, listener=live).history
    assert drew_to_the_end(live)
    assert "application/vnd.jupyter.widget-view+json" in cell[0]
    assert cell[-1]["image/png"].startswith(b"\x89PNG")
    assert len(cell) == 2
    assert f"{history.steps[-1][1]:.4g}" in live.frame.pane.value
    assert repr(live) == "<LossPlot: done>"
    live.close()


def test_a_loss_plot_follows_a_fit_then_another(cell):
    live = LossPlot()
    for _ in range(2):
        refine(SCAN, config=RefinementConfig(epochs=2), listener=live)
        assert drew_to_the_end(live)
    assert [("image/png" in bundle) for bundle in cell][-1]
    live.close()


def test_a_loss_plot_whose_cell_runs_again_is_shown_again(cell, monkeypatch):
    outputs, show = [], plot.Keepsake.show
    monkeypatch.setattr(plot.Keepsake, "show", lambda self, bundle=None: outputs.append(bundle) or show(self, bundle))
    live = LossPlot()
    for count in (1, 2):
        refine(SCAN, config=RefinementConfig(epochs=1), listener=live.show())
        assert drew_to_the_end(live)
        assert len(outputs) == count
    live.close()


def test_a_loss_plot_follows_ones_own_trainer(cell):
    class Own(L.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(3, 1)

        def training_step(self, batch, _):
            return self.layer(batch[0]).square().mean()

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.1)

    live = LossPlot()
    history = History(listener=live)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(8, 3)), batch_size=2)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    L.Trainer(max_epochs=2, accelerator="cpu", callbacks=[history], **quiet).fit(Own(), loader)
    assert len(history.steps) == 8
    assert drew_to_the_end(live)
    assert "Loss up to step 8" in live.frame.pane.value
    live.close()


def test_a_loss_plot_that_cannot_draw_leaves_the_training_running(cell, monkeypatch, caplog):
    live = LossPlot()
    monkeypatch.setattr(live.frame, "_show", lambda: 1 / 0)
    with caplog.at_level(logging.CRITICAL):
        assert train(SCAN, *SHORT, listener=live).state is State.DONE
        assert drew_to_the_end(live)
    assert "is off" in live.frame.pane.value
    live.close()


def test_a_closed_loss_plot_leaves_no_widget(cell):
    before = len(_instances)
    live = LossPlot()
    train(SCAN, *SHORT, listener=live)
    live.close()
    assert len(_instances) == before
