"""The shortest Python that makes the same run as a form's settings."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from os import PathLike

import ptycho_nb
from ptycho_nb.config import Config, SimulationConfig

Source = SimulationConfig | str | PathLike[str] | None


def show_python(lines: Iterable[str], source: Source = None) -> str:
    """A program: imports, the scan, and these lines.

    Parameters
    ----------
    lines : iterable of str
        What follows once there is a ``scan``.
    source : SimulationConfig or path, optional
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
    if source is None:
        return "# scan: the scan that the panel was given"
    if isinstance(source, SimulationConfig):
        given = constructor(source) if source.changes() else ""
        return f"scan = simulate_scan({given})"
    return f"scan = load_scan({str(source)!r})"
