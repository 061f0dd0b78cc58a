"""Directives that write pages from the code: settings from the configs, the reference from the public names.

``{settings}`` NAME gives a table of every setting of a config; ``{public} ptycho_nb KIND`` documents the top names
that are of a kind, ``{public}`` MODULE each name in the ``__all__`` of a module that is no top name.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any, ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_id

import ptycho_nb
from ptycho_nb.config import CONFIGS, NO_UNIT, Config, Setting, ViewConfig

KINDS = ("functions", "configs", "errors", "classes")


class SettingsTable(SphinxDirective):
    """Label, name, default, range, unit and help of each setting of a config."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        configs = {c.__name__: c for c in (*CONFIGS.values(), ViewConfig)}
        config = configs[self.arguments[0]]
        settings = config.settings()
        found: list[nodes.Node] = []
        for advanced, words in ((False, ""), (True, "Advanced")):
            chosen = [s for s in settings if s.advanced is advanced]
            if chosen:
                found += [nodes.rubric(text=words)] if words else []
                found.append(self._table(config, chosen))
        return [*found, *_presets(config)]

    def _table(self, config: type[Config], settings: list[Setting]) -> nodes.Node:
        head = ("Setting", "Default", "Allowed", "What it is")
        group = nodes.tgroup("", *(nodes.colspec(colwidth=width) for width in (22, 12, 26, 40)), cols=len(head))
        top = nodes.thead("", nodes.row("", *(nodes.entry("", nodes.paragraph(text=word)) for word in head)))
        body = nodes.tbody("", *(self._row(config, setting) for setting in settings))
        group += [top, body]
        return nodes.table("", group, classes=["settings"])

    def _row(self, config: type[Config], setting: Setting) -> nodes.row:
        anchor = make_id(self.env, self.state.document, f"{config.__name__}-{setting.name}", setting.name)
        unit = "" if setting.unit == NO_UNIT else f" {setting.unit}"
        default = "empty" if setting.default is None else f"{_plain(setting.default)}{_counted(unit, setting.default)}"
        name = nodes.paragraph("", "", nodes.strong(text=setting.label), nodes.Text(" "), nodes.literal(text=setting.name))
        words = (default, f"{setting.allowed}{f', in{unit}' if unit else ''}", setting.help)
        cells = (name, *(nodes.paragraph(text=word) for word in words))
        row = nodes.row("", *(nodes.entry("", cell) for cell in cells))
        row["ids"].append(anchor)
        return row


class PublicNames(SphinxDirective):
    """Documentation of the public names of a module."""

    required_arguments = 1
    optional_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        module = importlib.import_module(self.arguments[0])
        kind = self.arguments[1] if len(self.arguments) > 1 else None
        assert kind is None or kind in KINDS
        above = [] if module is ptycho_nb else [getattr(ptycho_nb, name) for name in ptycho_nb.PUBLIC]
        named = [(name, getattr(module, name)) for name in module.__all__]
        own = [(name, value) for name, value in named if not any(value is other for other in above)]
        lines = [line for name, value in own for line in _documented(module.__name__, name, value, kind)]
        fence = "\n".join(["```{eval-rst}", *lines, "```"])
        return self.parse_text_to_nodes(fence)


def _documented(module: str, name: str, value: object, kind: str | None) -> Iterator[str]:
    """The lines that document one name."""
    directive = _directive(value)
    if directive is None or (kind is not None and _kind(value) != kind):
        return
    yield f".. {directive}:: {module}.{name}"
    if directive == "autoclass" and _kind(value) == "classes":
        yield "   :members:"
    yield ""


def _directive(value: object) -> str | None:
    if inspect.isclass(value):
        return "autoexception" if issubclass(value, BaseException) else "autoclass"
    return "autofunction" if inspect.isroutine(value) else None


def _kind(value: object) -> str:
    if not inspect.isclass(value):
        return "functions"
    return "configs" if issubclass(value, Config) else "errors" if issubclass(value, BaseException) else "classes"


def _plain(value: Any) -> str:
    """A value as one types it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _counted(unit: str, value: Any) -> str:
    """The unit as it follows a value: 1 wave, 2 waves; a symbol, as s, has no plural."""
    return unit.removesuffix("s") if value == 1 and len(unit.strip()) > 2 else unit


def _presets(config: type[Config]) -> list[nodes.Node]:
    """What each preset changes."""
    if not config.PRESETS:
        return []
    items = []
    for name, changes in config.PRESETS.items():
        words = ", ".join(f"{key} = {_plain(value)}" for key, value in changes.items()) or "every setting at its default"
        call = nodes.literal(text=f"{config.__name__}.preset({name!r})")
        items.append(nodes.list_item("", nodes.paragraph("", "", call, nodes.Text(f": {words}"))))
    return [nodes.rubric(text="Presets"), nodes.bullet_list("", *items)]


def _keep_signs(app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]) -> None:
    """``|x|²`` in a docstring is a modulus and no substitution, a single asterisk no emphasis."""
    lines[:] = [_escaped(line) for line in lines]


def _escaped(line: str) -> str:
    parts = line.split("``")
    outside = "".join(parts[::2])
    for sign, meant in (("|", "|" in outside), ("*", outside.count("*") % 2 == 1)):
        if meant:
            parts[::2] = [part.replace(sign, f"\\{sign}") for part in parts[::2]]
    return "``".join(parts)


def _short_types(
    app: Sphinx, what: str, name: str, value: object, options: object, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """A signature with its types as they stand in the source."""
    return _short(signature), _short(returns)


def _short(text: str | None) -> str | None:
    if text is None:
        return None
    text = re.sub(r"~(?:numpy|typing|collections)\.(?:\w+\.)*(\w+)", r"\1", text).replace("<factory>", "...")
    text = re.sub(r"TypeAliasForwardRef\('(\w+)'\)", r"\1", text)
    return re.sub(r"ndarray\[tuple\[Any, \.\.\.\], dtype\[(\w+)(?:\[Any\])?\]\]", r"NDArray[\1]", text)


def _own_only(app: Sphinx, what: str, name: str, value: object, skip: bool, options: object) -> bool | None:
    """Members that come from another package are left to its documentation."""
    module = getattr(value, "__module__", None) or ""  # what is written in C has none
    return True if inspect.isroutine(value) and not module.startswith("ptycho_nb") else None


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directives."""
    app.add_directive("settings", SettingsTable)
    app.add_directive("public", PublicNames)
    app.connect("autodoc-process-signature", _short_types)
    app.connect("autodoc-skip-member", _own_only)
    app.connect("autodoc-process-docstring", _keep_signs, priority=100)
    return {"version": "1", "parallel_read_safe": True}
