"""The App without a browser: what passes between its panels, and what a second App finds."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances
from leftovers import nothing_left, until
from tiny_scan import tiny_scan

from ptycho_nb.config import InferenceConfig, ModelConfig, RefinementConfig, SimulationConfig, TrainingConfig
from ptycho_nb.errors import InputError
from ptycho_nb.history import State
from ptycho_nb.readers import save_scan
from ptycho_nb.ui import App
from ptycho_nb.ui.app import EMPTY, LARGE, TITLES
from ptycho_nb.ui.drawing import OwnKeys
from ptycho_nb.ui.panels import PatternPanel
from ptycho_nb.ui.panels.later import Later
from ptycho_nb.ui.panels.reconstruct import forecast

SCAN = tiny_scan(N=32)
SHORT = RefinementConfig(epochs=2)
ENDLESS = RefinementConfig(epochs=10_000)


@pytest.fixture(autouse=True)
def nothing_stays(monkeypatch):
    """Every test leaves widgets and threads as they were; what a run takes is not measured beside it."""
    monkeypatch.setattr(forecast, "QUIET", 60.0)
    with nothing_left():
        yield
        App().close()


def open_app(*given, **more) -> App:
    app = App(*given, **more)
    assert app.panels.scan.wait()
    return app


def test_without_a_scan_every_panel_says_where_to_get_one():
    app = App()
    assert EMPTY in app.panels.news.value
    assert app.panels.tab.titles == TITLES
    assert app.scan is None
    assert app.result is None
    assert app.panels.reconstruct.controls.start.disabled


def test_a_panel_that_was_never_looked_at_is_made_when_its_tab_is():
    before = len(_instances)
    app = App()
    assert len(_instances) - before < 600
    tab = app.panels.tab
    for number in (2, 3, 4):
        assert tab.children[number].children == ()
        tab.selected_index = number
        (panel,) = tab.children[number].children
        assert "pnb-panel" in panel._dom_classes


def test_a_panel_that_is_first_asked_for_by_many_threads_is_one():
    made = []
    place = Later(lambda: (time.sleep(0.1), made.append(PatternPanel()), made[-1])[-1])
    threads = [threading.Thread(target=lambda: place.panel) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert place.widget.children == (made[0].widget,)
    place.close()


def test_a_panel_that_is_asked_for_at_a_closed_place_leaves_nothing():
    place = Later(PatternPanel)
    place.close()
    place.panel.show(SCAN)


def test_each_panel_keeps_the_keys_pressed_in_it():
    for panel in App().panels.panels:
        assert sum(isinstance(part, OwnKeys) for part in panel.widget.children) == 1


def test_the_reconstruct_panel_tells_its_scan_in_handy_numbers():
    app = open_app(SCAN.replace(pixel_size=1e-8))
    told = app.panels.reconstruct.controls.scan.value
    assert "42 patterns of 32 × 32 px" in told
    assert "1 probe mode, object pixel 10 nm" in told
    assert "e+0" not in told


def test_a_scan_reaches_the_reconstruct_and_the_pattern_panel():
    app = open_app(SCAN)
    assert app.panels.reconstruct.scan is SCAN
    assert "Next: 2 Reconstruct" in app.panels.news.value
    assert not app.panels.reconstruct.controls.start.disabled


def test_a_simulation_is_the_source_of_the_python_shown():
    config = SimulationConfig.preset("quick", seed=3)
    app = open_app(config)
    assert app.panels.reconstruct.source == config
    assert "simulate_scan(SimulationConfig(" in app.panels.reconstruct.python


def test_a_file_is_loaded_and_named_in_the_python_shown(tmp_path):
    save_scan(tmp_path / "own.npz", SCAN)
    app = open_app(tmp_path / "own.npz")
    assert np.array_equal(app.scan.intensity, SCAN.intensity)
    assert "own.npz" in app.panels.reconstruct.python


def test_a_run_reaches_object_patterns_and_runs():
    app = open_app(SCAN, SHORT)
    app.panels.reconstruct.run()
    assert app.result is not None
    assert app.panels.object.result is app.result
    assert "Run" in app.panels.news.value
    assert app.panels.tab.get_title(4).startswith("5 Runs (")


def test_a_run_that_fails_is_told_and_changes_no_other_panel(monkeypatch):
    app = open_app(SCAN, SHORT)
    monkeypatch.setattr("ptycho_nb.refine", lambda *_, **__: 1 / 0)
    app.panels.reconstruct.run()
    assert "2 Reconstruct" in app.panels.news.value
    assert app.panels.object.result is None


def test_a_second_app_shows_the_same_desk_and_its_last_run():
    first = open_app(SCAN, SHORT)
    first.panels.reconstruct.run()
    second = App()
    assert second.panels is first.panels
    assert second.result is first.result
    assert second._repr_mimebundle_()["image/png"]


def test_the_cell_run_again_keeps_the_result_of_the_same_scan():
    first = open_app(SCAN, SHORT)
    first.panels.reconstruct.run()
    again = open_app(tiny_scan(N=32), SHORT)
    assert again.result is first.result
    assert again.result is not None


@pytest.mark.parametrize("changes", [{"mask": np.eye(32) == 0}, {"pixel_size": 1e-8}, {"truth": None}, {"notes": ("One more.",)}])
def test_a_corrected_scan_is_taken_up_and_told(changes):
    open_app(SCAN)
    corrected = SCAN.replace(**changes)
    app = open_app(corrected)
    assert app.scan is app.panels.reconstruct.scan is corrected
    assert "Scan tiny, changed since it was last taken up: 42 patterns" in app.panels.news.value
    app.panels.scan.controls.orientation.choice.value = 1
    app.panels.scan.controls.orientation.use.click()
    assert app.panels.scan.wait()
    assert "Scan tiny: 42 patterns" in app.panels.news.value


def test_a_file_given_again_stays_however_its_path_is_spelt(tmp_path, monkeypatch):
    save_scan(tmp_path / "own.npz", SCAN)
    monkeypatch.chdir(tmp_path)
    before = open_app("own.npz", SHORT).scan
    App().panels.reconstruct.run()
    for path in (Path("own.npz"), tmp_path / "own.npz", str(tmp_path / "own.npz")):
        app = open_app(path)
        assert app.scan is app.panels.reconstruct.scan is before
        assert app.result is not None


def test_a_file_that_was_written_again_is_read_again_and_told(tmp_path):
    save_scan(tmp_path / "own.npz", SCAN)
    assert open_app(tmp_path / "own.npz").scan.M == 42
    save_scan(tmp_path / "own.npz", tiny_scan(5, 7, N=32))
    app = open_app(tmp_path / "own.npz")
    assert app.scan.M == 35
    assert "changed since it was last taken up: 35 patterns" in app.panels.news.value


def test_a_scan_given_again_keeps_the_orientation_chosen_for_it_and_its_result(tmp_path):
    save_scan(tmp_path / "own.npz", SCAN)
    for given in (SCAN, tmp_path / "own.npz"):
        app = open_app(given, SHORT)
        app.panels.scan.controls.orientation.choice.value = 1
        app.panels.scan.controls.orientation.use.click()
        assert app.panels.scan.wait()
        turned = app.scan
        assert turned.notes[-1].endswith("on request.")
        app.panels.reconstruct.run()
        again = open_app(given, SHORT)
        assert again.scan is again.panels.reconstruct.scan is turned
        assert again.result is app.result is not None


def test_the_result_is_of_the_last_run_that_gave_one_whatever_scan_is_loaded(monkeypatch):
    app = open_app(SCAN, SHORT)
    given = app.panels.reconstruct.run()
    with monkeypatch.context() as patch:
        patch.setattr("ptycho_nb.refine", lambda *_, **__: 1 / 0)
        assert app.panels.reconstruct.run() is None
    assert app.result is given
    open_app(tiny_scan(N=32, seed=1))
    assert app.result is app.panels.object.result is given
    assert app._repr_mimebundle_()["image/png"]


def test_another_scan_is_taken_up():
    open_app(SCAN)
    other = tiny_scan(N=32, seed=1)
    assert open_app(other).panels.reconstruct.scan is other


def test_a_cell_run_again_beside_a_run_changes_nothing_and_says_so():
    app = open_app(SCAN, ENDLESS)
    app.panels.reconstruct.controls.start.click()
    App(tiny_scan(N=32, seed=1), SHORT)
    assert "A run is under way" in app.panels.problem.value
    assert app.panels.reconstruct.scan is SCAN
    assert app.panels.reconstruct.configs["refinement"] == ENDLESS


def test_the_same_cell_run_again_beside_a_run_says_nothing():
    app = open_app(SCAN, ENDLESS)
    app.panels.reconstruct.controls.start.click()
    again = App(tiny_scan(N=32), ENDLESS, method="Iterative")
    assert again.panels.problem.value == ""


def test_the_alert_of_a_refused_cell_goes_with_the_next_cell_and_with_the_run():
    app = open_app(SCAN, ENDLESS)
    app.panels.reconstruct.controls.start.click()
    for after in (App, lambda: app.panels.reconstruct.stop() or app.panels.reconstruct.wait()):
        App(None, SHORT)
        assert "A run is under way" in app.panels.problem.value
        after()
        assert app.panels.problem.value == ""


def test_a_scan_that_comes_during_a_reset_is_taken_up_after_it(monkeypatch):
    app = open_app(SCAN)
    held = threading.Event()
    close = app.panels.runs.close
    monkeypatch.setattr(app.panels.runs, "close", lambda: held.wait(20) and close())
    app.panels.reset.click()
    app.panels.sure.click()
    other = tiny_scan(N=32, seed=1)
    App(other, SHORT)
    held.set()
    assert app.panels._task.wait()
    assert app.scan is other
    assert app.panels.reconstruct.configs["refinement"] == SHORT
    assert app.panels.scan.wait()


def test_a_scan_that_comes_during_a_run_is_taken_up_at_its_end():
    app = open_app(SCAN, ENDLESS)
    app.panels.reconstruct.controls.start.click()
    other = tiny_scan(N=32, seed=1)
    app.panels.scan.open(other)
    assert until(lambda: "taken up when it has ended" in app.panels.news.value)
    assert app.panels.reconstruct.scan is SCAN
    app.panels.reconstruct.stop()
    assert until(lambda: app.panels.reconstruct.scan is other)


def test_a_result_goes_with_the_program_and_the_file_of_its_own_run(tmp_path):
    save_scan(tmp_path / "own.npz", SCAN)
    app = open_app(tmp_path / "own.npz", SHORT)
    ended = []
    app.panels.reconstruct.on_end(ended.append)
    app.panels.reconstruct.run()
    app.panels.reconstruct.controls.forms["refinement"].fields["epochs"].box.value = "none"
    app.panels.scan.open(tiny_scan(N=32, seed=1))
    assert app.panels.scan.wait()
    app.panels._ended(ended[0])
    assert app.panels.object.wait()
    subject = app.panels.object._subject()
    assert subject.inputs == (tmp_path / "own.npz",)
    assert "own.npz" in subject.python
    assert f"epochs={SHORT.epochs}" in subject.python


def test_a_scan_waits_for_a_run_that_begins_as_the_one_before_ends(monkeypatch):
    app = open_app(SCAN, ENDLESS)
    looks = []
    monkeypatch.setattr(app.panels.reconstruct, "wait", lambda _: looks.append(time.sleep(0.01)) is None)
    app.panels.reconstruct.controls.start.click()
    other = tiny_scan(N=32, seed=1)
    app.panels.scan.open(other)
    assert until(lambda: len(looks) > 2)
    assert app.panels.reconstruct.scan is SCAN
    app.panels.reconstruct.stop()
    assert until(lambda: app.panels.reconstruct.scan is other)


def test_settings_and_method_are_set_by_the_cell():
    app = App(None, TrainingConfig(epochs=7), ModelConfig(hidden=12), method="Network")
    assert app.panels.reconstruct.method == "Network"
    assert app.panels.reconstruct.configs["training"].epochs == 7


def test_an_unknown_method_is_refused_with_the_nearest_named():
    with pytest.raises(InputError, match="Iterative"):
        App(method="Iterativ")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((SCAN, "Network"), "'Network' is no config; did you mean method='Network'"),
        ((None, SimulationConfig()), "it goes first, as App"),
        ((SCAN, InferenceConfig(), 7), "int is no setting of a run; allowed: TrainingConfig"),
        ((7,), "shows a Scan, a SimulationConfig or a path"),
    ],
)
def test_what_stands_in_a_wrong_place_is_refused_with_the_way_out(given, words):
    with pytest.raises(InputError, match=words):
        App(*given)


def test_reset_asks_once_and_no_keeps_everything():
    app = open_app(SCAN, SHORT)
    app.panels.reset.click()
    assert app.panels.sure.layout.display is None
    app.panels.keep.click()
    assert app.panels.sure.layout.display == "none"
    assert app.scan is SCAN


def test_reset_brings_back_the_beginning_and_leaves_no_widget_behind():
    app = open_app()
    before = len(_instances)
    app = open_app(SCAN, ENDLESS)
    app.panels.reconstruct.controls.start.click()
    app.panels.reset.click()
    app.panels.sure.click()
    assert until(lambda: EMPTY in app.panels.news.value)
    assert app.scan is None
    assert app.panels.reconstruct.state is State.IDLE
    assert until(lambda: len(_instances) == before)


def test_where_widgets_cannot_be_shown_a_line_says_which_cell_to_run():
    assert App()._repr_mimebundle_()["text/plain"] == "<App: no scan yet>: run this cell to see the panels"


def test_large_type_is_a_switch():
    app = App()
    app.panels.large.value = True
    assert LARGE in app.panels.widget._dom_classes
    app.panels.large.value = False
    assert LARGE not in app.panels.widget._dom_classes


def test_a_closed_app_is_followed_by_a_new_one():
    app = open_app(SCAN)
    app.close()
    assert App().scan is None


def test_what_is_exported_knows_the_file_it_came_from_and_its_program(tmp_path):
    save_scan(tmp_path / "own.npz", SCAN)
    app = open_app(tmp_path / "own.npz", SHORT)
    app.panels.reconstruct.run()
    assert app.panels.object.wait()
    subject = app.panels.object.export._subject()
    assert subject.inputs == (tmp_path / "own.npz",)
    assert "refine(scan" in subject.python
