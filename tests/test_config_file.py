"""Settings survive a file exactly; a file that is none is one sentence."""

from __future__ import annotations

import json

import pytest

from ptycho_nb.config import CONFIGS, ModelConfig, RefinementConfig, SimulationConfig, TrainingConfig
from ptycho_nb.config_file import LARGEST, load_configs, save_configs
from ptycho_nb.errors import ConfigError, InputError

SUFFIXES = [".yaml", ".yml", ".json"]
HEAD = "format: ptycho_nb-config\nversion: 1\n"


def sentence(caught):
    text = str(caught.value)
    assert len(text) <= 200, text
    assert "\n" not in text
    return text


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_setting_survives_exactly(tmp_path, suffix):
    configs = {
        "training": TrainingConfig(epochs=7, learning_rate=1 / 3e5, time_limit=None),
        "simulation": SimulationConfig(nphotons=1e12, pixel_size=1.2345678901234567e-9),
        "model": ModelConfig(network="cnn"),
        "refinement": RefinementConfig.preset("quick", refine_positions=True),
    }
    save_configs(tmp_path / f"a{suffix}", *configs.values())
    assert load_configs(tmp_path / f"a{suffix}") == {**{name: kind() for name, kind in CONFIGS.items()}, **configs}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_left_out_has_its_default(tmp_path, suffix):
    save_configs(tmp_path / f"a{suffix}")
    assert load_configs(tmp_path / f"a{suffix}") == {name: kind() for name, kind in CONFIGS.items()}


def test_a_person_may_write_it_by_hand(tmp_path):
    (tmp_path / "a.yaml").write_text(HEAD + "# mine\ntraining:\n  epochs: 3\n  learning_rate: 1e-3\ndata:\n")
    assert load_configs(tmp_path / "a.yaml")["training"] == TrainingConfig(epochs=3, learning_rate=1e-3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEAD + "trainnig:\n  epochs: 3\n", "'trainnig'; allowed: "),
        (HEAD + "training:\n  epoch: 3\n", "did you mean 'epochs'"),
        (HEAD + "training:\n  epochs: 0\n", "1 to 10000"),
        (HEAD + "training:\n  learning_rate: 1.0e+30\n", "1e-07 to 1"),
        (HEAD + "training:\n  learning_rate: .nan\n", "learning_rate"),
        (HEAD + "training:\n  epochs: [1, 2]\n", "epochs"),
        (HEAD + "training: 3\n", "holds one value"),
        (HEAD + "training: [3]\n", "holds one value"),
        (HEAD + "training:\n  epochs: 3\n  epochs: 4\n", "twice"),
        (HEAD + "training:\n  3: 4\n", "no text"),
        (HEAD + "training:\n  ? [a, b]\n  : 4\n", "no text"),
        ("format: ptycho_nb-config\nversion: 2\n", "update ptycho_nb"),
        ("format: ptycho_nb-config\nversion: one\n", "whole number"),
        ("format: ptycho_nb-config\n", "whole number"),
        ("training:\n  epochs: 3\n", "no settings file"),
        ("", "no settings file"),
        ("[1, 2]", "no settings file"),
        ("just words", "no settings file"),
        ("a: [", "no YAML"),
        ("\ta: 1", "no YAML"),
        (HEAD + "training: !!python/object/apply:os.system ['true']\n", "no YAML"),
        (HEAD + "a: &a [1]\nb: *a\n", "alias"),
        (HEAD + "training:\n  epochs: " + "9" * 5000, "YAML|epochs"),
        (HEAD + "a: " + "[" * 50 + "]" * 50, "nested"),
        ("[" * 100_000, "nested"),
        ("{a: " * 20_000, "nested"),
        ("x" * (LARGEST + 1), "larger than"),
    ],
)
def test_a_bad_yaml_file_is_one_sentence(tmp_path, text, words):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ConfigError, match=words) as caught:
        load_configs(tmp_path / "a.yaml")
    assert sentence(caught).startswith("a.yaml")


def test_a_bomb_of_aliases_is_refused(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    (tmp_path / "a.yaml").write_text(HEAD + "\n".join(lines))
    with pytest.raises(ConfigError, match="alias"):
        load_configs(tmp_path / "a.yaml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"format": "ptycho_nb-config", "version": 1, "training": {"epochs": 1, "epochs": 2}}', "twice"),
        ('{"format": "ptycho_nb-config", "version": 1, "training": {"learning_rate": NaN}}', "learning_rate"),
        ('{"format": "ptycho_nb-config", "version": 1, "training": {"epochs": ' + "9" * 6000 + "}}", "no JSON"),
        ('{"format": "ptycho_nb-config", "version": true}', "whole number"),
        ("[" * 100_000, "no JSON"),
        ('{"a":' * 20_000, "no JSON"),
        ('{"format"', "line 1"),
        ("", "no JSON"),
    ],
)
def test_a_bad_json_file_is_one_sentence(tmp_path, text, words):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ConfigError, match=words) as caught:
        load_configs(tmp_path / "a.json")
    sentence(caught)


def test_text_that_is_not_utf_8_is_one_sentence(tmp_path):
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="UTF-8"):
        load_configs(tmp_path / "a.yaml")


def test_a_missing_file_and_an_unknown_suffix_are_one_sentence(tmp_path):
    with pytest.raises(ConfigError, match="no file"):
        load_configs(tmp_path / "a.yaml")
    for suffix in ("", ".toml", ".npz"):
        with pytest.raises(ConfigError, match="yaml"):
            load_configs(tmp_path / f"a{suffix}")
    with pytest.raises(ConfigError, match="one of each"):
        save_configs(tmp_path / "a.yaml", TrainingConfig(), TrainingConfig())


def test_every_problem_is_told_by_its_field(tmp_path):
    (tmp_path / "a.yaml").write_text(HEAD + "training:\n  epochs: 0\n  batch_size: 0\n")
    with pytest.raises(ConfigError) as caught:
        load_configs(tmp_path / "a.yaml")
    assert set(caught.value.problems) == {"epochs", "batch_size"}


def test_settings_do_not_overwrite_an_input(tmp_path):
    save_configs(tmp_path / "a.yaml", TrainingConfig())
    with pytest.raises(InputError, match="never overwritten"):
        save_configs(tmp_path / "a.yaml", TrainingConfig(), inputs=[tmp_path / "a.yaml"])


def test_the_saved_text_is_json_where_it_says_so(tmp_path):
    save_configs(tmp_path / "a.json", TrainingConfig(epochs=3))
    assert json.loads((tmp_path / "a.json").read_text())["training"]["epochs"] == 3
