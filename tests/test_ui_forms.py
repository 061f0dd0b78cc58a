"""Forms: every setting of every config can be seen, changed, checked, kept and written as Python."""

from __future__ import annotations

import html
import math
import re

import pytest
from ipywidgets import Checkbox, Dropdown, Text
from ipywidgets.widgets.widget import _instances

import ptycho_nb
from ptycho_nb.config import CONFIGS, NO_UNIT, ModelConfig, RefinementConfig, SimulationConfig, TrainingConfig, ViewConfig
from ptycho_nb.config_file import load_configs
from ptycho_nb.errors import ConfigError
from ptycho_nb.ui.drawing import OwnKeys
from ptycho_nb.ui.forms import Form, SettingsFile, call, constructor, show_python, written

EVERY = (*CONFIGS.values(), ViewConfig)
NUMBERS = [(kind, s) for kind in EVERY for s in kind.settings() if not s.choices and s.kind is not bool]


@pytest.fixture(autouse=True)
def nothing_stays():
    """Every test closes what it made."""
    before = len(_instances)
    yield
    assert len(_instances) == before


@pytest.fixture
def training():
    form = Form(TrainingConfig())
    yield form
    form.close()


def others(setting):
    """Allowed values other than the default."""
    if setting.choices:
        return [c for c in setting.choices if c != setting.default]
    if setting.kind is bool:
        return [not setting.default]
    numbers = [setting.ge, setting.le] + ([None] if setting.optional else [])
    return [n if n is None or setting.kind is float else int(n) for n in numbers if n != setting.default]


def news(form, name):
    return form.fields[name]._news.value


@pytest.mark.parametrize("kind", EVERY, ids=lambda k: k.__name__)
def test_a_form_gives_back_the_config_it_shows(kind):
    form = Form(kind())
    assert form.config == kind()
    for name in kind.presets():
        form.set(kind.preset(name))
        assert form.config == kind.preset(name)
    for setting in kind.settings():
        for value in others(setting):
            config = kind().replace(**{setting.name: value})
            form.set(config)
            assert form.config == config, setting.name
    form.close()


@pytest.mark.parametrize("kind", EVERY, ids=lambda k: k.__name__)
def test_every_field_has_label_unit_help_and_a_plain_control(kind):
    form = Form(kind())
    for setting in kind.settings():
        field = form.fields[setting.name]
        assert field.box.description == setting.label
        assert isinstance(field.box, Text | Dropdown | Checkbox)
        note = field._note.value
        assert "<summary" in note
        assert f'aria-label="Help on {setting.label}"' in note
        assert setting.unit == NO_UNIT or setting.unit in note
        assert (field.slider is not None) is setting.log
    basic = [s for s in kind.settings() if not s.advanced]
    assert len(basic) <= 8
    form.close()


@pytest.mark.parametrize(("kind", "setting"), NUMBERS, ids=[f"{kind.__name__}.{s.name}" for kind, s in NUMBERS])
def test_a_wrong_number_is_told_under_its_field_in_the_configs_own_words_by_its_label(kind, setting):
    form = Form(kind())
    for wrong in ("much", str((setting.le or 0) * 10 + 1), "nan"):
        form.fields[setting.name].box.value = wrong
        sentence = kind.problems({setting.name: wrong})[setting.name]
        told = sentence.replace(f"{kind.__name__}.{setting.name}", setting.label)
        assert told.startswith(f"{setting.label} is ")
        assert form.problems == {setting.name: told}
        assert 'role="alert"' in news(form, setting.name)
        assert told in html.unescape(news(form, setting.name))
        with pytest.raises(ConfigError, match=re.escape(told)):
            _ = form.config
    form.set(kind())
    assert form.problems == {}
    assert news(form, setting.name) == ""
    form.close()


def test_a_field_that_is_compared_to_another_speaks_of_both_by_their_labels():
    form = Form(ViewConfig())
    form.fields["phase_low"].box.value, form.fields["phase_high"].box.value = "1", "0.5"
    assert form.problems == {"phase_high": "Phase to is 0.5; it must lie above Phase from, or be empty."}
    form.close()


def test_what_was_entered_is_told_as_it_is_even_where_it_is_a_name_of_the_config(training):
    training.fields["epochs"].box.value = "TrainingConfig.epochs; seed"
    assert training.problems["epochs"] == "Epochs is 'TrainingConfig.epochs; seed'; it must be a whole number in 1 to 10000."


