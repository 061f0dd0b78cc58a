"""The rules of the house, read from the code: which room may import which, and what stands in one place only."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

import ptycho_nb

HOME = Path(ptycho_nb.__file__).parent
FLOORS = (  # from the ground up; within a floor a room imports those to its left
    (
        "errors",
        "quantities",
        "markup",
        "files",
        "storage",
        "memory",
        "machine",
        "config",
        "config_file",
        "physics",
        "patches",
        "losses",
        "prediction",
        "synchronise",
    ),
    ("scan", "orientation", "metrics"),
    ("simulate", "dataset", "network", "readers"),
    ("model",),
    ("history", "runs"),
    ("training", "result", "reconstruction", "guess", "refinement", "freedoms", "quick_look", "resolution", "estimate", "checks"),
    ("views", "figures", "compare", "exports", "report", "lessons", "cli"),
    ("ui/drawing", "ui/viewer", "ui/forms"),
    ("ui/panels", "ui/lessons"),
    ("ui/app",),
)
ORDER = [room for floor in FLOORS for room in floor]
GATES = ("np.load", "h5py.File", "torch.load", "zipfile", "yaml", "widgets.HTML")
LONGEST_FILE, LONGEST_FUNCTION = 300, 60
VAGUE = {"utils", "util", "helpers", "common", "core", "base", "misc"}


@dataclass(frozen=True)
class Source:
    """One file of the package: its path below ``ptycho_nb`` without suffix, and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def room(self) -> str:
        parts = [p for p in self.path.split("/") if p != "__init__"]
        return "/".join(parts[: 2 if parts[:1] == ["ui"] else 1])

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    @cached_property
    def imports(self) -> list[str]:
        """Dotted names of what is imported, each name of ``from x import y`` as x.y."""
        found = []
        for node in self.nodes:
            if isinstance(node, ast.Import):
                found += [alias.name for alias in node.names]
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.path}: relative import"
                found += [f"{node.module}.{alias.name}" for alias in node.names]
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "ptycho_nb" and node.attr in ptycho_nb.ROOMS:
                found.append(f"ptycho_nb.{ptycho_nb.ROOMS[node.attr].replace(':', '.')}")  # loaded on first use
        return found

    @property
    def packages(self) -> set[str]:
        return {name.split(".")[0] for name in self.imports}

    @property
    def rooms(self) -> set[str]:
        """Rooms of the house it imports from."""
        names = [name.split(".")[1:] for name in self.imports if name.startswith("ptycho_nb.") and name != "ptycho_nb.__version__"]
        return {"/".join(n[:2]) if n[0] == "ui" else n[0] for n in names if n}


HOUSE = [Source(p.relative_to(HOME).with_suffix("").as_posix(), p.read_text(encoding="utf-8")) for p in sorted(HOME.rglob("*.py"))]


def widgets_live_under_ui(s: Source) -> bool:
    return s.room.startswith("ui") or not s.packages & {"ipywidgets", "IPython"}


def the_screen_knows_no_torch(s: Source) -> bool:
    return not s.room.startswith("ui") or not s.packages & {"torch", "lightning"}


def no_pyplot_no_tight_layout(s: Source) -> bool:
    named = {n.attr for n in s.nodes if isinstance(n, ast.Attribute)}
    return not any("pyplot" in name for name in s.imports) and "tight_layout" not in named


def figures_are_made_in_one_room(s: Source) -> bool:
    return s.room == "figures" or not any(name.startswith("matplotlib.figure") for name in s.imports)


def physics_is_torch_and_numpy(s: Source) -> bool:
    allowed = {"torch", "numpy", "ptycho_nb", *sys.stdlib_module_names}
    own = {"physics", "patches", "losses"}
    return s.room not in own or (s.packages <= allowed and s.rooms <= own | {"errors"})


def physics_and_networks_take_no_config(s: Source) -> bool:
    return s.room not in {"physics", "patches", "losses", "network"} or "config" not in s.rooms


def config_is_pydantic(s: Source) -> bool:
    allowed = {"pydantic", "pydantic_core", "ptycho_nb", *sys.stdlib_module_names}
    return s.room != "config" or (s.packages <= allowed and s.rooms <= {"errors", "config"})


def imports_stand_at_the_top(s: Source) -> bool:
    if s.path in {"__init__", "ui/__init__"}:  # tables of names that are loaded on first use
        return True
    body = [n for n in s.tree.body if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))]
    kinds = [isinstance(n, ast.Import | ast.ImportFrom) for n in body]
    inside = sum(isinstance(n, ast.Import | ast.ImportFrom) for n in s.nodes) - sum(kinds)
    return inside == 0 and kinds == sorted(kinds, reverse=True)


def names_say_what_is_inside(s: Source) -> bool:
    return not VAGUE & set(s.path.split("/"))


def files_are_short(s: Source) -> bool:
    return len(s.text.splitlines()) <= LONGEST_FILE


