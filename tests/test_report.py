"""The methods text and the report: what the run says, all of it, and nothing a stranger wrote as markup."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image
from tiny_scan import tiny_scan

from ptycho_nb import __version__, cli
from ptycho_nb.config import ModelConfig, RefinementConfig, TrainingConfig
from ptycho_nb.errors import InputError
from ptycho_nb.figures import Picture
from ptycho_nb.history import State
from ptycho_nb.metrics import overlap, probe_diameter
from ptycho_nb.readers import save_scan
from ptycho_nb.reconstruction import reconstruct
from ptycho_nb.refinement import refine
from ptycho_nb.report import methods_text, report, write_report
from ptycho_nb.report.methods import REFERENCES, sentences
from ptycho_nb.result import Reconstruction
from ptycho_nb.training import train

SCAN = tiny_scan().replace(pixel_size=3e-8, notes=("Read as photons.",))
FIT = RefinementConfig(epochs=3, batch_size=17, learning_rate=0.07, seed=5)
TRAINING = TrainingConfig(epochs=2, batch_size=19, learning_rate=0.004, weight_decay=0.03, seed=6)
NASTY = '"><img src=x onerror=alert(1)><script>alert(2)</script>\x00'
CITED = re.compile(r"\([^()]*\d{4}\)")
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")


@pytest.fixture(autouse=True, scope="module")
def drawn():
    """Pictures as they are drawn, elsewhere than here: a stand-in saves the seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Picture, "png", lambda picture, dpi: b"drawn")
        yield patch


@pytest.fixture(scope="module")
def fitted():
    return refine(SCAN, None, FIT)


@pytest.fixture(scope="module")
def networked():
    training = train(SCAN, TRAINING, ModelConfig(hidden=12))
    found = reconstruct(training.model, SCAN)
    return found.replace(state=training.state, history=training.history, seconds=training.seconds + found.seconds)


@pytest.fixture(scope="module")
def both(networked):
    return refine(SCAN, networked, FIT)


def numbers(text: str) -> set[str]:
    """Those of the paragraph; years of citations and the version are none of the run's."""
    paragraph = text.partition("\n\nReferences")[0].replace(__version__, "")
    return set(NUMBER.findall(CITED.sub("", paragraph)))


def known(result: Reconstruction, noise: str) -> set[str]:
    """What the run itself says of scan, size, time and misfit; 90 % is what the diameter is defined by."""
    history = result.history
    seconds = history.seconds[-1] if result.method == "Network, then iterative" else result.seconds
    light = float(f"{SCAN.photons:.3g}")
    said = [SCAN.M, SCAN.N, f"{light:,.0f}", "30", "90", f"{probe_diameter(SCAN.probe):.3g}", f"{seconds:.3g}", noise]
    return {str(n) for n in (*said, f"{overlap(SCAN.probe, SCAN.positions):.2f}", f"{result.r_factor(SCAN):.4f}")}


def noise_of(text: str) -> str:
    return re.search(r"photon noise alone gives (\S+)\.$", text.partition("\n\n")[0])[1]


OF_FIT = {"3", "17", "0.07", "5", "0.03", "0.25"}  # epochs, batch, rate, seed, probe start and probe rate, total variation
OF_NETWORK = {"2", "19", "0.004", "0.03", "6", "12", "16", "0.05"}  # … weight decay, seed, hidden, patterns in a group, held out


