"""The Object panel, driven by its controls without a browser."""

from __future__ import annotations

import gc
import html
import re
import threading
import weakref
from dataclasses import replace

import numpy as np
import pytest
from ipywidgets import Widget
from leftovers import nothing_left, until
from tiny_scan import tiny_scan

import ptycho_nb
from ptycho_nb.checks import RECONSTRUCTION_CHECKS
from ptycho_nb.config import RefinementConfig, ViewConfig
from ptycho_nb.errors import ConfigError
from ptycho_nb.history import History, State
from ptycho_nb.result import Reconstruction
from ptycho_nb.ui.panels import ObjectPanel
from ptycho_nb.ui.panels.object.methods import ELSEWHERE, ONE
from ptycho_nb.ui.panels.object.panel import KEPT
from ptycho_nb.ui.panels.object.quality import LOOKED_FOR, NO_SCAN, NO_TRUTH, WELL, settings
from ptycho_nb.views import profile, view

SCAN = tiny_scan(rows=8, columns=10, N=32)
TITLES = ("Line profile", "Histogram", "Against the truth", "Resolution", "Methods side by side", "Checks")


@pytest.fixture(autouse=True)
def nothing_stays():
    """Every test leaves widgets and threads as they were."""
    with nothing_left():
        yield


def made(scan=SCAN, method="Iterative", ramp=0.0, **more) -> Reconstruction:
    """A result that is the truth of the scan, a phase ramp along its columns, a little noise."""
    noise = np.random.default_rng(3).normal(0, 0.01, (2, *scan.truth.shape))
    object = scan.truth * np.exp(1j * ramp * np.arange(scan.truth.shape[1])) + noise[0] + 1j * noise[1]
    coverage = np.zeros(scan.truth.shape, np.float32)
    coverage[3:-3, 3:-4] = 1
    given = {"seconds": 1.25, "name": scan.name, "pixel_size": scan.pixel_size} | more
    return Reconstruction(
        object.astype(np.complex64), coverage, scan.probe, scan.positions, (0, 0), method=method, state=State.DONE, **given
    )


@pytest.fixture
def make():
    """Panels that are closed at the end."""
    panels: list[ObjectPanel] = []

    def panel(*given) -> ObjectPanel:
        panels.append(ObjectPanel(*given))
        assert panels[-1].wait()
        return panels[-1]

    yield panel
    for one in panels:
        one.close()


def section(panel: ObjectPanel, title: str):
    """Open a folded part and let it be drawn."""
    panel.fold.selected_index = TITLES.index(title)
    assert panel.wait()
    return panel.sections[panel.fold.selected_index]


def edit(panel: ObjectPanel, **values) -> None:
    for name, value in values.items():
        panel.form.fields[name].value = value
    assert panel.wait()


def test_without_a_result_the_panel_says_what_to_do(make):
    panel = make()
    assert "No object yet: press Start" in panel.news.value
    assert panel._parts.layout.display == "none"
    assert (panel.result, panel.scan, panel.view) == (None, None, None)
    assert repr(panel) == "<ObjectPanel: no object>"
    assert "image/png" not in panel._repr_mimebundle_()


def test_a_result_is_shown_as_amplitude_and_phase_on_one_field(make):
    result = made()
    panel = make(result, SCAN)
    expected = view(result, ViewConfig())
    amplitude, phase = panel.viewer._given
    np.testing.assert_array_equal(amplitude.values, expected.amplitude)
    np.testing.assert_array_equal(phase.values, expected.phase)
    assert (amplitude.words, phase.words) == (expected.amplitude_words, expected.phase_words)
    assert (amplitude.unit, phase.unit) == ("", "rad")
    assert panel.viewer.shape == expected.shape
    assert panel._parts.layout.display is None
    assert "Iterative on tiny: done, 1.25 s" in panel.news.value
    assert "pnb-status" in panel.news._dom_classes
    assert panel._repr_mimebundle_()["image/png"].startswith(b"\x89PNG")
    assert repr(panel) == "<ObjectPanel: 1: Iterative, tiny>"


