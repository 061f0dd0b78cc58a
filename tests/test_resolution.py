import numpy as np
import pytest
from tiny_scan import tiny_scan

from ptycho_nb import Control, InputError, RefinementConfig, State
from ptycho_nb.metrics import half_bit
from ptycho_nb.resolution import compared, half_data, halves

BRIEF = RefinementConfig(epochs=12)


def test_halves_share_no_pattern_and_leave_none():
    scan = tiny_scan(6, 7)
    first, second = halves(scan)
    places = {tuple(p) for p in first.positions}, {tuple(p) for p in second.positions}
    assert first.M == second.M == 21
    assert not places[0] & places[1]
    assert places[0] | places[1] == {tuple(p) for p in scan.positions}


def test_halves_both_cover_the_whole_scan():
    scan = tiny_scan(8, 9, step=4.0)
    for half in halves(scan):
        away = np.linalg.norm(scan.positions[:, None] - half.positions, axis=-1).min(1)
        assert away.max() < 2.5 * 4.0  # of every place there is a pattern of the half within the next but one


def test_an_odd_pattern_is_left_out():
    assert sum(half.M for half in halves(tiny_scan(5, 7))) == 34


def test_the_halves_of_a_good_scan_agree_well_beyond_those_of_noise():
    scan = tiny_scan(9, 10)
    noise = scan.replace(intensity=np.random.default_rng(0).permutation(scan.intensity))
    good, bad = half_data(scan, BRIEF), half_data(noise, BRIEF)
    assert good.half_period < 0.6 * bad.half_period


def test_half_data_keeps_both_fits_and_reads_the_half_bit_crossing():
    scan = tiny_scan(9, 10).replace(pixel_size=2e-9)
    found = half_data(scan, BRIEF)
    assert found.first.state is found.second.state is State.DONE
    assert len(found.first.positions) == len(found.second.positions) == 45
    assert found.half_period == found.rings.half_period(half_bit)
    assert found.resolution == pytest.approx(2e-9 * found.half_period)
    assert found.pair.object.shape == found.pair.truth.shape
    assert "half-bit" in found.words


def test_the_same_object_twice_is_resolved_to_the_pixel():
    found = half_data(tiny_scan(9, 10), BRIEF).first
    same = compared(found, found)
    assert same.half_period == 1
    assert "the pixels set" in same.words


def test_the_sentence_gives_pixels_and_metres():
    found = half_data(tiny_scan(9, 10).replace(pixel_size=1.5e-8, intensity=tiny_scan(9, 10, seed=5).intensity), BRIEF)
    assert f"{found.half_period:.2f} px, {found.half_period * 15:.3g} nm" in found.words


def test_objects_on_other_grids_are_compared_where_both_scanned():
    scan = tiny_scan(9, 10).replace(truth=None)
    found = half_data(scan, BRIEF)
    shifted = found.second.replace(
        origin=(found.second.origin[0] + 1, found.second.origin[1]), positions=found.second.positions + np.array([1, 0])
    )
    moved = compared(found.first, shifted)
    assert moved.pair.shift[0] - found.pair.shift[0] == pytest.approx(-1, abs=0.2)


def test_too_few_patterns_are_refused():
    with pytest.raises(InputError, match="has 12 patterns; halving"):
        half_data(tiny_scan(3, 4))


def test_a_stop_before_the_second_fit_leaves_nothing_to_compare():
    control = Control()
    with pytest.raises(InputError, match="stopped before both"):
        half_data(tiny_scan(9, 10), BRIEF, listener=lambda history: control.stop(), control=control)


def test_a_fit_that_diverges_is_told():
    steep = RefinementConfig(epochs=4).model_copy(update={"learning_rate": 1e30})
    with pytest.raises(InputError, match="diverged"):
        half_data(tiny_scan(9, 10), steep)
