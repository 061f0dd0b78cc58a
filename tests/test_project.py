"""The files round the code agree with one another."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import ptycho_nb

HOME = Path(__file__).parent.parent
PROJECT = tomllib.loads((HOME / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}
NOT_IN_CONDA = {"playwright", "voila", "sphinx", "furo", "myst-nb"}  # for the browser tests and the documentation, which use pip


def wanted() -> list[Requirement]:
    lines = [*PROJECT["dependencies"], *(line for extra in EXTRAS.values() for line in extra)]
    return [Requirement(line) for line in lines]


def locked() -> dict[str, str]:
    lines = (HOME / "constraints.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {name: version for name, version in pairs}


def test_what_runs_is_imported_and_what_only_tests_use_is_not_installed():
    names = {"scikit-image": "skimage", "pyyaml": "yaml", "pillow": "PIL"}
    code = "\n".join(path.read_text() for path in (HOME / "ptycho_nb").rglob("*.py"))
    needed = [Requirement(line).name for line in PROJECT["dependencies"]]
    modules = {name: names.get(name, name.replace("-", "_")) for name in needed}
    assert [name for name, module in modules.items() if not re.search(rf"^\s*(import|from) {module}\b", code, re.MULTILINE)] == []


def test_conda_names_and_floors_are_those_of_pyproject():
    listed = [Requirement(line) for line in yaml.safe_load((HOME / "environment.yml").read_text())["dependencies"] if line != "pip"]
    conda = {r.name: str(r.specifier) for r in listed if r.name != "python"}
    pip = {CONDA_NAMES.get(r.name, r.name): str(r.specifier) for r in wanted() if r.name not in NOT_IN_CONDA}
    assert conda == pip
    assert {r.name: str(r.specifier) for r in listed}["python"] == PROJECT["requires-python"]


def test_the_lock_has_everything_wanted_within_its_floors():
    lock = {canonicalize_name(name): version for name, version in locked().items()}
    missing = [r.name for r in wanted() if canonicalize_name(r.name) not in lock]
    assert missing == []
    assert [str(r) for r in wanted() if not r.specifier.contains(lock[canonicalize_name(r.name)])] == []


def test_the_lock_names_no_place_and_no_build():
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", f"{n}=={v}") for n, v in locked().items())
    assert locked()["torch"] == "2.13.0"


@pytest.mark.parametrize(("package", "floor"), [("torch", "2.11"), ("lightning", "2.6.6"), ("ipywidgets", "8.1.9")])
def test_floors_hold(package, floor):
    found = next(r for r in wanted() if r.name == package)
    assert str(found.specifier) == f">={floor}"
    assert Version(metadata.version(package).split("+")[0]) >= Version(floor)


def test_one_version_everywhere():
    citation = yaml.safe_load((HOME / "CITATION.cff").read_text())
    assert PROJECT["version"] == ptycho_nb.__version__ == str(citation["version"])
    assert f"## [{ptycho_nb.__version__}]" in (HOME / "CHANGELOG.md").read_text()


def test_one_licence_everywhere():
    assert PROJECT["license"] == yaml.safe_load((HOME / "CITATION.cff").read_text())["license"] == "BSD-3-Clause"
    assert (HOME / "LICENSE").read_text().startswith("BSD 3-Clause License")


def test_the_changelog_says_why_each_dependency_is_there():
    said = (HOME / "CHANGELOG.md").read_text()
    assert [r.name for r in wanted() if f"`{r.name}`" not in said] == []


def test_notebooks_carry_no_widget_state_and_are_small():
    for path in sorted((HOME / "notebooks").glob("*.ipynb")):
        text = path.read_text()
        assert '"widgets"' not in text, path.name
        assert len(text) < 1_500_000, path.name


@pytest.mark.parametrize("path", [Path("README.md"), Path("CHANGELOG.md")])
def test_relative_links_lead_somewhere(path):
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", (HOME / path).read_text())
    assert [link for link in links if not (HOME / link).exists()] == []
