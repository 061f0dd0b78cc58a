"""A walk over every setting of every config."""

from __future__ import annotations

import math

import pytest

from ptycho_nb.config import CONFIGS, Config, DataConfig, ModelConfig, RefinementConfig, SimulationConfig, TrainingConfig, ViewConfig
from ptycho_nb.errors import ConfigError

EVERY = (*CONFIGS.values(), ViewConfig)  # what a settings file holds, and how an object is shown
FIELDS = [pytest.param(c, s, id=f"{c.__name__}.{s.name}") for c in EVERY for s in c.settings()]
NUMBERS = [p for p in FIELDS if p.values[1].kind in (int, float) and not p.values[1].choices]
LONGEST_SENTENCE = 200  # a few choices need more than the usual 160 characters
BASIC = 8


def refusal(config: type[Config], **values: object) -> str:
    with pytest.raises(ConfigError) as caught:
        config(**values)
    return str(caught.value)


@pytest.mark.parametrize(("config", "setting"), FIELDS)
def test_a_setting_explains_itself(config, setting):
    assert setting.label
    assert setting.label[0].isupper()
    assert setting.help
    assert setting.unit
    assert setting.kind in (int, float, bool, str)


@pytest.mark.parametrize(("config", "setting"), FIELDS)
def test_a_setting_has_a_range_or_choices(config, setting):
    has_range = setting.ge is not None and setting.le is not None and setting.ge < setting.le
    assert setting.kind is bool or has_range or len(setting.choices) >= 2


@pytest.mark.parametrize(("config", "setting"), FIELDS)
def test_a_default_is_allowed(config, setting):
    assert config.problems({setting.name: setting.default}) == {}
    assert setting.default is not None or setting.optional


@pytest.mark.parametrize(("config", "setting"), NUMBERS)
def test_both_ends_of_a_range_are_allowed_and_what_lies_beyond_is_not(config, setting):
    kind = setting.kind
    assert config.problems({setting.name: kind(setting.ge)}) == {}
    assert config.problems({setting.name: kind(setting.le)}) == {}
    for beyond in (kind(setting.ge) - 1, kind(setting.le) * 2 + 1):
        said = refusal(config, **{setting.name: beyond})
        assert said.startswith(f"{config.__name__}.{setting.name} is ")
        assert setting.allowed in said
        assert len(said) <= LONGEST_SENTENCE


@pytest.mark.parametrize(("config", "setting"), NUMBERS)
@pytest.mark.parametrize("value", [math.nan, math.inf, 1e400, "many", [1], {"a": {"b": 1}}, b"\xff", "<script>\n" * 50])
def test_nonsense_is_refused_in_one_sentence(config, setting, value):
    said = refusal(config, **{setting.name: value})
    assert said.startswith(f"{config.__name__}.{setting.name} is ")
    assert "\n" not in said
    assert len(said) <= LONGEST_SENTENCE


@pytest.mark.parametrize(("config", "setting"), [p for p in FIELDS if p.values[1].choices])
def test_an_unknown_choice_is_told_the_choices(config, setting):
    said = refusal(config, **{setting.name: "nonsense"})
    assert all(str(choice) in said for choice in setting.choices)


@pytest.mark.parametrize(("config", "setting"), [p for p in FIELDS if p.values[1].log])
def test_a_logarithmic_range_is_positive(config, setting):
    assert setting.ge > 0


@pytest.mark.parametrize(("config", "setting"), FIELDS)
def test_only_an_optional_setting_may_be_empty(config, setting):
    assert (config.problems({setting.name: None}) == {}) == setting.optional
    assert setting.allowed.endswith("or empty") == setting.optional


@pytest.mark.parametrize("config", EVERY)
def test_a_form_shows_few_basic_settings(config):
    assert 1 <= sum(not s.advanced for s in config.settings()) <= BASIC


@pytest.mark.parametrize("config", EVERY)
def test_labels_differ_within_a_form(config):
    labels = [s.label for s in config.settings()]
    assert len(labels) == len(set(labels))


@pytest.mark.parametrize(("name", "config"), CONFIGS.items())
def test_a_config_is_named_after_its_section(name, config):
    assert config.__name__ == f"{name.capitalize()}Config"


@pytest.mark.parametrize("config", EVERY)
def test_presets_are_quick_standard_and_best_or_none(config):
    assert config.presets() in ((), ("quick", "standard", "best"))
    for name in config.presets():
        assert config.preset(name).replace() == config.preset(name)
    assert not config.presets() or config.preset("quick") != config()  # presets that do nothing are none


