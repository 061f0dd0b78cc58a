"""The panels under a hostile user: each says a sentence, nothing stays behind, and the next thing works."""

from __future__ import annotations

import html
import os
import re
import threading
import time

import numpy as np
import pytest
from leftovers import names_of_threads, nothing_left, until
from tiny_scan import tiny_scan

from ptycho_nb import refine
from ptycho_nb.config import RefinementConfig, ViewConfig
from ptycho_nb.errors import InputError
from ptycho_nb.exports import save_picture
from ptycho_nb.history import State
from ptycho_nb.ui import App
from ptycho_nb.ui.panels import ObjectPanel, PatternPanel, ReconstructPanel, ScanPanel, export
from ptycho_nb.ui.panels.failures import NO_MEMORY, NO_THREAD, in_a_sentence
from ptycho_nb.ui.panels.object import panel as object_panel
from ptycho_nb.ui.panels.reconstruct import forecast
from ptycho_nb.ui.panels.scan import browser, overview
from ptycho_nb.ui.panels.scan.look import Verdict
from ptycho_nb.ui.panels.task import Task
from ptycho_nb.ui.panels.watch import FAILED, Watch
from ptycho_nb.views import view

SCAN = tiny_scan()
SHORT = RefinementConfig(epochs=2)
RESULT = refine(SCAN, config=SHORT)
DIGITS = "9" * 5000
LONGEST = 160  # characters of a sentence


@pytest.fixture(autouse=True)
def nothing_stays(monkeypatch):
    """Every test leaves widgets and threads as they were; what a run takes is not measured beside it."""
    monkeypatch.setattr(forecast, "QUIET", 60.0)
    with nothing_left():
        yield


def said(pane) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", pane.value)).strip()


@pytest.fixture
def no_threads(monkeypatch):
    """A system that gives no thread, until it is called."""

    def refused(_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        yield patch.undo


def test_a_task_closed_from_within_its_work_does_not_wait_for_itself():
    task = Task(lambda _: None, lambda _: None)
    closed = []
    task.start(lambda _: (task.close(), closed.append(True)))
    assert until(lambda: bool(closed), 10)
    assert task.wait(10)
    assert not task.start(lambda _: None)


def test_a_watch_closed_from_within_its_drawing_does_not_wait_for_itself():
    closed = []
    watch = Watch(lambda: (watch.close(), closed.append(True))[:0] or None, lambda _: None)
    watch.wake()
    assert until(lambda: bool(closed), 10)
    assert watch.wait(10)


def test_a_task_run_in_this_thread_leaves_its_waits_as_they_were():
    task = Task(lambda _: None, lambda _: None)
    assert task.run(lambda _: None)
    hold = threading.Event()
    task.start(lambda _: hold.wait(5))
    assert not task.wait(0.05)
    hold.set()
    assert task.wait(10)


@pytest.mark.parametrize("when", ["on_begin", "on_end"])
def test_a_run_whose_listener_closes_the_panel_ends_at_once(when):
    panel = ReconstructPanel(SCAN, SHORT)
    closed = []
    vars(ReconstructPanel)[when](panel, lambda _: (panel.close(), closed.append(True)))
    panel.controls.start.click()
    assert until(lambda: bool(closed) and not names_of_threads())


def test_an_app_closed_by_a_listener_is_closed_and_the_next_one_works():
    app = App(SCAN, SHORT)
    app.panels.scan.wait()
    app.panels.reconstruct.on_end(lambda _: app.close())
    app.panels.reconstruct.controls.start.click()
    assert until(lambda: not names_of_threads())
    again = App(SCAN)
    assert again.panels is not app.panels
    assert again.panels.scan.wait()
    again.close()


def test_an_app_asked_for_while_another_closes_is_a_new_one():
    app = App(SCAN, SHORT)
    app.panels.scan.wait()
    others = []
    app.panels.reconstruct.on_end(lambda _: others.append(App()))
    app.panels.reconstruct.set(RefinementConfig(epochs=10_000))
    app.panels.reconstruct.controls.start.click()
    time.sleep(0.1)
    began = time.monotonic()
    app.close()
    assert time.monotonic() - began < 30  # no waiting for each other
    assert others[0].panels is not app.panels
    others[0].close()


def test_the_answer_to_reset_counts_once():
    app = App()
    desk = app.panels
    before = desk.scan
    desk.sure.click()  # nobody was asked
    assert desk._task.wait()
    assert desk.scan is before
    app.close()


def test_without_a_thread_a_run_says_so_and_the_next_one_works(no_threads):
    panel = ReconstructPanel(SCAN, SHORT)
    panel.controls.start.click()
    assert said(panel.controls.problem) == NO_THREAD
    assert panel.state is State.FAILED
    no_threads()
    panel.run()
    assert panel.state is State.DONE
    panel.close()


def test_without_a_thread_work_and_drawing_say_so_and_the_next_ones_work(no_threads):
    told, done = [], []
    task, watch = Task(told.append, lambda _: None), Watch(lambda: done.append(1), told.append)
    task.start(lambda _: done.append(2))
    watch.wake()
    assert told == [NO_THREAD, NO_THREAD]
    no_threads()
    assert task.start(lambda _: done.append(2))
    watch.wake()
    assert task.wait()
    assert watch.wait(5)
    assert sorted(done) == [1, 2]


def test_a_run_that_cannot_be_prepared_says_so_and_start_is_free(monkeypatch):
    panel = ReconstructPanel(SCAN, SHORT)
    with monkeypatch.context() as patch:
        patch.setattr(panel.progress, "begin", lambda: 1 / 0)
        panel.controls.start.click()
    assert "ZeroDivisionError" in said(panel.controls.problem)
    panel.run()
    assert panel.state is State.DONE
    panel.close()


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: you tried to")],
)
def test_a_lack_of_memory_is_told_with_the_way_out(error):
    assert in_a_sentence(error) == NO_MEMORY