def functions_are_short(s: Source) -> bool:
    return all(_code_lines(n) <= LONGEST_FUNCTION for n in s.nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


def _code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    has = ast.get_docstring(function) is not None
    doc = function.body[0].end_lineno - function.body[0].lineno + 1 if has else 0
    return function.end_lineno - function.lineno + 1 - doc


def nothing_is_printed(s: Source) -> bool:
    return s.room == "cli" or "print" not in {n.func.id for n in s.nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}


def errors_are_named(s: Source) -> bool:
    return not any(isinstance(n, ast.ExceptHandler) and n.type is None for n in s.nodes)


def getattr_has_no_default(s: Source) -> bool:
    calls = [n for n in s.nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == "getattr"]
    return all(len(n.args) == 2 for n in calls)


def imports_run_downwards(s: Source) -> bool:
    if s.room not in ORDER:
        return True
    return all(room == s.room or (room in ORDER and ORDER.index(room) < ORDER.index(s.room)) for room in s.rooms)


RULES = (  # each with a source that breaks it
    (widgets_live_under_ui, Source("training", "from IPython.display import display")),
    (the_screen_knows_no_torch, Source("ui/app", "import torch.nn as nn")),
    (no_pyplot_no_tight_layout, Source("figures", "import matplotlib.pyplot as plt")),
    (no_pyplot_no_tight_layout, Source("figures", "figure.tight_layout()")),
    (figures_are_made_in_one_room, Source("compare", "from matplotlib.figure import Figure")),
    (physics_is_torch_and_numpy, Source("physics", "import scipy.fft")),
    (physics_and_networks_take_no_config, Source("network", "from ptycho_nb.config import ModelConfig")),
    (config_is_pydantic, Source("config", "import numpy as np")),
    (imports_stand_at_the_top, Source("scan", "def f():\n    import torch")),
    (imports_stand_at_the_top, Source("scan", "x = 1\nimport torch")),
    (names_say_what_is_inside, Source("metrics/helpers", "")),
    (files_are_short, Source("scan", "x = 1\n" * 301)),
    (functions_are_short, Source("scan", "def f():\n" + "    x = 1\n" * 60)),
    (nothing_is_printed, Source("scan", "print(1)")),
    (errors_are_named, Source("scan", "try:\n    f()\nexcept:\n    pass")),
    (getattr_has_no_default, Source("scan", "getattr(a, 'b', None)")),
    (imports_run_downwards, Source("scan", "from ptycho_nb.training import train")),
    (imports_run_downwards, Source("result", "from ptycho_nb import refine")),
    (imports_run_downwards, Source("result", "import ptycho_nb\nptycho_nb.refine(scan)")),
    (imports_run_downwards, Source("metrics/rings", "from ptycho_nb import simulate")),
    (imports_run_downwards, Source("ui/panels/scan", "from ptycho_nb.ui.app import App")),
)


@pytest.mark.parametrize("rule", dict.fromkeys(rule for rule, _ in RULES), ids=lambda rule: rule.__name__)
def test_house_rule_holds(rule):
    assert [s.path for s in HOUSE if not rule(s)] == []


@pytest.mark.parametrize(("rule", "broken"), RULES, ids=lambda value: getattr(value, "__name__", ""))
def test_house_rule_sees_its_fault(rule, broken):
    assert not rule(broken)


@pytest.mark.parametrize("gate", GATES)
def test_a_gate_stands_in_one_room(gate):
    assert len({s.path for s in HOUSE if passes(s, gate)}) <= 1, [s.path for s in HOUSE if passes(s, gate)]


def passes(s: Source, gate: str) -> bool:
    """The source calls what the gate guards, or imports it where it is a module."""
    called = {ast.unparse(n.func) for n in s.nodes if isinstance(n, ast.Call)}
    return gate in called if "." in gate else gate in s.packages


def test_the_gates_are_seen():
    text = "import zipfile\nimport yaml\nnp.load(f)\nh5py.File(f)\ntorch.load(f)\nwidgets.HTML(t)"
    assert all(passes(Source("x", text), gate) for gate in GATES)


def test_every_room_has_a_floor():
    rooms = {s.room for s in HOUSE} - {"", "ui", "__main__"}
    assert rooms - set(ORDER) == set()


def test_no_circle_of_imports_between_files():
    files = {s.path.removesuffix("/__init__").replace("/", "."): s for s in HOUSE if s.path != "__init__"}
    edges = {name: {f for f in files for i in s.imports if f != name and _is_in(i, f, files)} for name, s in files.items()}
    seen: dict[str, bool] = {}

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name not in seen:
            for other in sorted(edges[name]):
                visit(other, (*trail, name))
            seen[name] = True

    for name in files:
        visit(name, ())


def _is_in(imported: str, file: str, files: dict[str, Source]) -> bool:
    """The dotted name comes from that file: it is the file, or a name in it and no file of its own."""
    name = imported.removeprefix("ptycho_nb.")
    return name == file or (name not in files and name.rpartition(".")[0] == file)
