"""The shortest Python that makes the same run as a form's settings."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import ptycho_nb
from ptycho_nb.config import Config, SimulationConfig
from ptycho_nb.files import StrPath


@dataclass(frozen=True)
class FileSource:
    """A file, what was said of it, and how its positions were turned.

    Attributes
    ----------
    path : str or path
    arguments : mapping
        Of ``load_scan``, each one that Python's ``repr`` can write.
    orientation : mapping of str to bool
        Of ``Scan.oriented``.
    """

    path: str | PathLike[str]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    orientation: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True)
class Oriented:
    """A simulated scan, or one given in Python (None), and how its positions were turned."""

    source: SimulationConfig | None
    orientation: Mapping[str, bool]


Source = SimulationConfig | FileSource | Oriented | str | PathLike[str] | None


def oriented_source(source: Source, orientation: Mapping[str, bool]) -> Source:
    """Where a scan comes from whose positions were turned, by its source as recorded."""
    match source:
        case _ if not orientation:
            return source
        case FileSource():
            return FileSource(source.path, source.arguments, orientation)
        case SimulationConfig() | None:
            return Oriented(source, orientation)
        case Oriented():
            return Oriented(source.source, orientation)
        case _:
            return FileSource(source, {}, orientation)


def files_of(source: Source) -> tuple[StrPath, ...]:
    """The files that a scan was read from."""
    if isinstance(source, FileSource):
        return (source.path,)
    return (source,) if isinstance(source, str | PathLike) else ()


def show_python(lines: Iterable[str], source: Source = None) -> str:
    """A program: imports, the scan, and these lines.

    Parameters
    ----------
    lines : iterable of str
        What follows once there is a ``scan``.
    source : SimulationConfig, FileSource, Oriented or path, optional
        Where the scan comes from; left to the reader where it is not known.
    """
    body = "\n".join([_scan(source), *lines])
    used = {node.id for node in ast.walk(ast.parse(body)) if isinstance(node, ast.Name)}
    names = ", ".join(name for name in ptycho_nb.PUBLIC if name in used)
    return f"from ptycho_nb import {names}\n\n{body}\n"


def call(function: str, *arguments: str, **configs: Config) -> str:
    """A call with the configs that are not at their defaults as keyword arguments."""
    given = [f"{name}={constructor(config)}" for name, config in configs.items() if config.changes()]
    return f"{function}({', '.join([*arguments, *given])})"


def constructor(config: Config) -> str:
    """The shortest expression that makes this config."""
    return f"{type(config).__name__}({_keywords(config.changes())})"


def _keywords(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in values.items())


def _scan(source: Source) -> str:
    match source:
        case None:
            return "# scan: the scan that the panel was given"
        case SimulationConfig():
            given = constructor(source) if source.changes() else ""
            return f"scan = simulate_scan({given})"
        case Oriented():
            begun = "\nscan = scan" if source.source is None else ""
            return f"{_scan(source.source)}{begun}.oriented({_keywords(source.orientation)})"
        case FileSource():
            given = "".join(f", {name}={value!r}" for name, value in source.arguments.items())
            turned = f".oriented({_keywords(source.orientation)})" if source.orientation else ""
            return f"scan = load_scan({str(source.path)!r}{given}){turned}"
        case _:
            return f"scan = load_scan({str(source)!r})"
