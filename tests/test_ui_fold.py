"""Headers that open and close what lies under them."""

from __future__ import annotations

import ipywidgets as widgets
import pytest

from ptycho_nb.ui.drawing import Fold, close_all


@pytest.fixture
def fold():
    made = Fold([widgets.Label("a"), widgets.Label("b")], ("First", "Second"))
    yield made
    close_all(made)


def opened(fold: Fold) -> list[bool]:
    return [part.layout.display is None for part in fold.parts]


def test_nothing_is_open_at_first(fold):
    assert opened(fold) == [False, False]
    assert [h.description for h in fold.headers] == ["▸ First", "▸ Second"]


def test_a_press_opens_and_another_closes(fold):
    fold.headers[1].value = True
    assert (fold.selected_index, opened(fold)) == (1, [False, True])
    fold.headers[1].value = False
    assert (fold.selected_index, opened(fold)) == (None, [False, False])


def test_opening_one_closes_the_other(fold):
    fold.selected_index = 0
    fold.headers[1].value = True
    assert [h.value for h in fold.headers] == [False, True]
    assert opened(fold) == [False, True]


def test_a_title_changes_and_keeps_its_arrow(fold):
    fold.selected_index = 0
    fold.set_title(0, "Other")
    assert fold.titles == ("Other", "Second")
    assert fold.headers[0].description == "▾ Other"


def test_a_closed_header_says_how_many_problems_lie_under_it(fold):
    fold.count_problems(1, 2)
    assert [h.description for h in fold.headers] == ["▸ First", "▸ Second ● 2 problems"]
    assert fold.titles == ("First", "Second")
    fold.count_problems(1, 1)
    fold.selected_index = 1
    assert fold.headers[1].description == "▾ Second ● 1 problem"
    fold.count_problems(1, 0)
    assert fold.headers[1].description == "▾ Second"