@pytest.mark.parametrize(
    ("run", "own"), [("fitted", OF_FIT), ("networked", OF_NETWORK), ("both", (OF_FIT - {"0.07"}) | OF_NETWORK | {"0.0112"})]
)
def test_every_number_of_the_methods_text_comes_from_the_run(request, run, own):
    result = request.getfixturevalue(run)
    text = methods_text(result, SCAN)
    assert numbers(text) == own | known(result, noise_of(text))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"epochs": 2}, "took 2 epochs"),
        ({"batch_size": 40}, "batches of 40 patterns"),
        ({"learning_rate": 0.5}, "step of an object pixel of 0.5"),
        ({"seed": 77}, "seed 77"),
        ({"loss": "poisson"}, "Poisson likelihood"),
        ({"loss": "amplitude"}, "squared difference of measured and expected amplitudes"),
        ({"refine_probe": False}, "The probe, of one mode, was kept as given."),
        ({"probe_modes": 3}, "of 3 incoherent modes (Thibault & Menzel 2013)"),
        ({"refine_positions": True, "max_shift": 2.5}, "each free to move 2.5 px; they moved by"),
        ({"refine_positions": False}, "The positions were kept as recorded."),
        ({"probe_start": 0.4}, "after a share of 0.4 of the fit"),
        ({"probe_learning_rate": 0.3}, "a greatest step of 0.3 of its maximum"),
        (
            {"refine_positions": True, "position_model": "drift"},
            "all together by a smooth drift in the order of the scan, none by more than 3 px",
        ),
        ({"refine_positions": True, "position_model": "affine"}, "all together by one scale, rotation and shear"),
        ({"refine_brightness": True}, "The brightness of each pattern was fitted too (Odstrčil et al. 2018)."),
        ({"refine_background": True}, "One background of photons under all patterns was fitted too (Thurman & Fienup 2009)."),
        ({"probe_support": 0.8}, "kept to a circle of 0.8 of the window's width"),
        ({"held_pixels": 0.1}, "A share of 0.1 of the pixels of each pattern was kept out"),
        ({"holdout": 0.2}, "A share of 0.2 of the patterns was kept out of the fit"),
    ],
)
def test_another_setting_makes_another_text(change, said):
    assert said in methods_text(refine(SCAN, None, FIT.replace(**change)), SCAN)


@pytest.mark.parametrize(("dose", "rough"), [(1.0, True), (1e-3, False)])
def test_a_fit_is_said_to_follow_amplitudes_at_first_where_pixels_have_a_photon(dose, rough):
    counts = np.random.default_rng(0).poisson(dose * SCAN.intensity).astype(np.float32)
    dim = SCAN.replace(intensity=counts, probe=SCAN.probe * np.float32(dose**0.5))
    text = methods_text(refine(dim, None, FIT), dim)
    assert ("At first the gradient was that of the squared difference of amplitudes." in text) is rough
    assert "Residuals of the likelihood beyond 3 standard deviations were bounded (Huber 1964)" in text


@pytest.mark.parametrize(
    ("section", "change", "said"),
    [
        ("model", {"network": "cnn", "n_filters_scale": 0.5}, "convolutional encoder with a decoder each"),
        ("model", {"network": "fourier", "n_filters_scale": 0.25}, "0.25 times the standard width"),
        ("training", {"optimizer": "sgd"}, "by stochastic gradient descent"),
        ("training", {"loss": "poisson"}, "Poisson likelihood"),
        ("training", {"objective": "supervised"}, "to match the known object"),
        ("training", {"total_variation": 0.3}, "weighed by 0.3"),
        ("data", {"gridsize": 2}, "groups of 4 neighbouring patterns"),
        ("data", {"validation_fraction": 0.25}, "A share of 0.25 of the patterns was held out of the training"),
        ("inference", {"synchronise": "never"}, "as weight."),
    ],
)
def test_another_setting_of_the_network_makes_another_text(networked, section, change, said):
    stated = networked.settings[section]
    assert said not in methods_text(networked, SCAN)
    assert said in methods_text(networked.replace(settings={**networked.settings, section: {**stated, **change}}), SCAN)


def test_each_method_tells_its_own_part(fitted, networked, both):
    assert "network" not in methods_text(fitted, SCAN)
    assert "Hoidn" not in methods_text(fitted, SCAN)
    assert "The fit took" not in methods_text(networked, SCAN)
    text = methods_text(both, SCAN)
    assert text.index("was trained on these patterns") < text.index("From there the object was fitted")