@pytest.mark.parametrize("error", [ZeroDivisionError(), RuntimeError("x" * 900), RuntimeError("a\x00\u202eb\nsecond line")])
def test_any_other_failure_is_one_printable_line(error):
    sentence = in_a_sentence(error, "This")
    assert sentence.startswith(f"This failed: {type(error).__name__}")
    assert sentence.isprintable()
    assert len(sentence) <= LONGEST


@pytest.mark.parametrize("text", ["", "3", "x" * 900])
def test_an_exit_from_within_is_a_sentence_and_the_next_work_is_done(text):
    def leaves(_):
        raise SystemExit(text)

    told, done = [], []
    task, watch = Task(told.append, lambda _: None), Watch(lambda: leaves(0), told.append)
    assert task.start(leaves)
    assert task.wait()
    watch.wake()
    assert watch.wait(5)
    assert told[0].startswith("This failed: something in it called exit (")
    assert told[1] == FAILED
    assert len(told[0]) <= LONGEST
    assert task.run(done.append)
    assert len(done) == 1


@pytest.mark.parametrize("text", [DIGITS, "1e400", "NaN", "\x00", "３x", "1,5", "-1", "", "\u202e1"])
def test_a_number_that_is_none_is_a_short_sentence_in_every_box(text):
    patterns, run, scan = PatternPanel(SCAN), ReconstructPanel(SCAN), ScanPanel(SCAN)
    scan.wait()
    patterns.box.value = run.controls.more.value = scan.controls.patterns.number.value = text
    run.controls.go_on.click()
    for pane in (patterns.problem, run.controls.problem, scan.controls.patterns.problem):
        assert text[:9].strip() in said(pane) or repr(text[:9])[1:-1] in said(pane)
        assert 10 < len(said(pane)) <= LONGEST
    for panel in (patterns, run, scan):
        panel.close()


def test_a_part_of_a_scan_that_cannot_be_drawn_leaves_the_others(monkeypatch, caplog):
    monkeypatch.setattr(overview, "facts", lambda scan: 1 / 0)
    monkeypatch.setattr(overview, "positions", lambda scan: "")
    panel = ScanPanel(SCAN)
    assert panel.wait()
    assert "could not be drawn" in said(panel.controls.problem)
    assert "Pattern" in said(panel.controls.patterns.single)
    assert "checks" in said(panel.controls.findings)
    panel.close()


def test_the_scan_panel_opens_where_the_folder_of_the_kernel_is_gone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gone").mkdir()
    os.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    panel = ScanPanel()
    assert panel.controls.browser.folder.is_dir()
    panel.controls.browser.path.value = "scan.npz"
    panel.controls.browser.open.click()
    assert panel.wait()
    assert "There is no file scan.npz" in said(panel.controls.problem)
    panel.close()