@pytest.mark.parametrize("config", [DataConfig, ModelConfig])
def test_groups_and_network_have_no_presets(config):
    with pytest.raises(ConfigError, match=f"no {config.__name__} preset 'quick'"):
        config.preset("quick")


@pytest.mark.parametrize(("config", "setting"), [p for p in FIELDS if p.values[1].kind is not str and not p.values[1].choices])
def test_true_is_no_number_and_one_is_no_yes(config, setting):
    wrong = (0, 1, 1.0, [True]) if setting.kind is bool else (True, False)
    for value in wrong:
        assert refusal(config, **{setting.name: value}) == f"{config.__name__}.{setting.name} is {value}; it must be {setting.allowed}."


def test_words_of_a_command_line_become_numbers_and_yes_or_no():
    config = TrainingConfig(epochs="7", learning_rate="1e-2")
    assert (config.epochs, config.learning_rate) == (7, 0.01)
    assert DataConfig(sequential_sampling="true").sequential_sampling is True


def test_the_usual_batch_is_64_patterns():
    assert TrainingConfig().batch_size == 64


def test_changes_on_top_of_a_preset_win():
    assert TrainingConfig.preset("quick", epochs=7).epochs == 7
    assert TrainingConfig.preset("quick").epochs == TrainingConfig.PRESETS["quick"]["epochs"]


def test_an_unknown_preset_names_those_there_are():
    with pytest.raises(ConfigError, match=r"no RefinementConfig preset 'bets'; allowed: quick, .*best"):
        RefinementConfig.preset("bets")


def test_an_unknown_setting_names_the_nearest():
    assert refusal(TrainingConfig, learning_rte=0.1) == "There is no TrainingConfig setting 'learning_rte'; did you mean 'learning_rate'?"


def test_each_of_several_problems_has_its_sentence():
    problems = TrainingConfig.problems({"epochs": 0, "learning_rate": 1e30, "seed": 3})
    assert list(problems) == ["epochs", "learning_rate"]
    assert problems["epochs"] == "TrainingConfig.epochs is 0; it must be a whole number in 1 to 10000."


@pytest.mark.parametrize(
    ("given", "said"),
    [("0", "0"), (-2.5, "-2.5"), ("1e99", "1e99"), ("many", "'many'"), ("", "empty"), ("  ", "empty"), (None, "empty"), ([1], "[1]")],
)
def test_a_number_is_told_without_quotes_and_an_empty_field_as_empty(given, said):
    assert refusal(TrainingConfig, epochs=given) == f"TrainingConfig.epochs is {said}; it must be a whole number in 1 to 10000."


@pytest.mark.parametrize(("given", "hint"), [("0,1", "0.1"), (" -,5e3 ", "-.5e3"), ("1,000,000", None), ("a,5", None), ([0, 1], None)])
def test_a_fraction_with_a_comma_is_told_how_to_write_it(given, hint):
    end = "." if hint is None else f", with a decimal point: {hint}."
    assert refusal(TrainingConfig, learning_rate=given).endswith(f"; it must be a number in 1e-07 to 1{end}")
    assert "point" not in refusal(TrainingConfig, epochs=given)


def test_a_pattern_width_is_even():
    assert refusal(SimulationConfig, N=65) == "SimulationConfig.N is 65; it must be even, as 64 or 66."
    assert SimulationConfig(N=66).N == 66


def test_the_high_end_of_a_scale_lies_above_its_low_end():
    assert refusal(ViewConfig, phase_low=1, phase_high=0.5) == "ViewConfig.phase_high is 0.5; it must lie above phase_low, or be empty."


def test_configs_are_frozen():
    config = DataConfig()
    with pytest.raises(ValueError, match="frozen"):
        config.gridsize = 3


def test_replace_gives_a_new_config_and_checks_it():
    config = DataConfig(gridsize=2)
    assert (config.replace(gridsize=3).C, config.C) == (9, 4)
    with pytest.raises(ConfigError, match=r"DataConfig\.gridsize"):
        config.replace(gridsize=0)


def test_changes_are_what_differs_from_the_defaults():
    assert SimulationConfig().changes() == {}
    assert SimulationConfig(N=32, overlap=0.7).changes() == {"N": 32}


def test_configs_of_equal_settings_are_equal_and_hash_alike():
    assert SimulationConfig(N=32) == SimulationConfig(N=32)
    assert len({SimulationConfig(N=32), SimulationConfig(N=32), SimulationConfig()}) == 2