def test_a_comma_in_a_number_gets_a_hint(training):
    training.fields["learning_rate"].box.value = "0,1"
    assert training.problems["learning_rate"] == "Learning rate is '0,1'; it must be a number in 1e-07 to 1, with a decimal point: 0.1."


def test_an_empty_box_is_none_where_that_is_allowed_and_a_problem_elsewhere(training):
    training.fields["time_limit"].box.value = "  "
    assert training.config.time_limit is None
    training.fields["epochs"].box.value = ""
    assert "epochs" in training.problems


def test_a_form_in_a_cell_of_its_own_keeps_its_keys_and_leaves_nothing():
    form = Form(TrainingConfig())
    shown = [form._repr_mimebundle_()["application/vnd.jupyter.widget-view+json"]["model_id"] for _ in range(2)]
    assert shown[0] == shown[1]
    around = _instances[shown[0]]
    keys, inner = around.children
    assert isinstance(keys, OwnKeys)
    assert inner is form.widget
    assert "pnb-panel" in around._dom_classes  # in which keys are kept
    form.close()


def test_an_empty_box_says_what_empty_means(training):
    assert training.fields["time_limit"].box.placeholder == "no limit"
    assert training.fields["epochs"].box.placeholder == ""
    training.fields["gradient_clip"].box.value = ""
    training.fields["time_limit"].box.value = "5"
    assert "changed; default no limit" in news(training, "time_limit")


def test_markup_in_a_box_is_shown_as_text(training):
    training.fields["epochs"].box.value = "<img src=x onerror=alert(1)>"
    assert "<img" not in news(training, "epochs")
    assert "&lt;img" in news(training, "epochs")


def test_numbers_are_not_changed_behind_ones_back(training):
    training.fields["epochs"].box.value = "99999"
    assert training.fields["epochs"].box.value == "99999"
    training.fields["epochs"].box.value = "2.5"
    assert "epochs" in training.problems
    training.set(TrainingConfig(learning_rate=0.00123456789))
    assert training.config.learning_rate == 0.00123456789


def test_box_and_slider_of_a_logarithmic_field_move_together(training):
    field = training.fields["learning_rate"]
    field.box.value = "0.02"
    assert field.slider.value == pytest.approx(0.02)
    field.slider.value = 0.00316227766
    assert training.config.learning_rate == 0.00316
    field.box.value = "70"  # beyond the slider
    assert field.box.value == "70"
    size = training.fields["batch_size"]
    size.slider.value = 20.4
    assert size.box.value == "20"


@pytest.mark.parametrize("kind", EVERY, ids=lambda k: k.__name__)
def test_a_slider_that_goes_to_its_nearest_step_changes_nothing(kind):
    form = Form(kind())
    for field in form.fields.values():
        if field.slider is not None:
            low, step = field.slider.min, field.slider.step
            at = math.log10(field.slider.value)
            field.slider.value = 10 ** (low + round((at - low) / step) * step)  # what a browser sends when it draws the slider
    assert form.config == kind()
    form.close()


def test_a_changed_field_is_marked_until_it_is_reset(training):
    training.fields["epochs"].box.value = "7"
    training.fields["batch_size"].box.value = "none"
    assert f"changed; default {TrainingConfig().epochs}" in news(training, "epochs")
    assert "changed" not in news(training, "learning_rate")
    training.reset.click()
    assert news(training, "epochs") == ""
    assert training.config == TrainingConfig()


def test_presets_fill_the_form_and_are_recognised(training):
    training.preset.value = "quick"
    assert training.config == TrainingConfig.preset("quick")
    training.fields["epochs"].box.value = "333"
    assert training.preset.value == "own"
    training.set(TrainingConfig.preset("best"))
    assert training.preset.value == "best"


def test_those_who_listen_hear_of_each_change_once(training):
    heard = []
    training.on_change(lambda: heard.append(len(training.problems)))
    training.fields["epochs"].box.value = "0"
    training.set(TrainingConfig.preset("best"))
    assert heard == [1, 0]


def test_a_form_takes_only_its_own_kind(training):
    with pytest.raises(ConfigError, match="edits TrainingConfig, not ModelConfig"):
        training.set(ModelConfig())