def test_show_may_be_called_from_any_thread(make):
    panel, result = make(), made()
    thread = threading.Thread(target=panel.show, args=(result, SCAN))
    thread.start()
    thread.join()
    assert panel.wait()
    assert panel.result is result
    assert panel.view is not None


def test_the_view_follows_the_form_at_once(make):
    panel = make(made(ramp=0.2), SCAN)
    edit(panel, remove_ramp=True, unwrap=True, twin=True, crop="scanned", amplitude_map="viridis")
    config = ViewConfig(remove_ramp=True, unwrap=True, twin=True, crop="scanned", amplitude_map="viridis")
    assert panel.config == panel.view.config == config
    np.testing.assert_array_equal(panel.viewer._given[1].values, view(panel.result, config).phase)
    assert "ramp" in panel.caption.value
    assert "twin" in panel.caption.value
    panel.config = ViewConfig()
    assert panel.wait()
    assert panel.view.config == ViewConfig()


def test_a_wrong_limit_is_said_under_its_field_and_the_last_view_stays(make):
    panel = make(made(), SCAN)
    before = panel.view
    edit(panel, amplitude_high="0.2", amplitude_low="0.5")
    assert "above Amplitude from" in panel.form.problems["amplitude_high"]
    assert panel.view is before
    with pytest.raises(ConfigError):
        _ = panel.config
    edit(panel, amplitude_high="0.9")
    assert panel.view.amplitude_limits == (0.5, 0.9)


def test_a_limit_beyond_the_image_is_said_and_goes_with_its_cause(make):
    panel = make(made(), SCAN)
    before = panel.view
    edit(panel, amplitude_low="7")
    assert "pnb-alert" in panel.problem._dom_classes
    assert "no range" in panel.problem.value
    assert panel.view is before
    edit(panel, amplitude_low="")
    assert panel.problem.value == ""


def test_results_are_chosen_the_newest_first(make):
    first, second = made(), made(method="Network")
    panel = make(first, SCAN)
    panel.show(second, SCAN)
    assert panel.wait()
    assert [name for name, _ in panel.choice.options] == ["2: Network, tiny", "1: Iterative, tiny"]
    assert panel.result is second
    panel.choice.value = panel.choice.options[1][1]
    assert panel.wait()
    assert panel.view.method == "Iterative"
    panel.show(second)  # it is there already
    assert panel.wait()
    assert len(panel.choice.options) == 2
    assert panel.view.method == "Network"
    assert panel.scan is SCAN


def test_the_oldest_results_go(make):
    panel = make()
    results = [made() for _ in range(KEPT + 2)]
    for result in results:
        panel.show(result, SCAN)
    assert len(panel.choice.options) == KEPT
    assert panel.choice.options[0][0].startswith(f"{KEPT + 2}:")
    assert results[0] not in [entry.result for _, entry in panel.choice.options]


def test_a_scan_of_another_size_is_left_out(make):
    panel = make(made(), tiny_scan())
    assert panel.scan is None
    assert "left out" in panel.problem.value
    panel.form.fields["twin"].value = True
    panel.wait()
    assert "left out" in panel.problem.value
    panel.show(made(), SCAN)
    assert panel.wait()
    assert panel.problem.value == ""


def test_a_result_shown_again_takes_up_the_scan_that_is_given_now(make):
    result = made()
    panel = make(result)
    section(panel, "Against the truth")
    assert NO_SCAN in panel.sections[2].pane.value
    panel.show(result, SCAN, python="refine(scan)")
    assert panel.wait()
    assert panel.scan is SCAN
    assert NO_SCAN not in panel.sections[2].pane.value
    panel.show(result)
    assert panel.wait()
    assert (panel.scan, panel._subject().python) == (SCAN, "refine(scan)")
    assert len(panel.choice.options) == 1


def test_that_a_scan_was_left_out_is_said_of_its_result_only(make):
    first, other = made(), made()
    panel = make(first, SCAN)
    panel.show(other, tiny_scan())
    assert panel.wait()
    assert "left out" in panel.problem.value
    panel.choice.value = panel.choice.options[1][1]
    assert panel.wait()
    assert panel.result is first
    assert panel.problem.value == ""