def test_only_the_files_that_are_shown_are_looked_at(tmp_path, monkeypatch):
    for number in range(30):
        (tmp_path / f"{number}.npz").touch()
    asked = []
    monkeypatch.setattr(browser, "MOST", 5)
    monkeypatch.setattr(browser, "_line", lambda path: asked.append(path) or path.name)
    panel = ScanPanel()
    asked.clear()
    panel.controls.browser.show(tmp_path)
    assert len(asked) == 5
    assert "25 more entries" in said(panel.controls.browser.news)
    panel.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [({"object": RESULT.object * np.nan}, "no finite number"), ({"coverage": RESULT.coverage * 0}, "got no light")],
)
def test_a_result_that_cannot_be_shown_says_why_and_is_not_exported(change, words):
    panel = ObjectPanel(RESULT, SCAN)
    assert panel.wait()
    panel.show(RESULT.replace(**change), SCAN)
    assert panel.wait()
    assert words in said(panel.problem)
    with pytest.raises(InputError, match="not on the screen"):
        panel._subject()
    panel.show(RESULT, SCAN)
    assert panel.wait()
    assert panel._subject().result is RESULT
    assert not said(panel.problem)
    panel.close()


def test_an_object_of_one_value_has_a_histogram():
    panel = ObjectPanel(RESULT.replace(object=np.full_like(RESULT.object, 0.8)), SCAN)
    panel.fold.selected_index = 1
    assert panel.wait()
    assert not said(panel.problem)
    assert "Over " in said(panel.sections[1].pane)
    panel.close()


def test_a_result_of_a_scan_elsewhere_is_left_out_though_it_has_as_many_patterns():
    other = tiny_scan(step=6.0)
    patterns, panel = PatternPanel(other, RESULT), ObjectPanel(RESULT, other)
    assert patterns.result is None
    assert "another scan" in said(patterns.problem)
    assert panel.wait()
    assert panel.scan is None
    patterns.close()
    panel.close()


@pytest.mark.parametrize("name", ["x" * 300, "x" * 300 + "/a.png"])
def test_a_name_too_long_for_the_disk_is_a_sentence(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    panel = ObjectPanel(RESULT, SCAN)
    assert panel.wait()
    panel.export.name.value = name
    panel.export.save.click()
    assert panel.export.wait()
    assert re.search("characters long|cannot be written|no folder", said(panel.export.problem))
    assert "OSError" not in said(panel.export.problem)
    assert not list(tmp_path.iterdir())
    panel.close()


def drawn_late(monkeypatch) -> threading.Event:
    """What lets the next view be drawn."""
    drawn = threading.Event()

    def late(*args):
        assert drawn.wait(10)
        time.sleep(0.2)
        return view(*args)

    monkeypatch.setattr(object_panel, "view", late)
    return drawn


def test_save_pressed_before_the_object_is_drawn_waits_for_it_and_saves_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    panel, told = ObjectPanel(RESULT, SCAN), []
    assert panel.wait()

    def saved(path, seen, what, **more):
        told.append((seen, said(panel.export.news)))
        return save_picture(path, seen, what, **more)

    monkeypatch.setattr(export, "save_picture", saved)
    drawn, newer = drawn_late(monkeypatch), RESULT.replace(object=RESULT.object * np.exp(1j * np.linspace(0, 1, RESULT.object.shape[1])))
    panel.show(newer, SCAN)
    panel.export.save.click()
    drawn.set()
    assert panel.export.wait()
    assert not said(panel.export.problem)
    ((seen, meanwhile),) = told
    np.testing.assert_array_equal(seen.phase, view(newer).phase)
    assert meanwhile == export.WORKING
    assert [f"Saved: {path}" for path in tmp_path.iterdir()] == [said(panel.export.news)]
    panel.close()


def test_an_object_that_is_not_drawn_in_time_is_not_saved(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(object_panel, "SOON", 0.1)
    panel = ObjectPanel(RESULT, SCAN)
    assert panel.wait()
    drawn = drawn_late(monkeypatch)
    panel.config = ViewConfig(remove_ramp=not panel.config.remove_ramp)
    panel.export.save.click()
    assert panel.export.wait()
    assert said(panel.export.problem) == object_panel.NOT_SHOWN
    assert not list(tmp_path.iterdir())
    drawn.set()
    assert panel.wait()
    panel.close()


def test_another_name_in_between_asks_anew_before_it_replaces(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.png").write_text("keep")
    panel = ObjectPanel(RESULT, SCAN)
    assert panel.wait()
    for name in ("mine.png", "other.png", "mine.png"):
        panel.export.name.value = name
        if name == "mine.png":
            panel.export.save.click()
            assert panel.export.wait()
    assert (tmp_path / "mine.png").read_text() == "keep"
    assert "exists" in said(panel.export.news)
    panel.close()


def test_a_verdict_without_a_noise_to_compare_with_praises_nothing():
    verdict = Verdict(misfit=0.82, noise=float("nan"), featureless=0.23)
    assert verdict.hidden
    assert "Looks good" not in verdict.words
