"""What the commands take in common: settings, and how a stranger's file is to be read."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from ptycho_nb.config import (
    CONFIGS,
    Config,
    DataConfig,
    InferenceConfig,
    ModelConfig,
    RefinementConfig,
    SimulationConfig,
    TrainingConfig,
)
from ptycho_nb.config_file import load_configs
from ptycho_nb.errors import ConfigError, unknown
from ptycho_nb.readers import load_scan
from ptycho_nb.scan import Scan

EMPTY = ("", "none", "null", "empty")


class Settings(NamedTuple):
    """A config of each kind."""

    simulation: SimulationConfig
    data: DataConfig
    model: ModelConfig
    training: TrainingConfig
    inference: InferenceConfig
    refinement: RefinementConfig


Changes = Annotated[
    list[str] | None, typer.Option("--set", metavar="SECTION.NAME=VALUE", help="Change a setting, as in training.epochs=3; repeatable.")
]
Preset = Annotated[str | None, typer.Option(help=f"Settings to start from: {', '.join(TrainingConfig.presets())}.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="A settings file, YAML or JSON; see 'ptycho-nb settings'.")]


def settings_from(path: Path | None, preset: str | None, changes: Iterable[str] | None) -> Settings:
    """Every config: of the file, or of the preset, or the defaults, with the changes on top.

    Raises
    ------
    ConfigError
        Both a file and a preset are given, or a name or a value is not allowed.
    """
    if path is not None and preset is not None:
        raise ConfigError("Give a settings file or --preset, not both; single settings are changed with --set.")
    configs: Mapping[str, Any] = load_configs(path) if path is not None else _start(preset)
    return Settings(**with_changes(configs, changes or ()))


def _start(preset: str | None) -> dict[str, Config]:
    if preset is not None and preset not in TrainingConfig.presets():
        raise ConfigError(unknown("preset", preset, TrainingConfig.presets()))
    return {section: kind.preset(preset) if preset in kind.presets() else kind() for section, kind in CONFIGS.items()}


def with_changes(configs: Mapping[str, Config], changes: Iterable[str]) -> dict[str, Any]:
    """The configs with each "section.name=value" put in; an empty value stands for none."""
    wanted: dict[str, dict[str, str | None]] = {section: {} for section in configs}
    for change in changes:
        target, equals, value = change.partition("=")
        section, dot, name = target.strip().partition(".")
        if not (equals and dot):
            raise ConfigError(f"--set {change[:60]!r} is no setting; write SECTION.NAME=VALUE, for example training.epochs=3.")
        if section not in configs:
            raise ConfigError(unknown("section", section, configs))
        wanted[section][name] = None if value.strip().lower() in EMPTY else value.strip()
    return {section: config.replace(**wanted[section]) for section, config in configs.items()}


class ReadOption(NamedTuple):
    """One keyword argument of ``load_scan`` on the command line."""

    kind: Any
    help: str


def takes_scan_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command with an option for each keyword argument of ``load_scan`` and each turn; it receives those given as ``reading``."""

    @functools.wraps(command)
    def wrapped(**given: Any) -> Any:
        values = {name: given.pop(name) for name in READ_OPTIONS | TURNS}
        return command(**given, reading={name: value for name, value in values.items() if value is not None})

    own = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.name != "reading"]
    more = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[option.kind | None, typer.Option("--" + name.replace("_", "-"), help=option.help, rich_help_panel=PANEL)],
        )
        for name, option in (READ_OPTIONS | TURNS).items()
    ]
    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own] + more
    wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {p.name: p.annotation for p in parameters}
    del wrapped.__wrapped__
    return wrapped


def loaded(file: Path, reading: Mapping[str, Any]) -> Scan:
    """The scan in a file, read and turned as the options say."""
    turns = {name: bool(reading.get(name)) for name in TURNS}
    return load_scan(file, **{name: value for name, value in reading.items() if name not in TURNS}).oriented(**turns)


def in_options(sentence: str) -> str:
    """A sentence that speaks of arguments of ``load_scan``, with the options that stand for them."""
    call = CALL.sub(lambda found: found[1].replace(", ", " "), sentence)
    return ARGUMENT.sub(lambda found: "--" + (found[1] or found[3]).replace("_", "-") + (" " if found[2] else ""), call)


PANEL = "How the file is read"
TURNS: dict[str, ReadOption] = {
    "transpose": ReadOption(bool, "Swap rows and columns of the positions."),
    "flip_rows": ReadOption(bool, "Turn the rows of the positions round."),
    "flip_columns": ReadOption(bool, "Turn the columns of the positions round."),
}
READ_OPTIONS: dict[str, ReadOption] = {
    "patterns": ReadOption(str, "Name of the array of diffraction patterns."),
    "positions": ReadOption(str, "Name of the array of probe positions (row, column)."),
    "x": ReadOption(str, "Name of the array of column positions."),
    "y": ReadOption(str, "Name of the array of row positions."),
    "probe": ReadOption(str, "Name of the array of the probe."),
    "position_unit": ReadOption(str, "Unit of the positions: px, m, mm, um or nm."),
    "quantity": ReadOption(str, "What the patterns hold: counts or amplitude."),
    "zero_frequency": ReadOption(str, "Where zero frequency lies: centre or corner."),
    "energy_ev": ReadOption(float, "Photon energy [eV]."),
    "distance_m": ReadOption(float, "From sample to detector [m]."),
    "detector_pixel_m": ReadOption(float, "Width of a detector pixel [m]."),
    "probe_diameter": ReadOption(float, "Diameter of the beam on the sample, in the unit of the positions; for a probe that is estimated."),
    "center": ReadOption(tuple[float, float], "Row and column of the beam on the detector [px]."),
    "crop": ReadOption(int, "Width to crop the patterns to [px]."),
    "bin": ReadOption(int, "Detector pixels to add up, each way."),
    "mask": ReadOption(str, "Name of the array of believed detector pixels."),
}
CALL = re.compile(r"load_scan\(…, (.*)\)")
ARGUMENT = re.compile(  # name=value, name=, and a name that is no other word
    rf"(?<![\w.('\"/-])(?:({'|'.join(READ_OPTIONS)})=(?=(['\"\w…(]?))|({'|'.join(n for n in READ_OPTIONS if '_' in n)})\b(?!['\"]))"
)
