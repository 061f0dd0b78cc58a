"""Exercises judge right, wrong and blank answers; their notebooks ask them, and the solved copies run."""

from __future__ import annotations

import ast
import functools
import json
import re
from pathlib import Path

import nbformat
import pytest
from leftovers import nothing_left
from nbclient import NotebookClient

import ptycho_nb
from ptycho_nb import cli
from ptycho_nb.cli import shipped
from ptycho_nb.errors import InputError
from ptycho_nb.lessons import check
from ptycho_nb.lessons.exercises import EXERCISES, Answered, Choice, Made, Number, Verdict, solved_notebook
from ptycho_nb.lessons.exercises.exercise import verdict
from ptycho_nb.lessons.exercises.solutions import asked, filled, solved
from ptycho_nb.ui.lessons.question import Question

FOLDER = Path(ptycho_nb.__file__).parent.parent / "notebooks"
BLANKS = (None, ..., "", "  ", (None, None), [..., None])
SUM = Number(4.0, 0.1, "Count on.", "Two and two.", "answer = 2 + 2", slips={22.0: "They are added, not written side by side."}, unit="px")
PICK = Choice({"a": "a cat", "b": "a dog"}, "a", {"b": "Listen to it."}, "It purrs.")
PAIR = Made(lambda pair: None if sum(pair) == 4 else "Add them.", "They add up.", "answer = (1, 3)", right=[(2, 2)], wrong=[(1, 1)])


def notebooks() -> dict[str, Path]:
    """Number of the notebook, "1" -> its path, of those that have exercises."""
    chapters = {number.split(".")[0] for number in EXERCISES}
    found = {str(int(path.name[:2])): path for path in sorted(FOLDER.glob("[0-9][0-9]_*.ipynb"))}
    return {chapter: found[chapter] for chapter in sorted(chapters & set(found))}


def cells(path: Path, kind: str) -> list[str]:
    return ["".join(cell["source"]) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == kind]


def asked_in(path: Path) -> list[str]:
    found = [asked(ast.parse(source)) for source in cells(path, "code")]
    return [number for number in found if number is not None]


@functools.cache
def said_of_wrong(number: str) -> list[Verdict]:
    """What is said of each wrong answer; some are judged by a reconstruction, so once is enough."""
    return [check(number, answer) for answer in EXERCISES[number].wrong]


# What is said of an answer


@pytest.mark.parametrize("blank", BLANKS, ids=repr)
@pytest.mark.parametrize("number", EXERCISES)
def test_a_blank_answer_is_not_answered_yet(number, blank):
    said = check(number, blank)
    assert said.answered is Answered.BLANK
    assert repr(said) == f"○ {number}: not answered yet."


@pytest.mark.parametrize("number", EXERCISES)
def test_right_answers_are_right_and_say_why(number):
    for answer in EXERCISES[number].right:
        said = check(number, answer)
        assert said.answered is Answered.RIGHT, (answer, said)
        assert said.sentence


@pytest.mark.parametrize("number", EXERCISES)
def test_wrong_answers_say_what_to_look_at_in_one_sentence(number):
    assert EXERCISES[number].wrong
    for answer, said in zip(EXERCISES[number].wrong, said_of_wrong(number), strict=True):
        assert said.answered is Answered.WRONG, (answer, said)
        assert said.sentence[-1] in ".?"
        assert len(re.findall(r"[.?!](?= [A-Z])", said.sentence)) == 0, said.sentence
        assert len(said.sentence) <= 200


@pytest.mark.parametrize("number", EXERCISES)
def test_no_hint_gives_the_solution_away(number):
    one = EXERCISES[number]
    said = " ".join(verdict.sentence for verdict in said_of_wrong(number))
    assert one.solution.removeprefix("answer = ") not in said
    if isinstance(one, Number):
        told = [float(figure) for figure in re.findall(r"\d+(?:\.\d+)?", said)]
        assert not [figure for figure in told if abs(figure - one.value) <= one.tolerance], said
    if isinstance(one, Choice):
        assert one.options[one.letter] not in said


def test_a_number_is_right_within_its_tolerance_only():
    assert [SUM.fault(given) for given in (3.91, 4, "4.05", 4.09)] == [None] * 4
    assert [SUM.fault(given) for given in (3.89, 4.11)] == ["Count on."] * 2


def test_a_common_slip_has_a_sentence_of_its_own():
    assert SUM.fault(22.1) == "They are added, not written side by side."


@pytest.mark.parametrize("given", ["four", float("nan"), [1, 2], {}, object()])
def test_what_is_no_number_is_told_so(given):
    assert SUM.fault(given) == "Give one number in px."


@pytest.mark.parametrize(("given", "said"), [("b", "Listen to it."), ("c", "letters a, b"), (1, "letters a, b")])
def test_a_choice_takes_its_letters_only(given, said):
    assert said in PICK.fault(given)


@pytest.mark.parametrize("given", ["a", "A", " a ", "(a)"])
def test_a_letter_may_be_written_as_one_likes(given):
    assert PICK.fault(given) is None


def test_an_input_error_of_a_judge_is_what_to_look_at():
    def judge(answer: object) -> str | None:
        raise InputError("It is too wide.")

    said = verdict("9.9", Made(judge, "", "", [], []), 3)
    assert (said.answered, said.sentence) == (Answered.WRONG, "It is too wide.")


def test_an_unknown_exercise_names_the_nearest():
    with pytest.raises(InputError, match="did you mean"):
        check(f"{next(iter(EXERCISES))}0", 3)


# Their notebooks


def test_each_exercise_is_asked_once_in_its_notebook():
    assert [n for path in notebooks().values() for n in asked_in(path)] == sorted(EXERCISES)


