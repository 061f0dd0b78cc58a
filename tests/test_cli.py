from __future__ import annotations

import inspect
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import lightning as L
import numpy as np
import pytest
import torch

import ptycho_nb
from ptycho_nb import cli
from ptycho_nb.cli import outputs, progress, ready, runs, shipped
from ptycho_nb.cli.options import READ_OPTIONS, in_options
from ptycho_nb.config import CONFIGS, SimulationConfig
from ptycho_nb.config_file import load_configs
from ptycho_nb.history import Control, History, interrupt_stops
from ptycho_nb.memory import Memory
from ptycho_nb.readers import load_scan, save_scan
from ptycho_nb.result import Reconstruction
from ptycho_nb.simulate import simulate_scan
from ptycho_nb.training import train

TINY = SimulationConfig(object="dead_leaves", probe="gaussian", N=32, height=80, width=88, probe_diameter=10, defocus=0.2, overlap=0.5)
FEW = ["--set", "refinement.epochs=2", "--set", "training.epochs=1"]


@pytest.fixture(scope="module")
def tiny():
    return simulate_scan(TINY)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def scan_file(here, tiny):
    save_scan(here / "tiny.npz", tiny)
    return "tiny.npz"


@pytest.fixture
def strangers_file(here, tiny):
    """Counts, positions in µm and a probe under names that nobody uses, zero frequency at the corner."""
    corner = np.fft.ifftshift(tiny.intensity, axes=(1, 2)).astype(np.uint32)
    np.savez(here / "theirs.npz", alpha=corner, beta=tiny.positions * 0.01, gamma=tiny.probe[0])
    return "theirs.npz"


