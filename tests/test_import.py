from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import ptycho_nb
import ptycho_nb.ui

HOME = Path(ptycho_nb.__file__).parent.parent
SPIN = {"OMP_WAIT_POLICY", "KMP_BLOCKTIME", "GOMP_SPINCOUNT"}


def fresh(code: str, **environment: str) -> str:
    """What a new interpreter prints."""
    clean = {name: value for name, value in os.environ.items() if name not in SPIN}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env={**clean, **environment}, cwd=HOME, check=True, capture_output=True, text=True).stdout.strip()


def test_import_is_quick_and_loads_nothing_heavy():
    code = """
import sys, time
start = time.process_time()
import ptycho_nb
took = time.process_time() - start
print(took < 0.3, sorted({"torch", "lightning", "numpy", "matplotlib", "pydantic"} & set(sys.modules)))
"""
    assert fresh(code) == "True []"


def test_an_app_is_shown_before_torch_and_lightning_are_loaded():
    code = """
import sys
from ptycho_nb.ui import App
App()._repr_mimebundle_()
print(sorted({"torch", "lightning", "scipy.signal", "ptycho_nb.ui.lessons"} & set(sys.modules)))
"""
    assert fresh(code) == "[]"


def test_a_listener_that_draws_needs_no_lightning():
    code = "import sys; from ptycho_nb.ui import LossPlot; LossPlot(); print('lightning' in sys.modules)"
    assert fresh(code) == "False"


def test_what_a_run_needs_is_loaded_once_the_app_is_on_the_screen():
    code = """
import sys, threading
from ptycho_nb.ui import App
App()._ipython_display_()
[thread.join() for thread in threading.enumerate() if thread.name == "ptycho_nb loading"]
print({"ptycho_nb.training", "ptycho_nb.refinement", "ptycho_nb.estimate", "ptycho_nb.report"} <= set(sys.modules))
"""
    assert fresh(code).splitlines()[-1] == "True"


def test_idle_threads_wait_passively_unless_the_user_chose():
    code = "import os, ptycho_nb; print(os.environ.get('OMP_WAIT_POLICY'))"
    assert fresh(code) == "passive"
    assert fresh(code, OMP_WAIT_POLICY="active") == "active"
    assert fresh(code, KMP_BLOCKTIME="200") == "None"


def test_the_wait_policy_is_left_alone_once_torch_is_loaded():
    loaded = "import sys, types, os; sys.modules['torch'] = types.ModuleType('torch'); "
    assert fresh(loaded + "import ptycho_nb; print(os.environ.get('OMP_WAIT_POLICY'))") == "None"


@pytest.mark.parametrize("missing", ["torch", "lightning"])
def test_without_torch_one_sentence_says_how_to_install_it(missing):
    code = f"""
import sys
sys.modules[{missing!r}] = None
import ptycho_nb
try:
    ptycho_nb.train
except ImportError as error:
    print(error)
"""
    said = fresh(code)
    assert said.startswith(f"ptycho_nb needs {missing}, which is not installed; pip install")
    assert "\n" not in said


@pytest.mark.parametrize("name", ["refine", "quick_look", "rank_orientations"])
def test_a_fit_and_a_look_need_no_lightning(name):
    assert fresh(f"import sys, ptycho_nb; ptycho_nb.{name}; print('lightning' in sys.modules)") == "False"


@pytest.mark.parametrize("name", ptycho_nb.PUBLIC)
def test_every_public_name_loads(name):
    assert getattr(ptycho_nb, name).__name__ == name


@pytest.mark.parametrize("name", ptycho_nb.ui.ROOMS)
def test_every_name_of_the_screen_loads(name):
    assert getattr(ptycho_nb.ui, name).__name__ == name


@pytest.mark.parametrize("room", ["checks", "compare"])
def test_a_function_is_not_hidden_by_its_room(room):
    code = f"import ptycho_nb.{room}, ptycho_nb; from ptycho_nb import {room}; print(callable({room}), callable(ptycho_nb.{room}))"
    assert fresh(code) == "True True"


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        ptycho_nb.trian  # noqa: B018


def test_public_names_are_listed():
    assert set(ptycho_nb.PUBLIC) <= set(dir(ptycho_nb))
    assert set(ptycho_nb.__all__) == {"__version__", *ptycho_nb.PUBLIC}
