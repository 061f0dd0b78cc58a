"""The failure gallery, driven by its buttons without a browser; the runs are stand-ins but for one."""

from __future__ import annotations

import base64
import html
import io
import re
import threading

import numpy as np
import pytest
from leftovers import nothing_left, until
from PIL import Image

from ptycho_nb.checks import Finding
from ptycho_nb.errors import InputError
from ptycho_nb.history import Control, State
from ptycho_nb.lessons.failures import FAILURES, Failure, Outcome, Reading
from ptycho_nb.lessons.failures.failure import STOPPED
from ptycho_nb.metrics import Aligned
from ptycho_nb.result import Reconstruction
from ptycho_nb.ui import FailureGallery
from ptycho_nb.ui.drawing import close_all
from ptycho_nb.ui.lessons.gallery import panel, pictures
from ptycho_nb.ui.lessons.gallery.python import program

HOSTILE = "<img src=x onerror=alert(1)>"
KEYS = list(FAILURES)


@pytest.fixture(autouse=True)
def nothing_stays():
    """Every test leaves widgets and threads as they were."""
    with nothing_left():
        yield


def outcome(number: float, *, crossed: bool, error: float, findings: tuple[Finding, ...] = ()) -> Outcome:
    """What a run could have come to, made by hand: an object off the truth by this phase [rad]."""
    rows, columns = np.mgrid[:24, :24]
    truth = (0.8 + 0.2 * np.sin(rows / 3)) * np.exp(0.5j * np.cos(columns / 4))
    found = truth * np.exp(1j * error * (-1.0) ** rows)
    result = Reconstruction(
        truth.astype(np.complex64), np.ones((24, 24), np.float32), np.ones((1, 4, 4), np.complex64), np.zeros((3, 2)), (0, 0), None,
        "Iterative", State.DONE,
    )  # fmt: skip
    pair = Aligned(found, truth, 1 + 0j, np.zeros(2), np.zeros(2))
    return Outcome(None, result, Reading(number, "A note."), crossed, 1.25, list(findings), pair)  # type: ignore[arg-type]


def bad(self: Failure, control: Control | None = None) -> Outcome:
    return outcome(0.1, crossed=True, error=0.3, findings=(Finding("overlap", HOSTILE, "scan finer"),))


def good(self: Failure, control: Control | None = None) -> Outcome:
    return outcome(0.7, crossed=False, error=0.02)


@pytest.fixture
def gallery(monkeypatch):
    monkeypatch.setattr(Failure, "show", bad)
    monkeypatch.setattr(Failure, "cure", good)
    made = FailureGallery()
    yield made
    made.close()


def text(pane: object) -> str:
    return " ".join(html.unescape(re.sub("<[^>]*>", " ", pane.value)).split())


def press(gallery: FailureGallery, button: object) -> None:
    button.click()
    assert gallery.wait()
    assert until(lambda: not gallery.show_button.disabled)


def test_at_first_the_symptom_is_told_and_what_to_press(gallery):
    case = FAILURES["overlap"]
    assert text(gallery.state) == panel.EMPTY
    assert text(gallery.story) == f"What is seen. {case.symptom}"
    assert gallery.seen.value == ""
    assert (gallery.show_button.disabled, gallery.cure_button.disabled, gallery.stop_button.disabled) == (False, True, True)


def test_the_failure_is_shown_beside_the_truth_with_its_number_in_words(gallery):
    press(gallery, gallery.show_button)
    assert "Overlap of neighbouring probes: 0.1. That is below 0.5, the threshold: the alarm rings. A note." in text(gallery.state)
    assert panel.NEXT in text(gallery.state)
    case = FAILURES["overlap"]
    assert all(sentence in text(gallery.story) for sentence in (case.symptom, case.why, case.remedy))
    assert re.findall("<h4>(.*?)</h4>", gallery.seen.value) == ["Failure", "Truth"]
    assert not gallery.cure_button.disabled


def test_why_it_happens_is_folded_away_until_it_is_asked_for_or_cured(gallery):
    press(gallery, gallery.show_button)
    assert "<details>" in gallery.story.value
    assert gallery.story.value.index("<details>") < gallery.story.value.index("Why. ")
    press(gallery, gallery.cure_button)
    assert "<details>" not in gallery.story.value


def test_the_cure_stands_between_failure_and_truth(gallery):
    press(gallery, gallery.show_button)
    press(gallery, gallery.cure_button)
    assert re.findall("<h4>(.*?)</h4>", gallery.seen.value) == ["Failure", "Cured", "Truth"]
    said = text(gallery.seen)
    assert "0.1: the alarm rings 0.7: silent" in said
    assert "Phase error [rad] 0.3 0.02" in said
    assert "Cured. Overlap of neighbouring probes: 0.7. The alarm rings below 0.5; it is silent." in text(gallery.state)


def test_all_pictures_have_the_limits_of_the_truth(gallery):
    gallery.cure()
    captions = re.findall("<figcaption>(.*?)</figcaption>", gallery.seen.value)
    assert len(captions) == 6
    assert len(set(captions)) == 2
    images = [Image.open(io.BytesIO(base64.b64decode(d))) for d in re.findall(r"base64,([^\"]+)", gallery.seen.value)]
    assert {image.size for image in images} == {(24, 24)}
    assert images[2].tobytes() != images[0].tobytes() or images[3].tobytes() != images[1].tobytes()


def test_every_picture_has_a_text_that_tells_the_numbers(gallery):
    gallery.show()
    alts = re.findall('alt="(.*?)"', gallery.seen.value)
    assert len(alts) == 4
    assert alts[1].startswith("Failure: object phase, 0.3 rad from the truth in phase and ")


