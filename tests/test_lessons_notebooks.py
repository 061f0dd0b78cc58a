"""The notebooks of the course keep to one plan: a promise, a picture at once, predictions before answers, exercises, words, sources."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ptycho_nb import SimulationConfig

FOLDER = Path(__file__).parent.parent / "notebooks"
BOOKS = sorted(FOLDER.glob("[0-9][0-9]_*.ipynb"))
FIRST, MOST, WIDEST = 3, 12, 78  # cells until there is a picture; code cells; characters of a line, which a narrow window shows


@pytest.fixture(params=BOOKS, ids=lambda path: path.stem)
def book(request):
    """A notebook as it is stored."""
    return json.loads(request.param.read_text(encoding="utf-8"))


def sources(book: dict, kind: str) -> list[str]:
    return ["".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == kind]


def pictured(cell: dict) -> bool:
    return any("image/png" in output.get("data", {}) for output in cell.get("outputs", ()))


def asks(cell: dict) -> bool:
    """Whether it is the answer cell of an exercise."""
    return re.search(r"\b(check|Question)\(\"", "".join(cell["source"])) is not None


def test_there_are_six():
    assert [path.stem[:2] for path in BOOKS] == ["00", "01", "02", "03", "04", "05"]


def test_it_opens_with_a_promise_the_time_it_takes_and_what_one_can_do_afterwards(book):
    opening = " ".join(sources(book, "markdown")[0].split())
    assert opening.startswith("# ")
    assert re.search(r"under half a minute|quarter of a minute", opening)
    assert re.search(r"Afterwards you can( - [^-]+;)+ - ", opening)


def test_its_first_picture_comes_within_three_cells(book):
    assert any(pictured(cell) for cell in book["cells"][:FIRST])


def test_it_has_at_most_a_dozen_code_cells(book):
    assert len(sources(book, "code")) <= MOST


def test_every_picture_has_a_caption_under_it(book):
    after = [two["source"] for one, two in zip(book["cells"], book["cells"][1:], strict=False) if pictured(one)]
    assert [source for source in after if not "".join(source).startswith("*")] == []


def test_it_asks_for_predictions(book):
    assert sum(source.count("**Predict") for source in sources(book, "markdown")) >= 3


def test_it_ends_with_two_exercises_or_more_then_words_and_sources(book):
    assert sum(asks(cell) for cell in book["cells"]) >= 2
    last = [cell for cell in book["cells"] if cell["cell_type"] == "code"][-1]
    assert asks(last)
    end = "\n".join("".join(cell["source"]) for cell in book["cells"][book["cells"].index(last) :])
    assert end.index("## Glossary") < end.index("## Sources")
    assert "https://doi.org/" in end
    assert "--solutions" in end


def test_blank_answers_say_that_they_are_not_answered_yet(book):
    told = [str(cell["outputs"][-1]["data"]["text/plain"]) for cell in book["cells"] if asks(cell)]
    assert [words for words in told if "not answered yet" not in words] == []


def test_its_code_fits_a_narrow_window(book):
    lines = [line for source in sources(book, "code") for line in source.splitlines()]
    assert [line for line in lines if len(line) > WIDEST] == []


def test_it_is_stored_run_from_top_to_bottom_and_without_the_state_of_widgets(book):
    assert "widgets" not in book["metadata"]
    counts = [cell["execution_count"] for cell in book["cells"] if cell["cell_type"] == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert "widget-view" not in json.dumps(book)
    assert [o for cell in book["cells"] for o in cell.get("outputs", ()) if o.get("name") == "stderr"] == []


def test_python_that_stands_in_the_text_runs(book):
    for source in sources(book, "markdown"):
        for block in re.findall(r"^```python\n(.*?)^```", source, re.MULTILINE | re.DOTALL):
            exec(compile(block, "text", "exec"), {"quick": SimulationConfig.preset("quick")})