def test_nothing_is_drawn_in_a_part_that_is_folded(make):
    panel = make(made(), SCAN)
    section(panel, "Histogram")
    assert [s.title for s in panel.sections if s.pane.value] == ["Histogram", "Checks"]  # their number stands in the title


def test_the_parts_have_their_titles(make):
    panel = make()
    assert panel.fold.titles == TITLES == tuple(s.title for s in panel.sections)


def test_a_line_drawn_in_the_viewer_is_profiled_and_told_in_the_boxes(make):
    panel = make(made(), SCAN)
    part = section(panel, "Line profile")
    assert "press Line" in part.pane.value
    panel.viewer.line = ((5.0, 6.0), (40.0, 31.5))
    assert panel.wait()
    assert [box.value for box in part.boxes] == ["5", "6", "40", "31.5"]
    assert part.pane.value.count('role="img"') == 2
    found = profile(panel.view, (5, 6), (40, 31.5))
    assert f"{found.amplitude.min():.3g} to {found.amplitude.max():.3g}" in part.pane.value
    assert "distance [px]" in part.pane.value
    assert "phase [rad]" in part.pane.value
    part.clear.click()
    assert panel.wait()
    assert panel.viewer.line == ()
    assert "press Line" in part.pane.value
    assert [box.value for box in part.boxes] == [""] * 4


def test_a_typed_line_is_the_viewers_line(make):
    panel = make(made(pixel_size=1e-8), SCAN)
    part = section(panel, "Line profile")
    for box, value in zip(part.boxes, ("5", "6", "25", "36"), strict=True):
        box.value = value
    assert panel.wait()
    assert panel.viewer.line == ((5.0, 6.0), (25.0, 36.0))
    assert "distance [nm]" in part.pane.value
    part.boxes[0].value = "here"
    assert "'here'" in html.unescape(part.problem.value)
    assert panel.viewer.line == ((5.0, 6.0), (25.0, 36.0))
    part.boxes[0].value = "1e9"
    assert panel.wait()
    assert "outside the view" in part.problem.value
    part.boxes[0].value = "7"
    assert panel.wait()
    assert part.problem.value == ""
    assert panel.viewer.line == ((7.0, 6.0), (25.0, 36.0))


def test_a_line_over_nothing_is_said(make):
    panel = make(made(), SCAN)
    panel.view.amplitude[10] = np.nan
    part = section(panel, "Line profile")
    panel.viewer.line = ((10, 5), (10, 30))
    assert panel.wait()
    assert "no light" in part.problem.value


def test_another_field_takes_the_line_away(make):
    panel = make(made(), SCAN)
    panel.viewer.line = ((5, 6), (25, 36))
    edit(panel, amplitude_map="viridis")
    assert panel.viewer.line
    edit(panel, crop="scanned")
    assert panel.viewer.line == ()


def test_the_histogram_counts_the_scanned_region(make):
    panel = make(made(), SCAN)
    part = section(panel, "Histogram")
    pixels = int(panel.view.seen.sum())
    assert f"over {pixels:,} px" in part.pane.value
    assert "pixels [%]" in part.pane.value
    assert f"mean {panel.view.amplitude[panel.view.seen].mean():.3g}" in part.pane.value


def test_errors_against_the_truth_are_told_with_their_picture(make):
    panel = make(made(ramp=0.1), SCAN)
    part = section(panel, "Against the truth")
    assert re.search(r"SSIM</th><td>0\.9\d+</td><td>0\.9", part.pane.value)
    assert "dB" in part.pane.value
    assert " rad" in part.pane.value
    assert "half-period" in part.pane.value
    assert part.pane.value.count("<img") == 1
    assert 'alt="Iterative beside the known object' in part.pane.value


@pytest.mark.parametrize(("scan", "sentence"), [(None, NO_SCAN), (SCAN.replace(truth=None), NO_TRUTH)])
def test_without_a_truth_that_is_said(make, scan, sentence):
    panel = make(made(), scan)
    part = section(panel, "Against the truth")
    assert sentence in part.pane.value
    assert part.problem.value == ""  # nothing is wrong