@pytest.mark.parametrize("run", ["fitted", "networked", "both"])
def test_what_is_cited_is_listed_and_nothing_else(request, run):
    paragraph, _, listed = methods_text(request.getfixturevalue(run), SCAN).partition("\n\nReferences\n")
    marks = {mark.strip("()") for mark in CITED.findall(paragraph)}
    assert marks
    assert sorted(REFERENCES[mark] for mark in marks) == sorted(listed.splitlines())


def test_without_the_scan_nothing_is_said_of_photons_and_misfit(fitted):
    text = methods_text(fitted)
    assert "photons each" not in text
    assert "misfit R" not in text
    assert "42 diffraction patterns of 16 × 16 pixels." in text


def test_a_network_of_another_scan_is_told_as_such(networked):
    other = tiny_scan(seed=3)
    assert "trained on another scan of 42 patterns, without" in methods_text(networked, other)
    dim = other.replace(intensity=other.intensity / 10, probe=other.probe / np.sqrt(10, dtype=np.float32))
    bright = f"{float(f'{SCAN.photons:.3g}'):,.0f}"
    assert f"trained on another scan of 42 patterns with {bright} photons each on average, without" in methods_text(networked, dim)


def test_a_network_that_was_stopped_is_told_with_the_epochs_it_came_to(networked):
    planned = {**networked.settings, "training": {**networked.settings["training"], "epochs": 500}}
    stopped = networked.replace(settings=planned, state=State.STOPPED)
    for text in (methods_text(stopped, SCAN), methods_text(refine(SCAN, stopped, FIT), SCAN)):
        assert "For the training it took 2 epochs" in text
    unknown = stopped.replace(history=None)
    for text in (methods_text(unknown, SCAN), methods_text(refine(SCAN, unknown, FIT), SCAN)):
        assert "For the training a course of 500 epochs was planned" in text
    assert "stopped before its planned end" in methods_text(stopped, SCAN)


def test_the_device_is_told_where_the_run_says_it(fitted, networked, tmp_path):
    assert fitted.history.device == networked.history.device == "cpu"
    assert " s on the CPU." in methods_text(fitted, SCAN)
    fitted.save(tmp_path / "a.npz")
    assert methods_text(Reconstruction.load(tmp_path / "a.npz"), SCAN) == methods_text(fitted, SCAN)
    assert "CPU" not in methods_text(fitted.replace(history=None), SCAN)


@pytest.mark.parametrize("settings", [{}, {"refinement": None}, {"refinement": {"epochs": "many"}}, {"refinement": {"no such": 1}}])
def test_settings_that_are_none_are_left_out(fitted, settings):
    text = methods_text(fitted.replace(settings=settings), SCAN)
    assert "42 diffraction patterns" in text
    assert "fitted" not in text