@pytest.mark.parametrize("value", [1e-8, 0.1, 1e6, 123456789.25, 3, 2**31 - 1, None, 1 / 3])
def test_a_number_is_written_as_it_is(value):
    text = written(value)
    assert (float(text) if text else None) == value


# Settings in files.


@pytest.mark.parametrize("name", ["settings.yaml", "settings.json"])
def test_settings_go_to_a_file_and_come_back(tmp_path, training, name):
    file = SettingsFile({"training": training})
    file.path.value = str(tmp_path / name)
    training.fields["epochs"].box.value = "7"
    file.save.click()
    assert "Saved" in file.news.value
    assert load_configs(tmp_path / name)["training"] == TrainingConfig(epochs=7)
    training.reset.click()
    file.load.click()
    assert training.config == TrainingConfig(epochs=7)
    file.close()


def test_the_path_that_is_told_has_no_detour_and_is_that_of_the_file(tmp_path, training):
    (tmp_path / "far" / "here").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far" / "here")
    file = SettingsFile({"training": training})
    for way, end in (("far/here/../..", ""), ("link/..", "far")):
        file.path.value = f"{tmp_path}/{way}/mine.yaml"
        file.save.click()
        path = tmp_path / end / "mine.yaml"
        assert file.news.value == f"Saved: {path}"
        assert path.exists()
    file.close()


def test_an_existing_file_is_replaced_only_when_asked_twice(tmp_path, training):
    path = tmp_path / "mine.yaml"
    path.write_text("precious")
    file = SettingsFile({"training": training})
    file.path.value = str(path)
    file.save.click()
    assert "once more" in file.news.value
    assert path.read_text() == "precious"
    file.save.click()
    assert "epochs" in path.read_text()
    file.close()


@pytest.mark.parametrize("name", ["", "x.txt", "missing.yaml", "a\x00b.yaml", "<img src=x onerror=alert(1)>.yaml"])
def test_a_bad_file_is_told_in_a_sentence(training, name):
    file = SettingsFile({"training": training})
    file.path.value = name
    file.load.click()
    assert "pnb-alert" in file.problem._dom_classes
    assert file.problem.value
    assert "<img" not in file.problem.value
    assert file.news.value == ""
    file.close()


@pytest.mark.parametrize("name", ["~nosuchuser/x.yaml", "x" * 305 + ".yaml", "folder/.yaml", "/dev/full/x.yaml", ".."])
def test_a_file_that_cannot_be_written_or_read_is_told_and_no_earlier_news_stay(tmp_path, training, name):
    file = SettingsFile({"training": training})
    for button in (file.save, file.load):
        file.path.value = str(tmp_path / "settings.yaml")
        button.click()
        assert file.news.value
        file.path.value = name
        button.click()
        assert file.problem.value
        assert file.news.value == ""
    file.close()


def test_what_was_asked_of_one_file_holds_for_no_other(tmp_path, training):
    file = SettingsFile({"training": training})
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text("precious")
    for name in ("a.yaml", "b.yaml", "a.yaml"):
        file.path.value = str(tmp_path / name)
        file.save.click()
        assert "once more" in file.news.value
        assert (tmp_path / name).read_text() == "precious"
    file.close()


# Python.


@pytest.mark.parametrize("kind", EVERY, ids=lambda k: k.__name__)
def test_the_constructor_in_words_makes_the_same_config(kind):
    values = {s.name: others(s)[-1 if s.name.endswith("_high") else 0] for s in kind.settings() if others(s)}
    for config in (kind(), kind(**values)):
        assert eval(constructor(config), vars(ptycho_nb) | {kind.__name__: kind}) == config


def test_python_names_only_what_differs():
    line = "result = " + call("refine", "scan", config=RefinementConfig(epochs=3))
    text = show_python([line], SimulationConfig(N=32))
    assert text.splitlines() == [
        "from ptycho_nb import SimulationConfig, RefinementConfig, simulate_scan, refine",
        "",
        "scan = simulate_scan(SimulationConfig(N=32))",
        "result = refine(scan, config=RefinementConfig(epochs=3))",
    ]
    assert call("refine", "scan", config=RefinementConfig()) == "refine(scan)"
    hostile = show_python(["result = refine(scan)"], "x'); import os; ('\n.npz")
    assert not re.search(r"^import os", hostile, re.M)
    compile(hostile, "shown", "exec")
