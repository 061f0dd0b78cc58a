"""A case of the gallery as the shortest Python that makes its two runs and their numbers."""

from __future__ import annotations

import ast

import ptycho_nb
from ptycho_nb.config import Config
from ptycho_nb.lessons.failures import Failure, Trial

ELSEWHERE = {  # names that are not ptycho_nb's own, or not at its top
    "np": "import numpy as np",
    "noise_r_factor": "from ptycho_nb.checks import noise_r_factor",
    "overlap": "from ptycho_nb.metrics import overlap",
}


def program(case: Failure) -> str:
    """Both runs with their numbers, the failure first; each leaves ``scan``, ``result`` and ``number``.

    What is not at its default in one of them is written in both.
    """
    lines = ["# The failure", *_run(case, case.bad, case.good), "", "# The cure", *_run(case, case.good, case.bad)]
    used = {node.id for node in ast.walk(ast.parse("\n".join(lines))) if isinstance(node, ast.Name)}
    own = ", ".join(name for name in ptycho_nb.PUBLIC if name in used)
    heads = [line for name, line in ELSEWHERE.items() if name in used]
    first = [f"{head}\n" for head in heads if head.startswith("import")]
    return "\n".join([*first, f"from ptycho_nb import {own}", *(h for h in heads if h.startswith("from")), "", *lines, ""])


def _run(case: Failure, trial: Trial, other: Trial) -> list[str]:
    """A run and its number, in lines."""
    configs = [_constructor(*pair) for pair in zip(trial.configs, other.configs, strict=True)]
    lines = [f"scan = simulate_scan({_constructor(trial.simulation, other.simulation)})"]
    if trial.swapped:
        lines.append("scan = scan.replace(positions=scan.positions[:, ::-1])  # the file calls rows columns")
    if trial.transposed:
        lines.append("scan = scan.oriented(transpose=True)")
    if trial.fitted is not None:
        lines += [f"config = {configs[0]}", "result = refine(scan, config=config)"]
    else:
        lines += [f"training = train(scan, {', '.join(configs)})", "result = reconstruct(training.model, scan)"]
    return [*lines, *case.diagnostic.code.splitlines(), f"number  # the alarm rings {case.diagnostic.limit}"]


def _constructor(config: Config, other: Config) -> str:
    """The expression that makes a config, with what it or the other changes."""
    values = config.model_dump()
    changed = {**config.changes(), **other.changes()}
    return f"{type(config).__name__}({', '.join(f'{name}={values[name]!r}' for name in values if name in changed)})"