def test_the_ring_correlation_with_the_truth_is_drawn_and_read_off(make):
    panel = make(made(pixel_size=1e-8), SCAN)
    part = section(panel, "Resolution")
    assert re.search(r"half-period \d\.\d\d px = \d+\.?\d* nm", part.pane.value)
    assert "at the 0.5 threshold" in part.pane.value
    assert "cycles/px" in part.pane.value
    assert not part.start.disabled
    assert part.halt.disabled


def test_half_data_fits_run_beside_a_free_kernel_and_stop(make):
    panel = make(made(settings={"refinement": RefinementConfig(epochs=10_000).model_dump(mode="json")}), SCAN)
    part = section(panel, "Resolution")
    part.start.click()
    assert until(lambda: "epoch" in part.news.value)
    assert part.start.disabled
    assert not part.halt.disabled
    part.halt.click()
    assert until(lambda: not part.task.busy)
    assert "Stopped" in part.news.value
    assert part.halves is None
    assert until(lambda: not part.start.disabled)


def test_half_data_stopped_in_the_second_fit_are_compared_as_they_are(make, monkeypatch):
    fit = ptycho_nb.half_data

    def stopped_at_its_end(*given, control, **more):
        found = fit(*given, control=control, **more)
        control.stop()
        return found

    monkeypatch.setattr("ptycho_nb.half_data", stopped_at_its_end)
    panel = make(made(settings={"refinement": RefinementConfig(epochs=3).model_dump(mode="json")}), SCAN)
    part = section(panel, "Resolution")
    part.start.click()
    assert until(lambda: not part.task.busy)
    assert "Stopped early. Two fits" in part.news.value
    assert "half-bit" in part.found.value


def test_half_data_give_a_resolution(make):
    panel = make(made(settings={"refinement": RefinementConfig(epochs=4).model_dump(mode="json")}), SCAN)
    part = section(panel, "Resolution")
    part.start.click()
    assert until(lambda: not part.task.busy)
    assert part.problem.value == ""
    assert part.halves is not None
    assert "half-bit threshold" in part.found.value
    assert "half-period" in part.news.value
    panel.show(made(tiny_scan(N=32)), tiny_scan(N=32))
    assert panel.wait()
    assert part.found.value == ""


def test_what_ends_the_half_data_fits_is_said(make, monkeypatch):
    def failing(*_, **__):
        raise MemoryError

    monkeypatch.setattr("ptycho_nb.half_data", failing)
    panel = make(made(), SCAN)
    part = section(panel, "Resolution")
    part.start.click()
    assert until(lambda: not part.task.busy)
    assert "not enough memory" in part.problem.value
    assert until(lambda: not part.start.disabled)


def test_half_data_are_fitted_as_the_result_was():
    stored = RefinementConfig(epochs=7).model_dump(mode="json")
    assert settings(made(settings={"refinement": stored})).epochs == 7
    assert settings(made()) == RefinementConfig()
    assert settings(made(settings={"refinement": stored | {"gone": 1}})) == RefinementConfig()


def test_half_data_take_all_epochs_of_a_fit_that_went_on_and_those_of_a_flat_start_after_a_network():
    stored = RefinementConfig(epochs=2, learning_rate=0.07).model_dump(mode="json")
    history = History()
    for _ in range(9):
        history.record_epoch(train_loss=1.0)
    assert settings(made(settings={"refinement": stored}, history=history)).epochs == 9
    found = settings(made(method="Network, then iterative", settings={"refinement": stored}, history=history))
    assert (found.epochs, found.learning_rate) == (None, 0.07)


def test_methods_stand_side_by_side_with_their_times(make):
    panel = make(made(), SCAN)
    part = section(panel, "Methods side by side")
    assert ONE.partition(":")[0] in part.pane.value
    panel.show(made(method="Network", seconds=7.5), SCAN)
    assert panel.wait()
    assert part.problem.value == ""
    assert "Iterative 1.25 s, Network 7.5 s" in part.pane.value
    assert part.pane.value.count("<img") == 1


def test_results_on_another_canvas_are_not_registered(make):
    panel = make(made(), SCAN)
    other = tiny_scan(N=32)
    panel.show(made(other, method="Network"), other)
    part = section(panel, "Methods side by side")
    assert ELSEWHERE in part.pane.value