def test_what_checks_says_is_shown_and_escaped(gallery):
    gallery.cure()
    assert f"Warning, overlap: {HOSTILE}. Try: scan finer." in text(gallery.seen)
    assert HOSTILE not in gallery.seen.value
    assert "What checks says of it (cured): nothing looks wrong." in text(gallery.seen)


def test_cure_runs_the_failure_first_where_that_was_not_seen(gallery):
    assert gallery.cure().crossed is False
    assert list(gallery.outcomes["overlap"]) == ["Failure", "Cured"]


def test_another_case_begins_empty_and_the_first_is_still_there(gallery):
    gallery.show()
    gallery.choice.value = "dose"
    assert (gallery.seen.value, text(gallery.state)) == ("", panel.EMPTY)
    assert gallery.cure_button.disabled
    gallery.choice.value = "overlap"
    assert "<h4>Failure</h4>" in gallery.seen.value
    assert not gallery.cure_button.disabled


def test_fifty_clicks_are_one_run_and_its_case_may_be_left_meanwhile(gallery, monkeypatch):
    began, go, runs = threading.Event(), threading.Event(), []

    def slow(self, control=None):
        runs.append(self.title)
        began.set()
        go.wait(10)
        return bad(self)

    monkeypatch.setattr(Failure, "show", slow)
    for _ in range(50):
        gallery.show_button.click()
    began.wait(10)
    assert text(gallery.state) == "Running: Too little overlap, the failure …"
    assert gallery.show_button.disabled
    assert not gallery.stop_button.disabled
    gallery.choice.value = "dose"
    go.set()
    assert gallery.wait()
    assert runs == ["Too little overlap"]
    assert (list(gallery.outcomes), gallery.seen.value, text(gallery.state)) == (["overlap"], "", panel.EMPTY)


def test_a_stopped_run_says_so_and_leaves_what_was_there(gallery, monkeypatch):
    gallery.show()
    began = threading.Event()

    def endless(self, control):
        began.set()
        while not control.stopping:
            began.wait(0.01)
        raise InputError(STOPPED)

    monkeypatch.setattr(Failure, "cure", endless)
    gallery.cure_button.click()
    began.wait(10)
    gallery.stop_button.click()
    assert gallery.wait()
    assert (text(gallery.state), gallery.problem.value) == (STOPPED, "")
    assert list(gallery.outcomes["overlap"]) == ["Failure"]
    assert until(lambda: not gallery.cure_button.disabled)


def test_what_goes_wrong_is_one_sentence_and_it_can_be_run_again(gallery, monkeypatch):
    def broken(self, control):
        raise InputError("An object holds NaN; only finite objects can be compared.")

    monkeypatch.setattr(Failure, "show", broken)
    press(gallery, gallery.show_button)
    assert text(gallery.problem) == "An object holds NaN; only finite objects can be compared."
    assert text(gallery.state) == panel.EMPTY
    monkeypatch.setattr(Failure, "show", bad)
    press(gallery, gallery.show_button)
    assert gallery.problem.value == ""
    assert "<h4>Failure</h4>" in gallery.seen.value


def test_closing_during_a_run_stops_it(monkeypatch):
    began = threading.Event()

    def endless(self, control):
        began.set()
        while not control.stopping:
            began.wait(0.01)
        raise InputError(STOPPED)

    monkeypatch.setattr(Failure, "show", endless)
    gallery = FailureGallery("dose")
    gallery.show_button.click()
    began.wait(10)
    gallery.close()
    assert not gallery.busy


def test_without_widgets_a_picture_of_what_was_run_is_shown(gallery):
    empty = gallery._repr_mimebundle_()
    close_all()
    assert "image/png" not in empty
    assert empty["text/plain"] == "<FailureGallery: Too little overlap, not run>"
    gallery.cure()
    shown = gallery._repr_mimebundle_()
    assert shown["image/png"].startswith(b"\x89PNG")
    assert shown["text/plain"] == "<FailureGallery: Too little overlap, failure and cured>"


def test_a_failure_that_is_not_there_is_told_the_nearest():
    with pytest.raises(InputError, match="dose"):
        FailureGallery("doze")


def test_the_loss_is_told_where_it_is_the_point(monkeypatch):
    for key in ("overlap", "no constraint"):
        shown = pictures.table(FAILURES[key], {"Failure": bad(FAILURES[key])})
        assert ("Training loss" in shown) == (key == "no constraint")


@pytest.mark.parametrize("key", KEYS)
def test_the_python_shown_can_be_read_and_names_what_differs(key):
    case = FAILURES[key]
    shown = program(case)
    compile(shown, key, "exec")
    failure, cure = shown.split("# The cure")
    assert failure.partition("# The failure")[2].strip() != cure.strip()
    assert shown.count(f"number  # the alarm rings {case.diagnostic.limit}") == 2


@pytest.mark.long
@pytest.mark.parametrize("key", KEYS)
def test_the_python_shown_gives_the_numbers_of_the_gallery(key):
    case, shown = FAILURES[key], program(FAILURES[key])
    head, failure = shown.split("# The failure")
    failure, cure = failure.split("# The cure")
    for body, judged in ((failure, case.show()), (cure, case.cure())):
        names: dict[str, object] = {}
        exec(head + body, names)
        number = float(names["number"])  # type: ignore[arg-type]
        assert case.diagnostic.crossed(number) == judged.crossed
        assert key == "axes" or number == pytest.approx(judged.reading.number, rel=1e-6)  # a ranking in a given time varies
