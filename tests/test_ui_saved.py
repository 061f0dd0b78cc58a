"""What a cell keeps of a panel: a picture in a saved notebook, and a word where the panel was closed."""

from __future__ import annotations

import threading

import pytest
from leftovers import nothing_left, until
from tiny_scan import tiny_scan

from ptycho_nb.config import RefinementConfig, SimulationConfig, TrainingConfig
from ptycho_nb.errors import InputError
from ptycho_nb.figures import Picture
from ptycho_nb.history import State
from ptycho_nb.refinement import refine
from ptycho_nb.ui import Ambiguities, App, Duel, ExperimentDesigner, FailureGallery, ForwardExplorer, LossPlot, Question
from ptycho_nb.ui.drawing import keepsake
from ptycho_nb.ui.forms import Form
from ptycho_nb.ui.lessons.designer import trials
from ptycho_nb.ui.panels import ObjectPanel, PatternPanel, ReconstructPanel, RunsPanel, ScanPanel
from ptycho_nb.ui.panels.export import ExportBar
from ptycho_nb.ui.panels.remains import Remains
from ptycho_nb.ui.panels.run import Run
from ptycho_nb.ui.viewer import Viewer

SCAN = tiny_scan(N=32)
SIMULATED = SimulationConfig(N=32, height=80, width=96, probe_diameter=12, object="lines")
RESULT = refine(SCAN, None, RefinementConfig(epochs=2))
VIEW, PNG = "application/vnd.jupyter.widget-view+json", "image/png"


@pytest.fixture(autouse=True)
def nothing_stays():
    """Every test leaves widgets and threads as they were."""
    with nothing_left():
        yield


@pytest.fixture
def cell(monkeypatch):
    """The outputs of a cell, as they are now."""
    outputs: list[dict] = []

    class Output:
        """A stand-in for what IPython displays."""

        def display(self, bundle, raw):
            self.place = len(outputs)
            outputs.append(bundle)

        def update(self, bundle, raw):
            outputs[self.place] = bundle

    monkeypatch.setattr(keepsake, "DisplayHandle", Output)
    monkeypatch.setattr(keepsake, "get_ipython", lambda: True)
    return outputs


def nothing():
    raise InputError("No object yet.")


MAKERS = {
    "App": App,
    "ScanPanel": ScanPanel,
    "ReconstructPanel": ReconstructPanel,
    "ObjectPanel": ObjectPanel,
    "PatternPanel": PatternPanel,
    "RunsPanel": RunsPanel,
    "ExportBar": lambda: ExportBar(nothing),
    "Form": lambda: Form(TrainingConfig()),
    "LossPlot": LossPlot,
    "Duel": Duel,
    "ExperimentDesigner": lambda: ExperimentDesigner(SIMULATED),
    "ForwardExplorer": lambda: ForwardExplorer(SIMULATED),
    "FailureGallery": FailureGallery,
    "Ambiguities": Ambiguities,
    "Question": lambda: Question("2.1"),
}


@pytest.mark.parametrize("name", MAKERS)
def test_a_closed_panel_shown_again_says_that_it_is_closed(name, cell):
    panel = MAKERS[name]()
    panel.close()
    if name == "LossPlot":
        panel.show()
        bundle = cell[0]
    else:
        bundle = panel._repr_mimebundle_()
    assert bundle == {"text/plain": f"<{name}: closed; make a new {name} to go on>"}


def test_a_closed_viewer_says_that_it_is_closed():
    viewer = Viewer()
    viewer.close()
    assert repr(viewer) == "<Viewer: closed; make a new Viewer to go on>"


@pytest.mark.parametrize(
    ("kind", "given"), [(ObjectPanel, (RESULT, SCAN)), (PatternPanel, (SCAN,)), (PatternPanel, (SCAN, RESULT)), (ScanPanel, (SCAN,))]
)
def test_a_panel_made_of_something_has_its_picture_at_once(kind, given):
    panel = kind(*given)
    assert panel._repr_mimebundle_()[PNG].startswith(b"\x89PNG")
    panel.close()


def test_a_scan_that_is_simulated_meanwhile_leaves_its_picture(cell):
    panel = ScanPanel(SIMULATED)
    panel._ipython_display_()
    assert panel.wait()
    assert VIEW in cell[0]
    assert any(PNG in output for output in cell)
    panel.close()


def test_a_picture_that_the_panel_has_is_not_put_below_it_again(cell):
    panel = PatternPanel(SCAN)
    panel._ipython_display_()
    assert panel.wait(20)
    panel._keepsake.keep(panel._still)
    assert [PNG in output for output in cell] == [True, False]
    panel.show(SCAN, RESULT)
    assert panel.wait(20)
    assert [PNG in output for output in cell] == [True, True]
    panel.close()


def test_a_result_that_is_shown_later_leaves_its_picture(cell):
    panel = ObjectPanel()
    panel._ipython_display_()
    panel.show(RESULT, SCAN)
    assert panel.wait()
    assert [PNG in output for output in cell] == [False, True]
    before = cell[1]
    panel.form.fields["amplitude_low"].value = "0.5"
    assert panel.wait()
    assert cell[1] is before, "a drawing for each move of a hand would hold it up"
    panel.close()


def test_a_run_that_ends_leaves_its_object_below_the_runs(cell):
    panel, run = RunsPanel(), Run(1, "Iterative", SCAN, {"refinement": RefinementConfig()})
    panel._ipython_display_()
    run.state, run.result = State.RUNNING, RESULT
    panel.add(run)
    assert until(lambda: "running" in panel.table.value)
    assert PNG not in cell[1]
    run.state = State.DONE
    panel.refresh()
    assert panel.wait(20)
    assert PNG in cell[1]
    panel.close()


def test_a_try_leaves_its_picture_below_the_designer(cell, monkeypatch):
    monkeypatch.setattr(trials, "truth_comparison", lambda result, scan: Picture(1, 1, name="pair"))
    monkeypatch.setattr(trials, "EPOCHS", 2)
    designer = ExperimentDesigner(SIMULATED)
    designer._ipython_display_()
    designer.trials.run()
    assert [PNG in output for output in cell] == [True, True]
    designer.close()


def test_a_picture_that_comes_while_its_panel_is_shown_is_not_lost(cell):
    kept, arrived = keepsake.Keepsake(), threading.Event()

    def panel():
        other = threading.Thread(target=lambda: (arrived.set(), kept.keep(lambda: {PNG: b"late"})))
        other.start()
        assert arrived.wait(5)
        panel.other = other
        return {"text/plain": "panel"}

    kept.show_below(panel)
    panel.other.join()
    assert cell == [{"text/plain": "panel"}, {PNG: b"late"}]


def test_of_a_run_in_two_parts_the_losses_of_both_stay(cell):
    remains, part = Remains(), RESULT.history
    remains.show()
    remains.keep(RESULT, (("network", part), ("iterative", part)))
    both, repeated = cell[-1][PNG], Remains()
    assert both.startswith(b"\x89PNG")
    remains.keep(RESULT)  # shown again by another cell
    assert cell[-1][PNG] == both
    repeated.show()
    repeated.keep(RESULT)
    assert cell[-1][PNG] != both