class Page(HTMLParser):
    """What a browser would make of a page: its elements with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.said: list[str] = []
        self.feed(text)
        self.text = " ".join(" ".join(self.said).split())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.said.append(data)

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


@pytest.fixture(scope="module")
def page(fitted):
    return Page(report(fitted, SCAN, python="result = refine(scan)"))


def test_a_report_needs_nothing_but_itself(page):
    assert page.count("script") == page.count("link") == page.count("iframe") == 0
    links = [value for _, attributes in page.elements for key, value in attributes.items() if key in ("src", "href", "srcset")]
    assert links
    assert all(link.startswith("data:image/png;base64,") for link in links)
    style = " ".join(page.said)
    assert "url(" not in style
    assert "@import" not in style
    assert not [key for _, attributes in page.elements for key in attributes if key.startswith("on")]


def test_a_report_can_be_read_by_everyone(page):
    alts = [attributes.get("alt", "") for name, attributes in page.elements if name == "img"]
    assert len(alts) == 5
    assert all(len(alt) > 20 for alt in alts)
    assert dict(page.elements)["html"]["lang"] == "en"
    assert "prefers-color-scheme: dark" in page.text
    assert "@media print" in page.text


def test_a_report_says_all_of_the_run(page, fitted):
    for words in ("Object", "Run", "Checks", "Probe and positions", "Loss", "Patterns", "Methods", "Settings", "Python", "Versions"):
        assert words in page.said
    assert "result = refine(scan)" in page.said
    assert "Read as photons." in page.said
    assert all(" ".join(one.split()) in page.text for one in sentences(fitted, SCAN))


def test_a_report_shows_every_setting_and_marks_the_changed_ones(page):
    for setting in FIT.settings():
        assert setting.name in page.said
    assert sum("● changed" in said for said in page.said) == len(FIT.changes()) == 4


@pytest.mark.long
def test_the_pictures_of_a_report_are_pictures(drawn, fitted):
    drawn.undo()
    found = Page(report(fitted, SCAN))
    drawn.setattr(Picture, "png", lambda picture, dpi: b"drawn")
    shown = [attributes["src"].partition(",")[2] for name, attributes in found.elements if name == "img"]
    for data in shown:
        with Image.open(io.BytesIO(base64.b64decode(data))) as image:
            assert min(image.size) > 300
            assert np.asarray(image.convert("L")).std() > 1
    assert len(shown) == 5


def test_the_worst_pattern_is_found(fitted):
    intensity = SCAN.intensity.copy()
    intensity[23] = np.roll(intensity[23], 3, axis=0)
    page = Page(report(fitted, SCAN.replace(intensity=intensity)))
    assert "Pattern 23, the worst of 42 looked at" in page.text


def test_foreign_text_stays_text(fitted, page):
    scan = SCAN.replace(name=NASTY, notes=(NASTY,))
    fitted.history.message = NASTY
    try:
        result = fitted.replace(name=NASTY, settings={"refinement": {"loss": NASTY}, NASTY: {NASTY: NASTY}})
        found = Page(report(result, scan, python=f"# {NASTY}"))
    finally:
        fitted.history.message = ""
    assert found.count("img") == page.count("img")
    assert found.count("script") == 0
    assert not [key for _, attributes in found.elements for key in attributes if key.startswith("on")]
    assert sum("onerror=alert(1)" in said for said in found.said) >= 6


def test_without_the_scan_a_report_shows_what_the_result_holds(fitted):
    found = Page(report(fitted))
    assert found.count("img") == 3
    assert "The report was made without the scan." in found.said


def test_an_object_without_light_is_said_and_the_rest_is_there(fitted):
    dark = fitted.replace(coverage=np.zeros_like(fitted.coverage))
    found = Page(report(dark))
    assert "there is nothing to show" in found.text
    assert "Settings" in found.said


def test_a_report_is_written_whole_and_never_over_an_input(tmp_path, fitted):
    path = write_report(tmp_path / "run.html", fitted, SCAN)
    assert path.is_absolute()
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>\n<html")
    measured = tmp_path / "scan.html"
    measured.write_bytes(b"measured")
    with pytest.raises(InputError, match="never overwritten"):
        write_report(measured, fitted, SCAN, inputs=[measured])
    assert measured.read_bytes() == b"measured"
    with pytest.raises(InputError, match=re.escape("run.txt must be named *.html or *.htm")):
        write_report(tmp_path / "run.txt", fitted, SCAN)


def test_the_command_line_writes_a_report_and_never_over_a_file(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    save_scan("scan.npz", SCAN)
    command = ["reconstruct", "scan.npz", "--report", "run.html", "--set", "refinement.epochs=1"]
    assert cli.run(command) == 0
    assert str(tmp_path / "run.html") in capsys.readouterr().out
    assert "took 1 epoch " in Page((tmp_path / "run.html").read_text(encoding="utf-8")).text
    for name in ("scan_object.npz", "scan_object.png"):
        (tmp_path / name).unlink()
    assert cli.run(command) == 2
    assert "run.html exists" in capsys.readouterr().err


def test_the_scan_of_another_run_is_refused(tmp_path, fitted):
    with pytest.raises(InputError, match="give the scan it was made from"):
        write_report(tmp_path / "a.html", fitted, tiny_scan(rows=4))
    assert list(tmp_path.iterdir()) == []
