"""A notebook with its blank answers filled in."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from typing import Any

from ptycho_nb.errors import InputError

ASKS = ("check", "Question")  # what an answer is handed to
NOTE = "**Solutions.** A copy of the notebook with its answers filled in, made by `ptycho-nb notebooks --solutions`."


def solved(text: str, solutions: Mapping[str, str]) -> str:
    """The notebook (.ipynb as text) with ``answer = None`` replaced in each cell that hands an answer to a check.

    A note stands on top; outputs are left out: they are made by running it. Empty where no cell does.

    Parameters
    ----------
    solutions : mapping of str to str
        Number of the exercise -> source that assigns ``answer``.

    Raises
    ------
    InputError
        A cell checks an answer that has no solution, or holds no blank ``answer = None``.
    """
    notebook: dict[str, Any] = json.loads(text)
    filled_in = False
    for cell in notebook.get("cells", ()):
        if cell["cell_type"] == "code":
            blank = "".join(cell["source"])
            source = filled(blank, solutions)
            filled_in = filled_in or source != blank
            cell["source"] = source.splitlines(keepends=True)
            cell["outputs"], cell["execution_count"] = [], None
    if not filled_in:
        return ""
    note = {"cell_type": "markdown", "id": "solutions", "metadata": {}, "source": [NOTE]}
    notebook["cells"].insert(0, note)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def filled(source: str, solutions: Mapping[str, str]) -> str:
    """The source of a cell with the solution in place of its blank answer; unchanged where it checks none."""
    if not any(name in source for name in ASKS):
        return source
    tree = ast.parse(source)
    number = asked(tree)
    if number is None:
        return source
    blanks = [statement for statement in tree.body if _is_blank(statement)]
    if number not in solutions or len(blanks) != 1:
        raise InputError(f'The cell that checks {number!r} needs an exercise of that number and one line "answer = None".')
    lines = source.splitlines()
    first, last = blanks[0].lineno - 1, blanks[0].end_lineno or blanks[0].lineno
    return "\n".join([*lines[:first], solutions[number], *lines[last:]])


def asked(tree: ast.Module) -> str | None:
    """The number of the exercise whose answer a cell checks."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ASKS and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                return first.value
    return None


def _is_blank(statement: ast.stmt) -> bool:
    """Whether it is ``answer = None`` or ``answer = ...``."""
    if not (isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)):
        return False
    names = [target.id for target in statement.targets if isinstance(target, ast.Name)]
    return names == ["answer"] and statement.value.value in (None, ...)