def test_checks_are_told_in_words(make):
    panel = make(made(), SCAN)
    part = section(panel, "Checks")
    assert WELL in part.pane.value
    assert "Looked for: divergence, a misfit far above the noise" in part.pane.value
    assert list(LOOKED_FOR) == list(RECONSTRUCTION_CHECKS)
    assert panel.fold.titles[-1] == "Checks: 7 made, nothing found"
    panel.show(replace(made(), state=State.DIVERGED))
    assert panel.wait()
    assert "Serious, diverged" in part.pane.value
    assert "Try: lower the learning rate" in part.pane.value
    assert "The misfit is not judged" in part.pane.value
    assert panel.fold.titles[-1] == "Checks: 5 made, 1 found"


def test_foreign_names_are_text(make):
    scan = SCAN.replace(name="<img src=x onerror=alert(1)>")
    panel = make(made(scan), scan)
    for title in TITLES:
        section(panel, title)
    panel.viewer.line = ((5, 6), (25, 36))
    panel.wait()
    panes = [w.value for w in panel_widgets(panel) if "value" in w.traits() and isinstance(w.value, str)]
    assert not any("<img src=x" in text for text in panes)
    assert any("&lt;img src=x" in text for text in panes)


def panel_widgets(panel: ObjectPanel) -> list[Widget]:
    found, todo = [], [panel.widget]
    while todo:
        widget = todo.pop()
        found.append(widget)
        todo += getattr(widget, "children", ())  # a leaf has none
    return found


def test_every_control_has_a_name_and_a_tooltip(make):
    panel = make(made(), SCAN)
    controls = [w for w in panel_widgets(panel) if "description" in w.traits() and "disabled" in w.traits()]
    assert len(controls) > 15
    for control in controls:
        assert control.description, control
        assert control.tooltip, control.description


def test_fifty_edits_end_with_the_last(make):
    panel = make(made(), SCAN)
    for number in range(50):
        panel.form.fields["phase_high"].value = 1 + number / 10
    assert panel.wait()
    assert panel.view.phase_limits[1] == pytest.approx(5.9)


def test_an_object_without_light_is_said(make):
    dark = made()
    dark.coverage[:] = 0
    panel = make(dark, SCAN)
    assert "no light anywhere" in panel.problem.value
    panel.show(made(), SCAN)
    assert panel.wait()
    assert panel.problem.value == ""
    assert panel.view is not None


def test_closed_while_it_draws_and_fits():
    panel = ObjectPanel(made(settings={"refinement": RefinementConfig(epochs=10_000).model_dump(mode="json")}), SCAN)
    part = section(panel, "Resolution")
    part.start.click()
    panel.form.fields["unwrap"].value = True
    panel.close()
    panel.show(made(), SCAN)


def test_a_result_that_comes_while_a_field_is_wrong_is_drawn_by_the_last_good_settings(make):
    panel = make(made(), SCAN)
    edit(panel, amplitude_low="0.5", amplitude_high="abc")
    panel.show(made(method="Network"), SCAN)
    assert panel.wait()
    assert "Network on tiny" in panel.news.value
    assert panel.view.amplitude_limits[0] == 0.5
    assert panel.form.problems["amplitude_high"] in html.unescape(panel.problem.value)
    assert panel._subject().result is panel.result
    edit(panel, amplitude_high="0.9")
    assert panel.problem.value == ""
    assert panel.view.amplitude_limits == (0.5, 0.9)


@pytest.mark.parametrize("title", TITLES)
def test_a_result_that_is_forgotten_leaves_memory_whatever_was_looked_at(make, title):
    panel = make(made(), SCAN)
    first = weakref.ref(panel.result)
    section(panel, title)
    panel.show(made(method="Network"), SCAN)
    assert panel.wait()
    panel.fold.selected_index = None
    panel.forget(first())
    assert panel.wait()
    gc.collect()
    assert first() is None
    assert [name for name, _ in panel.choice.options] == ["2: Network, tiny"]


def test_the_result_on_the_screen_is_not_forgotten(make):
    panel = make(made(), SCAN)
    panel.forget(panel.result)
    assert panel.wait()
    assert panel.result is not None
    assert panel.view is not None
