"""The documentation: its code runs, its names are ours, it builds without a warning and asks nothing of a network."""

from __future__ import annotations

import importlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_scan import tiny_scan

import ptycho_nb
from ptycho_nb import ui
from ptycho_nb.config import CONFIGS, ViewConfig
from ptycho_nb.readers import save_scan
from ptycho_nb.readers.request import HC

DOCS = Path(__file__).parent.parent / "docs"
HOW_TO = sorted(path.stem for path in (DOCS / "how_to").glob("*.md") if path.stem != "index")
SLOW = {"see_what_is_wrong", "choose_a_way", "judge_an_image", "fit_probe_and_positions"}  # they fit for seconds
PARTS = {c.__name__: c for c in (*CONFIGS.values(), ViewConfig)}
FENCE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
TAGS = r"<(?:script|img|link|iframe|source|video)\b[^>]*?\b(?:src|href)="
FETCHED = re.compile(rf"""{TAGS}["'](?:https?:)?//[^"']*|url\(["']?(?:https?:)?//|@import""")


def code(page: Path) -> str:
    return "\n".join(FENCE.findall(page.read_text(encoding="utf-8")))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a scan and a file of odd names, the current one."""
    scan = tiny_scan(8, 9)
    save_scan(tmp_path / "scan.npz", scan)
    pixel = HC / 8000 / (scan.N * 55e-6)
    np.savez(tmp_path / "strange.npz", raw=np.moveaxis(scan.intensity, 0, -1), motor=scan.positions * pixel * 1e6)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", [pytest.param(p, marks=pytest.mark.long) if p in SLOW else p for p in HOW_TO])
def test_the_code_of_a_page_runs(page, folder, capsys):
    source = code(DOCS / "how_to" / f"{page}.md")
    assert source
    exec(compile(source, f"{page}.md", "exec"), {"__name__": page})


def test_there_are_ten_tasks_and_the_index_has_them_all():
    index = (DOCS / "how_to" / "index.md").read_text()
    assert len(HOW_TO) == 10
    assert [page for page in HOW_TO if f"\n{page}\n" not in index] == []


def test_every_config_has_its_settings():
    assert re.findall(r"^```\{settings\} (\w+)$", (DOCS / "settings.md").read_text(), re.MULTILINE) == list(PARTS)


@pytest.mark.skipif(importlib.util.find_spec("sphinx") is None, reason="the extra docs is not installed")
def test_a_unit_of_one_is_singular():
    spec = importlib.util.spec_from_file_location("from_the_code", DOCS / "_extensions" / "from_the_code.py")
    pages = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pages)
    given = [(" waves", 1.0), (" waves", 0.0), (" s", 1), (" px", 1), (" photons", 1e6), ("", 1)]
    assert [pages._counted(*one) for one in given] == [" wave", " waves", " s", " px", " photons", ""]


@pytest.mark.parametrize("page", ["words", "teaching"])
def test_settings_that_a_page_names_are_there(page):
    named = re.findall(r"`(\w+Config)\.(\w+)`", (DOCS / f"{page}.md").read_text())
    assert page != "words" or len(named) > 15
    assert [f"{config}.{name}" for config, name in named if name not in PARTS[config].model_fields] == []


def test_names_that_the_teaching_page_imports_are_there():
    imports = re.findall(r"^from (ptycho_nb[\w.]*) import (.+)$", code(DOCS / "teaching.md"), re.MULTILINE)
    assert imports
    for module, names in imports:
        assert [n for n in names.split(", ") if not hasattr(importlib.import_module(module), n)] == []


@pytest.mark.long
@pytest.mark.skipif(importlib.util.find_spec("sphinx") is None, reason="the extra docs is not installed")
def test_it_builds_without_a_warning_names_everything_and_fetches_nothing(tmp_path):
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-d", tmp_path / "trees", DOCS, tmp_path / "site"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    written = "\n".join(path.read_text(encoding="utf-8") for path in (tmp_path / "site" / "reference").glob("*.html"))
    public = [f"ptycho_nb.{name}" for name in ptycho_nb.PUBLIC] + [f"ptycho_nb.ui.{name}" for name in ui.__all__]
    assert [name for name in public if f'id="{name}"' not in written] == []
    pages = [*(tmp_path / "site").rglob("*.html"), *(tmp_path / "site").rglob("*.css")]
    assert {str(path.name): found for path in pages if (found := FETCHED.findall(path.read_text(encoding="utf-8")))} == {}
