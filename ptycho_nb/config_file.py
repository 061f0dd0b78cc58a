"""Settings in a file that a person can read: YAML or JSON, with a format version."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

import yaml

from ptycho_nb.config import CONFIGS, Config
from ptycho_nb.errors import ConfigError, unknown
from ptycho_nb.files import StrPath, open_input, shown, write_atomic

FORMAT = "ptycho_nb-config"
VERSION = 1
LARGEST = 256 * 1024  # bytes
DEEPEST = 8


def save_configs(path: StrPath, *configs: Config, inputs: Iterable[StrPath] = ()) -> None:
    """Settings written to ``path``, YAML or JSON by its suffix, one section a config, every field.

    Raises
    ------
    ConfigError
        The suffix is unknown, or two configs are of one kind.
    InputError
        The file cannot be written.
    """
    names = {kind: name for name, kind in CONFIGS.items()}
    document: dict[str, Any] = {"format": FORMAT, "version": VERSION}
    for config in configs:
        if type(config) not in names:
            raise ConfigError(f"{type(config).__name__} has no section in a settings file; allowed: {', '.join(CONFIGS)}.")
        if names[type(config)] in document:
            raise ConfigError(f"Two {type(config).__name__} were given; a settings file holds one of each.")
        document[names[type(config)]] = config.model_dump(mode="json")
    text = DIALECTS[_suffix(path)][1](document)

    def write(stream: BinaryIO) -> None:
        stream.write(text.encode())

    write_atomic(path, write, inputs=inputs)


def load_configs(path: StrPath) -> dict[str, Config]:
    """Every config of ``CONFIGS``, by its name there; sections and fields left out have their defaults.

    Raises
    ------
    ConfigError
        The file cannot be read, is too large or too deep, is of a newer version, or names a
        section or a setting that does not exist.
    """
    read = DIALECTS[_suffix(path)][0]
    with open_input(path, ConfigError) as stream:
        raw = stream.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise ConfigError(f"{shown(path)} is larger than {LARGEST // 1024} KiB; a settings file is a page of text.")
    try:
        document = read(raw.decode())
    except ConfigError as error:
        raise ConfigError(f"{shown(path)}: {error}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{shown(path)} is no UTF-8 text; save it as UTF-8.") from None
    except (yaml.YAMLError, ValueError, RecursionError, TypeError, AttributeError) as error:
        kind = _suffix(path)[1:].upper()
        raise ConfigError(f"{shown(path)} is no {kind}{_line(error)}; write sections like 'training:' with lines 'epochs: 30'.") from None
    return _configs(document, shown(path))


def _configs(document: Any, name: str) -> dict[str, Config]:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ConfigError(f"{name} is no settings file of ptycho_nb; its first line must be 'format: {FORMAT}'.")
    version = document.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ConfigError(f"{name}: version is {str(version)[:20]!r}; it must be a whole number, now {VERSION}.")
    if version > VERSION:
        raise ConfigError(f"{name} is of version {version}, this ptycho_nb reads up to {VERSION}; update ptycho_nb.")
    sections = {k: v for k, v in document.items() if k not in ("format", "version")}
    for section, values in sections.items():
        if section not in CONFIGS:
            raise ConfigError(f"{name}: {unknown('section', section, CONFIGS)}")
        if not isinstance(values, (dict, type(None))):
            raise ConfigError(f"{name}: section {section!r} holds one value; it must hold lines such as 'name: value'.")
    problems: dict[str, str] = {}
    for section, kind in CONFIGS.items():
        values = sections.get(section) or {}
        problems |= kind.problems({str(key): value for key, value in values.items()})
    if problems:
        raise ConfigError(f"{name}: {next(iter(problems.values()))}", problems)
    return {section: kind(**(sections.get(section) or {})) for section, kind in CONFIGS.items()}


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Plain YAML in which a key stands once."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        _once(self.construct_object(key, deep=True) for key, _ in node.value)
        return dict(super().construct_mapping(node, deep=deep))


def _from_yaml(text: str) -> Any:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise ConfigError("it uses a YAML alias (*name), which settings do not need; write the value out.")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise ConfigError(f"it is nested more than {DEEPEST} deep; settings are two deep: section, then name.")
    return yaml.load(text, Loader=_Loader)


def _to_yaml(document: dict[str, Any]) -> str:
    return str(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))


def _from_json(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_pairs)


def _to_json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _once(key for key, _ in pairs)
    return dict(pairs)


def _once(keys: Iterable[Any]) -> None:
    seen = set()
    for key in keys:
        if not isinstance(key, str):
            raise ConfigError(f"the name {str(key)[:40]!r} is no text; sections and settings have names of letters.")
        if key in seen:
            raise ConfigError(f"{key[:60]!r} stands there twice; keep one.")
        seen.add(key)


def _line(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f" (line {error.lineno})"
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    return "" if mark is None else f" (line {mark.line + 1})"


def _suffix(path: StrPath) -> str:
    suffix = Path(path).suffix.lower()
    if suffix not in DIALECTS:
        raise ConfigError(f"{shown(path)}: settings are kept as {', '.join(DIALECTS)}, not as {suffix[:12] or 'a file without suffix'!r}.")
    return suffix


DIALECTS: dict[str, tuple[Callable[[str], Any], Callable[[dict[str, Any]], str]]] = {
    ".yaml": (_from_yaml, _to_yaml),
    ".yml": (_from_yaml, _to_yaml),
    ".json": (_from_json, _to_json),
}
