"""Iterative fits on the way: what they depend on, how they stop and go on, what happens when things go wrong."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from ptycho_nb.config import RefinementConfig, SimulationConfig
from ptycho_nb.errors import InputError
from ptycho_nb.history import Control, History, State
from ptycho_nb.refinement import refine
from ptycho_nb.refinement.start import held_out, start_probe
from ptycho_nb.scan import Scan
from ptycho_nb.simulate import simulate_scan

SMALL = SimulationConfig(object="dead_leaves", N=32, height=72, width=88, overlap=0.65, probe_diameter=12, defocus=0.5)
QUICK = RefinementConfig(epochs=3, batch_size=16, probe_start=0)
EVERYTHING = QUICK.replace(refine_positions=True, probe_modes=2)


@pytest.fixture(scope="module")
def scan():
    """Some 120 patterns of 32 x 32 on an oblong object, probe and positions known."""
    return simulate_scan(SMALL)


@pytest.fixture(scope="module")
def reference(scan):
    """A short fit of object, two modes and positions, left to itself."""
    return refine(scan, config=EVERYTHING)


def same(one, other):
    """Two results agree bit for bit in all that a run finds."""
    arrays = [[r.object.tobytes(), r.probe.tobytes(), r.positions.tobytes(), r.coverage.tobytes()] for r in (one, other)]
    return arrays[0] == arrays[1] and one.history["train_loss"] == other.history["train_loss"]


def stop_after(steps):
    """A control and a listener that stops the run by it once that many steps are done."""
    control = Control()

    def listener(history):
        if len(history.steps) >= steps:
            control.stop()

    return control, listener


# What it must not depend on.


def test_values_under_the_mask_change_nothing():
    scan = simulate_scan(SMALL.replace(beamstop=3))
    assert not scan.mask.all()
    spoiled = scan.replace(intensity=np.where(scan.mask, scan.intensity, 1e7).astype(np.float32))
    for loss in ("amplitude", "poisson"):
        config = EVERYTHING.replace(loss=loss, holdout=0.1)
        assert same(refine(scan, config=config), refine(spoiled, config=config)), loss


def test_same_seed_same_bits(scan, reference):
    assert same(refine(scan, config=EVERYTHING), reference)
    assert not same(refine(scan, config=EVERYTHING.replace(seed=1)), reference)


def test_draws_from_the_global_generators_change_nothing(scan, reference):
    def listener(_):
        torch.rand(7)
        np.random.default_rng().random(7)
        np.random.random(7)

    torch_before = torch.get_rng_state()
    found = refine(scan, config=EVERYTHING, listener=listener)
    torch.set_rng_state(torch_before)
    assert same(found, reference)


def test_the_kernel_is_left_as_it_was(scan):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1]
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        refine(scan, config=QUICK)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert torch.is_grad_enabled()
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)


def test_the_scan_is_left_as_it_was(scan):
    names = ("intensity", "positions", "probe", "mask")
    before = {name: scan.__dict__[name].copy() for name in names}
    refine(scan, config=EVERYTHING)
    assert all(np.array_equal(scan.__dict__[name], before[name]) for name in names)


def test_held_out_patterns_are_not_fitted(scan):
    config = QUICK.replace(holdout=0.2)
    judged = held_out(scan, 0.2, config.seed)
    spoiled = scan.intensity.copy()
    spoiled[judged] = 100
    one, other = refine(scan, config=config), refine(scan.replace(intensity=spoiled), config=config)
    assert one.object.tobytes() == other.object.tobytes()
    assert len(one.history["val_loss"]) == config.epochs
    assert one.history["val_loss"][-1] < 0.1 * other.history["val_loss"][-1]


# Stop, pause, go on.


def test_stop_ends_the_run_within_a_step_and_keeps_what_there_is(scan):
    control, listener = stop_after(5)
    found = refine(scan, config=QUICK.replace(epochs=100), control=control, listener=listener)
    assert found.state is State.STOPPED
    assert len(found.history.steps) == 5
    assert np.ptp(np.angle(found.object)) > 0.01
    assert np.isfinite(found.object).all()


def test_stop_before_the_first_step_gives_the_start(scan):
    control = Control()
    control.stop()
    found = refine(scan, config=QUICK, control=control)
    assert found.state is State.STOPPED
    assert found.history.steps == []
    assert np.unique(found.object).tolist() == [np.complex64(0.75)]


def test_a_paused_run_waits_and_wakes_on_stop(scan):
    control, paused, results = Control(), threading.Event(), []

    def listener(history):
        if len(history.steps) == 3:
            control.pause()
        if history.state is State.PAUSED:
            paused.set()

    config = QUICK.replace(epochs=500)
    run = threading.Thread(target=lambda: results.append(refine(scan, config=config, control=control, listener=listener)))
    run.start()
    assert paused.wait(10)
    control.stop()
    run.join(10)
    assert not run.is_alive()
    assert results[0].state is State.STOPPED
    assert len(results[0].history.steps) == 3


@pytest.mark.parametrize("steps", [3, 7, 11])
@pytest.mark.parametrize("config", [QUICK, EVERYTHING, EVERYTHING.replace(refine_probe=False)], ids=["probe", "all", "positions"])
def test_a_stopped_run_that_goes_on_ends_as_if_unbroken(scan, config, steps):
    """Stopped inside an epoch or at its end, and given the epochs it had left."""
    unbroken = refine(scan, config=config)
    control, listener = stop_after(steps)
    half = refine(scan, config=config, control=control, listener=listener)
    assert half.state is State.STOPPED
    whole = refine(scan, config=config.replace(epochs=config.epochs - half.history.epochs), resume_from=half)
    assert whole.state is State.DONE
    assert same(whole, unbroken)
    assert whole.history.steps == unbroken.history.steps


def test_a_finished_run_goes_on_for_more_epochs(scan, reference):
    more = refine(scan, config=EVERYTHING.replace(epochs=4), resume_from=reference)
    assert more.state is State.DONE
    assert more.history.epochs == EVERYTHING.epochs + 4
    assert more.history["train_loss"][:3] == reference.history["train_loss"]
    assert more.history["train_loss"][-1] < reference.history["train_loss"][-1]
    assert more.history.seconds == sorted(more.history.seconds)
    assert len(reference.history["train_loss"]) == 3  # the earlier history is its own


def test_time_limit_counts_from_where_a_run_goes_on(scan, reference):
    history = History.from_dict(reference.history.to_dict())
    history.seconds = [100.0, 200.0, 300.0]
    more = refine(scan, config=EVERYTHING.replace(time_limit=60), resume_from=reference.replace(history=history))
    assert more.state is State.DONE
    assert more.history.epochs == 6
    assert more.history.seconds[-1] > 300


def test_time_limit_ends_the_run_in_time(scan):
    found = refine(scan, config=QUICK.replace(epochs=10_000, time_limit=0.3))
    assert found.state is State.STOPPED
    assert "time limit" in found.history.message
    assert 0.25 < found.seconds < 3


# What goes wrong.


def test_a_learning_rate_far_too_high_leaves_a_finite_object(scan):
    found = refine(scan, config=EVERYTHING.replace(learning_rate=10, probe_learning_rate=1, position_learning_rate=1))
    assert found.state in (State.DONE, State.DIVERGED)
    assert np.isfinite(found.object).all()
    assert np.isfinite(found.probe).all()
    assert np.isfinite(found.positions).all()


def unchecked(scan: Scan, intensity: np.ndarray) -> Scan:
    """The scan with photons that its door would refuse."""
    copy = scan.replace()
    object.__setattr__(copy, "intensity", intensity)
    return copy


def test_a_misfit_that_is_not_finite_stops_the_run_at_its_last_finite_state(scan):
    huge = unchecked(scan, scan.intensity * np.float32(1e34))
    found = refine(huge, config=QUICK.replace(loss="amplitude"))
    assert found.state is State.DIVERGED
    assert len(found.history.steps) == 0
    assert np.unique(found.object).tolist() == [np.complex64(0.75)]
    assert "step 1" in found.history.message
    assert "learning rate" in found.history.message


def test_a_run_that_meets_a_value_too_large_keeps_the_state_before(scan):
    spoiled = scan.intensity.copy()
    spoiled[50] *= np.float32(1e34)
    found = refine(unchecked(scan, spoiled), config=EVERYTHING.replace(batch_size=4, loss="amplitude"))
    assert found.state is State.DIVERGED
    steps = len(found.history.steps)
    assert 1 <= steps < 27
    assert f"step {steps + 1}" in found.history.message
    assert np.isfinite(found.object).all()
    assert np.isfinite(found.probe).all()
    assert len(np.unique(found.object)) > 1


def test_a_failing_listener_leaves_the_run_going(scan, reference):
    calls = []

    def listener(history):
        calls.append(len(history.steps))
        raise RuntimeError("no screen")

    found = refine(scan, config=EVERYTHING, listener=listener)
    assert calls == [1]
    assert same(found, reference)


def test_patterns_without_photons_are_fitted_too(scan):
    dark = scan.intensity.copy()
    dark[::7] = 0
    for loss in ("amplitude", "poisson"):
        found = refine(scan.replace(intensity=dark), config=QUICK.replace(loss=loss))
        assert found.state is State.DONE
        assert np.isfinite(found.object).all()


def test_two_patterns_are_enough_to_run(scan):
    found = refine(scan.select([0, 1]), config=EVERYTHING.replace(holdout=0.4))
    assert found.state is State.DONE


def test_a_start_of_another_scan_is_one_sentence(scan, reference):
    few = scan.select(np.arange(9))
    with pytest.raises(InputError, match=r"^The start is of \d+ patterns of width 32, the scan has 9 of 32; give a reconstruction"):
        refine(few, start=reference)
    with pytest.raises(InputError, match="give a reconstruction of this scan"):
        refine(few, resume_from=reference)


def test_only_an_iterative_fit_can_go_on(scan, reference):
    with pytest.raises(InputError, match="give it as start instead"):
        refine(scan, resume_from=reference.replace(optimiser={}))


@pytest.mark.parametrize("changes", [{"probe_modes": 3}, {"refine_positions": False}, {"max_shift": 9.0}], ids=str)
def test_a_fit_goes_on_only_with_its_own_sizes(scan, reference, changes):
    with pytest.raises(InputError, match="use its own scan, modes and position settings"):
        refine(scan, config=EVERYTHING.replace(**changes), resume_from=reference)


# What a listener sees.


def test_preview_is_the_object_on_the_scan_s_canvas(scan):
    seen = []
    refine(scan.replace(truth=None), config=EVERYTHING.replace(epochs=1), listener=lambda history: seen.append(history.preview()))
    canvas = scan.replace(truth=None).canvas
    assert {p.object.shape for p in seen} == {canvas.shape}
    assert {p.origin for p in seen} == {canvas.origin}
    assert {p.probe.shape for p in seen} == {(2, 32, 32)}
    assert seen[0].object.tobytes() != seen[-1].object.tobytes()  # a copy, not the array that is fitted


def test_the_last_preview_is_the_result(scan):
    seen = []
    found = refine(scan, config=QUICK, listener=lambda history: seen.append(history.preview()))
    assert seen[-1].object.tobytes() == found.history.preview().object.tobytes() == found.object.tobytes()
    assert seen[-1].probe.tobytes() == found.probe.tobytes()


def test_settings_and_name_are_kept(scan, reference):
    assert reference.settings["refinement"] == EVERYTHING.model_dump(mode="json")
    assert (reference.name, reference.pixel_size) == (scan.name, scan.pixel_size)


def test_a_given_start_is_left_in_small_steps_and_a_resumed_run_keeps_its_own(scan, reference):
    """A step of Adam is about its rate: from a start no pixel moves far at once, and going on uses the rate it had."""
    one = QUICK.replace(epochs=1, batch_size=scan.M, refine_probe=False, warmup=0, start_learning_rate=0.01)
    begun = refine(scan, reference, one)
    assert begun.optimiser["rate"] == 0.01 / 4
    assert refine(scan, config=one).optimiser["rate"] == one.learning_rate
    assert refine(scan, config=one, resume_from=begun).optimiser["rate"] == 0.01 / 4
    long = refine(scan, reference, one.replace(epochs=1000, time_limit=0.1))
    assert long.optimiser["rate"] == one.learning_rate


def test_a_resumed_run_keeps_its_batches_where_they_are_left_to_the_scan():
    large = simulate_scan(SimulationConfig(N=32, height=200, width=216, probe_diameter=12, overlap=0.75))
    assert large.M > 800
    control = Control()
    control.stop()
    part = refine(large, config=RefinementConfig(epochs=60), control=control)
    more = refine(large, config=RefinementConfig(epochs=1), resume_from=part)
    assert more.settings["refinement"]["batch_size"] == part.settings["refinement"]["batch_size"] > 50


def test_a_resumed_run_heeds_a_new_learning_rate(scan, reference):
    slow = refine(scan, config=EVERYTHING.replace(learning_rate=1e-4), resume_from=reference)
    assert slow.optimiser["rate"] == pytest.approx(reference.optimiser["rate"] * 1e-4 / EVERYTHING.learning_rate)
    gain = np.vdot(slow.object, reference.object) / np.vdot(slow.object, slow.object)  # the probe goes on at its own rate
    assert np.abs(gain * slow.object - reference.object).max() < 0.02


def test_a_start_of_the_scan_before_it_was_turned_is_refused(scan, reference):
    with pytest.raises(InputError, match="turned since"):
        refine(scan.oriented(flip_rows=True), reference, QUICK)


def test_the_twin_of_a_fit_is_a_start(scan, reference):
    assert refine(scan, reference.twin(), QUICK.replace(epochs=1)).state is State.DONE


def test_going_on_in_the_middle_of_an_epoch_judges_as_if_never_stopped(scan):
    config = QUICK.replace(epochs=2, held_pixels=0.1)
    whole = refine(scan, config=config)
    control, listener = stop_after(4)
    half = refine(scan, config=config, control=control, listener=listener)
    on = refine(scan, config=config.replace(epochs=2 - half.history.epochs), resume_from=half)
    assert on.history["val_loss"] == pytest.approx(whole.history["val_loss"], rel=1e-6)


def test_a_hot_pixel_under_the_mask_does_not_light_the_background(scan):
    mask = np.ones((scan.N, scan.N), bool)
    mask[3, 5] = False
    hot = scan.intensity.copy()
    hot[:, 3, 5] = 1e8
    config = QUICK.replace(refine_background=True)
    one, other = (refine(scan.replace(intensity=i, mask=mask), config=config) for i in (scan.intensity, hot))
    assert same(one, other)


def test_fewer_modes_keep_the_strongest(scan):
    rows = np.linspace(-1, 1, scan.N)[:, None]
    weak = np.asarray(0.1 * rows * scan.probe[0], dtype=np.complex64)
    kept = start_probe(np.stack([weak, scan.probe[0]]), 1)
    overlap = abs(np.vdot(kept, scan.probe[0])) / np.linalg.norm(kept) / np.linalg.norm(scan.probe[0])
    assert overlap > 0.999