@pytest.mark.parametrize("number", [n for n, one in EXERCISES.items() if isinstance(one, Choice)])
def test_the_options_stand_in_the_notebook_as_they_are_judged(number):
    path = notebooks()[number.split(".")[0]]
    if any(f'Question("{number}"' in source for source in cells(path, "code")):
        return  # the widget shows them
    words = " ".join(" ".join(cells(path, "markdown")).split())
    assert [w for letter, w in EXERCISES[number].options.items() if f"{letter}) {w}" not in words] == []


@pytest.mark.parametrize("path", notebooks().values(), ids=lambda path: path.stem)
def test_no_notebook_holds_a_solution(path):
    text = path.read_text(encoding="utf-8")
    own = [EXERCISES[n] for n in asked_in(path)]
    assert [one.solution for one in own if one.solution in text] == []


# Solved copies


def test_a_blank_is_replaced_and_the_rest_stays():
    cell = '# mine\nanswer = None\ncheck("1", answer)'
    assert filled(cell, {"1": "x = 2\nanswer = x"}) == '# mine\nx = 2\nanswer = x\ncheck("1", answer)'
    assert filled("checks(scan)", {}) == "checks(scan)"


@pytest.mark.parametrize("cell", ['check("1", answer)', 'answer = None\ncheck("2", answer)', 'answer = 3\ncheck("1", answer)'])
def test_a_cell_without_blank_or_solution_is_refused(cell):
    with pytest.raises(InputError, match="needs an exercise"):
        filled(cell, {"1": "answer = 1"})


def test_a_notebook_without_exercises_has_no_solved_copy():
    assert solved('{"cells": [{"cell_type": "code", "source": ["1 + 1"]}]}', {}) == solved("{}", {}) == ""


@pytest.mark.parametrize("path", notebooks().values(), ids=lambda path: path.stem)
def test_a_solved_copy_is_a_notebook_with_every_answer_and_no_output(path):
    copy = nbformat.reads(solved_notebook(path.read_text(encoding="utf-8")), as_version=4)
    nbformat.validate(copy)
    sources = [cell.source for cell in copy.cells if cell.cell_type == "code"]
    assert not [source for source in sources if "answer = None" in source]
    assert [n for n in asked_in(path) if not any(EXERCISES[n].solution in source for source in sources)] == []
    assert not [cell for cell in copy.cells if cell.cell_type == "code" and cell.outputs]


def test_the_command_writes_solved_copies_and_leaves_changed_ones(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(shipped, "PLACES", (FOLDER,))
    assert cli.run(["notebooks", str(tmp_path / "mine"), "--solutions"]) == 0
    written = sorted(path.name for path in (tmp_path / "mine").iterdir())
    assert written == [f"{path.stem}_solutions.ipynb" for path in notebooks().values()]
    (tmp_path / "mine" / written[0]).write_text("my notes")
    capsys.readouterr()
    assert cli.run(["notebooks", str(tmp_path / "mine"), "--solutions"]) == 0
    assert "kept as you changed it" in capsys.readouterr().out
    assert (tmp_path / "mine" / written[0]).read_text() == "my notes"


@pytest.mark.kernel
@pytest.mark.parametrize("path", notebooks().values(), ids=lambda path: path.stem)
def test_every_answer_of_a_solved_copy_is_right(path, tmp_path):
    copy = nbformat.reads(solved_notebook(path.read_text(encoding="utf-8")), as_version=4)
    NotebookClient(copy, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    for cell in copy.cells:
        number = asked(ast.parse(cell.source)) if cell.cell_type == "code" else None
        if number is not None:
            said = cell.outputs[-1]["data"]["text/plain"]
            assert f"✓ {number}: right." in said or f"<Question {number}: right>" in said, said


# As a panel


@pytest.fixture
def pick(monkeypatch):
    monkeypatch.setitem(EXERCISES, "9.1", PICK)
    monkeypatch.setitem(EXERCISES, "9.2", SUM)
    monkeypatch.setitem(EXERCISES, "9.3", PAIR)


def test_a_question_begins_blank_and_says_so(pick):
    question = Question("9.1")
    assert repr(question) == "<Question 9.1: not answered yet>\n  a) a cat\n  b) a dog"
    question.button.click()
    assert "Choose an answer first." in question.news.value
    question.close()


def test_a_question_judges_the_letter_chosen(pick):
    question = Question("9.1")
    for letter, said in (("b", "Listen to it."), ("a", "It purrs.")):
        question.answer.value = letter
        question.button.click()
        assert said in question.news.value
    assert question.verdict.answered is Answered.RIGHT
    question.close()


def test_a_question_judges_the_number_entered(pick):
    question = Question("9.2")
    question.answer.value = "many"
    question.button.click()
    assert "one number in px" in question.news.value
    question.answer.value = "4"
    question.button.click()
    assert "right" in question.news.value
    question.close()


@pytest.mark.parametrize(("number", "answer"), [("9.1", "A"), ("9.2", 4.02)])
def test_a_question_with_an_answer_is_judged_at_once(pick, number, answer):
    question = Question(number, answer)
    assert question.verdict.answered is Answered.RIGHT
    question.close()


def test_an_answer_that_is_none_of_the_options_is_refused(pick):
    with nothing_left(), pytest.raises(InputError, match="letters a, b"):
        Question("9.1", "z")


def test_a_question_of_many_parts_is_left_to_python(pick):
    with nothing_left(), pytest.raises(InputError, match="in Python"):
        Question("9.3")


def test_a_closed_question_leaves_nothing(pick):
    with nothing_left():
        Question("9.1", "b").close()