def refused(capsys, *arguments: str) -> str:
    """The one sentence on stderr of a command that exits with 2 and leaves the folder as it was."""
    before = sorted(Path.cwd().rglob("*"))
    assert cli.run(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("ptycho-nb: ")
    assert said.count("\n") == 1
    assert "Traceback" not in said
    assert sorted(Path.cwd().rglob("*")) == before
    return said


# Names of options


def test_each_keyword_of_load_scan_is_an_option():
    keywords = [p.name for p in inspect.signature(load_scan).parameters.values() if p.kind is p.KEYWORD_ONLY]
    assert list(READ_OPTIONS) == keywords


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_each_command_explains_itself(capsys, name):
    assert cli.run([name, "--help"]) == 0
    assert cli.COMMANDS[name].__doc__.splitlines()[0] in " ".join(capsys.readouterr().out.split())


def test_version(capsys):
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out == f"ptycho-nb {ptycho_nb.__version__}\n"


# What is refused


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["recostruct"], "reconstruct"),
        (["reconstruct"], "scan"),
        (["reconstruct", "a.npz", "--fancy"], "--fancy"),
        (["reconstruct", "none.npz"], "no file none.npz"),
        (["reconstruct", "none.npz", "--method", "magic"], "iterative"),
        (["reconstruct", "none.npz", "--out", "a.tiff"], "*.npz or *.h5"),
        (["reconstruct", "none.npz", "--out", "nowhere/a.npz"], "no folder"),
        (["reconstruct", "none.npz", "--set", "training.epcohs=3"], "did you mean 'epochs'"),
        (["reconstruct", "none.npz", "--set", "trainign.epochs=3"], "model, training, inference"),
        (["reconstruct", "none.npz", "--set", "training.epochs"], "training.epochs=3"),
        (["reconstruct", "none.npz", "--set", "training.epochs=0"], "1 to 10000"),
        (["reconstruct", "none.npz", "--set", "training.epochs="], "whole number"),
        (["reconstruct", "none.npz", "--preset", "fast"], "'fast'; allowed: quick, standard, best."),
        (["reconstruct", "none.npz", "--preset", "best", "--config", "a.yaml"], "not both"),
        (["train", "none.yaml"], "no file none.yaml"),
        (["simulate", "--set", "simulation.object=moon"], "siemens_star"),
        (["info", "none.npz"], "no file none.npz"),
        (["info", "none.safetensors"], "no file none.safetensors"),
        (["settings", "a.txt"], "*.yaml"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(capsys, arguments, said):
    assert said in refused(capsys, *arguments)


def test_a_result_is_never_written_over_a_file(capsys, scan_file):
    Path("mine.npz").write_text("precious")
    assert "mine.npz exists" in refused(capsys, "reconstruct", scan_file, "--out", "mine.npz")
    assert "tiny.npz exists" in refused(capsys, "reconstruct", scan_file, "--out", scan_file)
    assert Path("mine.npz").read_text() == "precious"


def test_an_output_that_exists_asks_for_the_option_that_the_command_has(capsys, scan_file):
    for name in ("mine.yaml", "mine.html"):
        Path(name).write_text("precious")
    assert "another name, or" in refused(capsys, "settings", "mine.yaml")
    assert "another name with --out, or" in refused(capsys, "simulate", "--out", scan_file)
    assert "another name with --report, or" in refused(capsys, "reconstruct", scan_file, "--report", "mine.html")


def test_a_picture_is_never_written_over_a_file(capsys, scan_file):
    Path("mine.png").write_text("precious")
    assert "mine.png exists" in refused(capsys, "reconstruct", scan_file, "--out", "mine.npz")


def test_a_model_where_none_is_used_is_refused(capsys, scan_file):
    said = refused(capsys, "reconstruct", scan_file, "--method", "iterative", "--model", "m.safetensors")
    assert "--method iterative uses no model" in said


def test_an_unexpected_error_is_one_sentence_and_exit_code_1(capsys, monkeypatch, scan_file):
    monkeypatch.setattr("ptycho_nb.cli.scans.checks", lambda scan: 1 / 0)
    assert cli.run(["info", scan_file]) == 1
    assert capsys.readouterr().err == "ptycho-nb: Unexpected ZeroDivisionError: division by zero; --debug shows where.\n"


def test_an_abort_is_told_and_exit_code_130(capsys, monkeypatch, scan_file):
    def abort(scan):
        raise KeyboardInterrupt

    monkeypatch.setattr("ptycho_nb.cli.scans.checks", abort)
    assert cli.run(["info", scan_file]) == 130
    assert capsys.readouterr().err == "ptycho-nb: Aborted.\n"


def test_debug_shows_the_traceback(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.command(["info", "none.npz", "--debug"])
    assert stopped.value.code == 2
    assert "Traceback" in capsys.readouterr().err


# What comes out


def test_settings_are_a_file_to_start_from(capsys):
    assert cli.run(["settings", "mine.yaml", "--preset", "quick", "--set", "training.epochs=7", "--set", "training.time_limit=none"]) == 0
    configs = load_configs("mine.yaml")
    assert configs["training"] == CONFIGS["training"].preset("quick", epochs=7)
    assert configs["refinement"] == CONFIGS["refinement"].preset("quick")
    assert str(Path("mine.yaml").absolute()) in capsys.readouterr().out


def test_a_simulated_scan_is_saved(capsys, tiny):
    changes = [f"--set=simulation.{name}={value}" for name, value in TINY.changes().items()]
    assert cli.run(["simulate", "--out", "made.npz", *changes]) == 0
    np.testing.assert_array_equal(load_scan("made.npz").intensity, tiny.intensity)
    assert repr(tiny) in capsys.readouterr().out


def test_info_lists_arrays_roles_and_assumptions(capsys, scan_file, tiny):
    assert cli.run(["info", scan_file]) == 0
    said = capsys.readouterr().out
    for array in ("intensity", "positions", "probe", "truth"):
        assert array in said
    assert str(tiny.intensity.shape) in said
    assert tiny.notes[0] in said


def test_info_on_a_stranger_s_file_lists_it_and_names_the_way(capsys, strangers_file):
    assert cli.run(["info", strangers_file]) == 2
    said = capsys.readouterr()
    assert "alpha" in said.out
    assert "patterns" in said.err
    arguments = ["--patterns", "alpha", "--positions", "beta", "--probe", "gamma", "--zero-frequency", "corner"]
    assert cli.run(["info", strangers_file, *arguments, "--position-unit", "px"]) == 0
    assert "32 x 32" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("spoken", "typed"),
    [
        ("give energy_ev=, distance_m=.", "give --energy-ev, --distance-m."),
        ("say quantity='counts' or 'amplitude'.", "say --quantity 'counts' or 'amplitude'."),
        ('check quantity= ("counts")', 'check --quantity ("counts")'),
        ("crop=18 keeps it", "--crop 18 keeps it"),
        ("a.npz, patterns=: There is no array", "a.npz, --patterns: There is no array"),
        ("There is no position_unit 'cm'", "There is no --position-unit 'cm'"),
        ("Name them: load_scan(…, patterns='my a', probe='b').", "Name them: --patterns 'my a' --probe 'b'."),
        ("Name them: load_scan(…, patterns=…, positions=…).", "Name them: --patterns … --positions …."),
        ("scan.on_detector(mask=good_pixels(scan))", "scan.on_detector(mask=good_pixels(scan))"),
        ("SimulationConfig.probe_diameter is 0, max=3", "SimulationConfig.probe_diameter is 0, max=3"),
    ],
)
def test_arguments_are_spoken_of_as_options(spoken, typed):
    assert in_options(spoken) == typed


def test_what_is_missing_is_asked_for_by_options(capsys, scan_file, tiny, here):
    names = ("--patterns", "alpha", "--positions", "beta", "--zero-frequency", "corner")
    np.savez(here / "theirs.npz", alpha=np.fft.ifftshift(tiny.intensity, axes=(1, 2)), beta=tiny.positions)
    assert "give --energy-ev, --distance-m, --detector-pixel-m." in refused(capsys, "info", "theirs.npz", *names, "--position-unit", "m")
    cli.run(["reconstruct", scan_file, "--zero-frequency", "corner", *FEW])
    assert 'load it with --zero-frequency "corner"' in capsys.readouterr().out


def test_names_from_a_file_cannot_steer_the_terminal(capsys, tiny, here):
    np.savez(here / "evil.npz", **{"\x1b[2Jpatterns": tiny.intensity, "positions": tiny.positions})
    cli.run(["info", "evil.npz"])
    said = capsys.readouterr()
    assert "\x1b" not in said.out + said.err


def test_reconstruct_leaves_a_result_and_a_picture(capsys, scan_file, tiny):
    assert cli.run(["reconstruct", scan_file, *FEW]) == 0
    result = Reconstruction.load("tiny_object.npz")
    assert (result.method, result.object.shape) == ("Iterative", tiny.truth.shape)
    assert Path("tiny_object.png").read_bytes().startswith(b"\x89PNG")
    said = capsys.readouterr().out
    assert str(Path("tiny_object.npz").absolute()) in said
    assert str(Path("tiny_object.png").absolute()) in said


def test_reconstruct_takes_the_options_of_load_scan(scan_file):
    assert cli.run(["reconstruct", scan_file, "--crop", "24", "--out", "small.h5", *FEW]) == 0
    assert Reconstruction.load("small.h5").probe.shape == (1, 24, 24)


def test_train_leaves_a_model_that_reconstruct_takes(capsys, scan_file):
    narrow = ["--set", "model.hidden=16", "--set", "training.epochs=1"]
    assert cli.run(["settings", "few.yaml", *narrow]) == 0
    assert cli.run(["train", "few.yaml", scan_file, "--out", "run"]) == 0
    assert {p.name for p in Path("run").iterdir()} == {
        *("history.json", "loss.png", "model.safetensors", "object.npz", "object.png", "settings.yaml"),
    }
    assert len(json.loads(Path("run/history.json").read_text())["metrics"]["train_loss"]) == 1
    assert load_configs("run/settings.yaml")["model"].hidden == 16
    assert cli.run(["info", "run/model.safetensors"]) == 0
    assert cli.run(["info", "run/object.npz"]) == 0
    assert cli.run(["reconstruct", scan_file, "--model", "run/model.safetensors", "--out", "n.npz"]) == 0
    assert Reconstruction.load("n.npz").method == "Network"
    assert cli.run(["reconstruct", scan_file, "--model", "run/model.safetensors", "--method", "both", "--out", "b.npz", *FEW]) == 0
    assert Reconstruction.load("b.npz").method == "Network, then iterative"
    assert "run exists" in refused(capsys_cleared(capsys), "train", "few.yaml", scan_file, "--out", "run")


class Poison(L.Callback):
    """A loss that is no number from the second step on."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_step:
            pl_module.loss = lambda *_: torch.tensor(float("nan"), requires_grad=True)


@pytest.mark.parametrize("method", ["network", "both"])
def test_a_training_that_diverges_is_no_success(capsys, monkeypatch, scan_file, method):
    monkeypatch.setattr(runs, "train", lambda *a, **more: train(*a, **more, callbacks=[Poison()]))
    few = ["--set", "model.hidden=16", "--set", "training.epochs=3", "--set", "training.batch_size=16"]
    assert cli.run(["reconstruct", scan_file, "--method", method, "--out", "d.npz", *few]) == 1
    assert "The run is diverged. The loss became nan at step 2" in capsys.readouterr().err
    kept = Reconstruction.load("d.npz")
    assert (kept.method, kept.state, len(kept.history.steps)) == ("Network", "diverged", 2)
    assert cli.run(["settings", "few.yaml", *few]) == 0
    assert cli.run(["train", "few.yaml", scan_file, "--out", "run"]) == 1
    assert Reconstruction.load("run/object.npz").state == "diverged"
    assert not Path("run/loss.png").exists()  # no epoch was completed


def test_a_network_s_result_brings_its_training(scan_file):
    few = ["--set", "model.hidden=16", "--set", "training.epochs=2"]
    assert cli.run(["reconstruct", scan_file, "--method", "network", "--out", "n.npz", *few]) == 0
    result = Reconstruction.load("n.npz")
    assert (result.state, result.history.epochs) == ("done", 2)
    assert result.seconds > result.history.seconds[-1]


def capsys_cleared(capsys):
    capsys.readouterr()
    return capsys


def test_compare_prints_the_table_and_keeps_the_best(capsys, scan_file):
    assert cli.run(["reconstruct", scan_file, "--method", "compare", "--out", "c.npz", "--set", "model.hidden=16", *FEW]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in ("Iterative", "Network", "Network, then iterative"))
    assert Path("c.npz").exists()


def test_notebooks_are_copied_but_never_over_a_changed_one(capsys, monkeypatch, tmp_path):
    ours = tmp_path / "ours"
    ours.mkdir()
    (ours / "00_a.ipynb").write_text("{}")
    (ours / "01_b.ipynb").write_text("{}")
    monkeypatch.setattr(shipped, "PLACES", (tmp_path / "nothing", ours))
    assert cli.run(["notebooks", "mine"]) == 0
    (tmp_path / "mine/00_a.ipynb").write_text('{"my": "work"}')
    (ours / "01_b.ipynb").write_text('{"newer": 1}')
    (tmp_path / "mine/01_b.ipynb").unlink()
    capsys.readouterr()
    assert cli.run(["notebooks", "mine"]) == 0
    assert (tmp_path / "mine/00_a.ipynb").read_text() == '{"my": "work"}'
    assert (tmp_path / "mine/01_b.ipynb").read_text() == '{"newer": 1}'
    assert "kept as you changed it" in capsys.readouterr().out


def test_lab_without_jupyterlab_says_how_to_install_it(capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install jupyterlab" in refused(capsys, "lab", "mine")


def test_check_ends_with_ready(capsys, monkeypatch):
    monkeypatch.setattr(ready, "trial", lambda: (1234.0, 0.9))
    assert cli.run(["check"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "Ready"
    assert {line.split()[0] for line in lines[:-1]} >= {"torch", "device", "threads", "memory", "folder", "speed"}


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        ("memory", lambda: Memory(2**30, 2**32), "memory is free"),
        ("is_writable", lambda folder: False, "cannot be written to"),
    ],
)
def test_check_says_what_is_missing(capsys, monkeypatch, where, value, said):
    monkeypatch.setattr(ready, "trial", lambda: (1234.0, 0.9))
    monkeypatch.setattr(ready, where, value)
    assert cli.run(["check"]) == 2
    assert said in capsys.readouterr().err


def test_check_on_a_machine_that_is_too_slow_is_not_ready(capsys, monkeypatch):
    monkeypatch.setattr(ready, "trial", lambda: (1.0, 0.1))
    assert cli.run(["check"]) == 1
    said = capsys.readouterr()
    assert "Ready" not in said.out
    assert said.err.startswith("Not ready")


# Outputs and bars


def test_free_names_number_all_files_alike(here):
    (here / "demo.png").touch()
    (here / "demo_2.npz").touch()
    assert [p.name for p in outputs.free_names(here, "demo", (".png", ".npz"))] == ["demo_3.png", "demo_3.npz"]


def test_a_folder_is_whole_or_not_there(here):
    def fail_halfway():
        with outputs.whole_folder(here / "run") as filling:
            (filling / "half").write_text("a")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    assert list(here.iterdir()) == []
    with outputs.whole_folder(here / "run") as filling:
        (filling / "all").write_text("a")
    assert [p.name for p in here.rglob("*")] == ["run", "all"]


class Bar:
    total, n = 10, 0.0

    def set_postfix_str(self, text, refresh):
        self.loss = text

    def set_description_str(self, text, refresh):
        self.words = text

    def update(self, count):
        assert count == 0


def test_a_bar_moves_within_an_epoch_and_goes_on_with_the_next_run():
    follow, seen, history = progress._Follower(bar := Bar()), [], History()
    for epoch in range(2):
        for _ in range(4):
            history.record_step("train_loss", 0.5)
            follow(history)
            seen.append(bar.n)
        history.record_epoch(train_loss=0.5)
        follow(history)
        assert bar.n == epoch + 1
    assert seen == [0, 0, 0, 0, 1.25, 1.5, 1.75, 2.0]
    second = History()
    second.record_step("train_loss", 0.25)
    follow(second)
    assert (bar.n, bar.loss) == (2.0, "loss 0.25")


def test_the_first_ctrl_c_stops_and_the_second_aborts():
    control = Control()
    before = signal.getsignal(signal.SIGINT)

    def press_twice():
        with interrupt_stops(control):
            signal.raise_signal(signal.SIGINT)
            assert control.stopping
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        press_twice()
    assert signal.getsignal(signal.SIGINT) is before


# In a process of its own


def started(*arguments: str) -> subprocess.Popen[str]:
    home = str(Path(ptycho_nb.__file__).parent.parent)
    code = f"import sys; sys.path.insert(0, {home!r}); sys.argv[0] = 'ptycho-nb'; from ptycho_nb.__main__ import main; main()"
    return subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.long
def test_demo_leaves_a_picture_and_a_result_within_a_minute():
    begun = time.monotonic()
    for name in ("ptycho_nb_demo", "ptycho_nb_demo_2"):
        process = started("demo")
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert str(Path(f"{name}.png").absolute()) in out
        assert Reconstruction.load(f"{name}.npz").method == "Network, then iterative"
    assert (time.monotonic() - begun) / 2 < 60


@pytest.mark.long
def test_ctrl_c_keeps_what_there_is(scan_file):
    process = started("reconstruct", scan_file, "--set", "refinement.epochs=10000", "--out", "kept.npz")
    while "patterns of" not in process.stdout.readline():
        assert process.poll() is None
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert "The run is stopped." in err
    assert Reconstruction.load("kept.npz").state == "stopped"


def test_positions_are_turned_as_asked(capsys, scan_file):
    assert cli.run(["info", scan_file, "--transpose", "--flip-rows"]) == 0
    assert "Positions swapped, rows flipped on request." in capsys.readouterr().out
