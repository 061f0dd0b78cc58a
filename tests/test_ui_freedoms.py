"""The check of freedoms in the Reconstruct panel: asked, ranked, taken over; driven without a browser."""

from __future__ import annotations

import numpy as np
import pytest
from leftovers import nothing_left
from tiny_scan import tiny_scan

from ptycho_nb.config import RefinementConfig
from ptycho_nb.freedoms import FREEDOMS, PLAIN, rank_freedoms
from ptycho_nb.ui import ReconstructPanel
from ptycho_nb.ui.drawing import NOTHING

SCAN = tiny_scan()
SHORT = RefinementConfig(epochs=2)


@pytest.fixture
def panel():
    with nothing_left():
        panel = ReconstructPanel(SCAN, SHORT)
        yield panel
        panel.close()


def test_each_freedom_is_tried_and_ranked(panel):
    check = panel.controls.freedoms
    ranking = check.run()
    assert {one.name for one in ranking} >= {PLAIN, *FREEDOMS}
    for one in ranking:
        assert one.name in check.table.value
    assert [one.gain for one in ranking] == sorted((one.gain for one in ranking), reverse=True)
    assert check.take.disabled is not ranking[0].helps


def test_the_best_is_set_when_asked_for_and_not_before(panel):
    bright = np.random.default_rng(0).uniform(0.5, 1.5, (SCAN.M, 1, 1)).astype(np.float32)
    panel.scan = SCAN.replace(intensity=SCAN.intensity * bright)
    panel.set(RefinementConfig(epochs=12, refine_probe=False))
    check = panel.controls.freedoms
    best = check.run()[0]
    assert best.config.refine_brightness
    assert panel.configs["refinement"] == RefinementConfig(epochs=12, refine_probe=False)
    check.take.click()
    assert panel.configs["refinement"] == best.config
    assert panel.configs["refinement"].held_pixels == 0
    assert "refine_brightness=True" in panel.python


def test_without_a_scan_it_says_what_to_do():
    with nothing_left():
        panel = ReconstructPanel()
        check = panel.controls.freedoms
        assert check.run() == []
        assert "No scan yet" in check.problem.value
        panel.close()


def test_another_scan_forgets_the_ranking(panel):
    check = panel.controls.freedoms
    check.run()
    panel.scan = tiny_scan(seed=3)
    assert check.ranking == []
    assert PLAIN not in check.table.value
    assert check.take.disabled


def test_a_ranking_that_ends_after_another_scan_was_set_is_dropped(panel, monkeypatch):
    check = panel.controls.freedoms
    ranked = rank_freedoms(SCAN, SHORT)

    def late(*_, **__):
        panel.scan = tiny_scan(seed=3)
        return ranked

    monkeypatch.setattr("ptycho_nb.rank_freedoms", late)
    assert check.run() == []
    assert PLAIN not in check.table.value
    assert check.said.value == NOTHING
    assert check.take.disabled


def test_a_stopped_check_says_nothing_of_what_it_did_not_try(panel, monkeypatch):
    check = panel.controls.freedoms
    tried = [one for one in rank_freedoms(SCAN, SHORT) if one.name == PLAIN or not one.helps]
    for stopped, words in ((True, "Of those tried, none helps."), (False, "None of these helps")):

        def some(*_, control, stopped=stopped, **__):
            if stopped:
                control.stop()
            return tried

        monkeypatch.setattr("ptycho_nb.rank_freedoms", some)
        check.run()
        assert words in check.said.value
        assert ("None of these helps" in check.said.value) is not stopped


def test_it_is_offered_where_a_fit_is_part_of_the_method(panel):
    def offered():
        return panel.controls._fit.layout.display != "none"

    assert offered()
    panel.set(method="Network")
    assert not offered()
