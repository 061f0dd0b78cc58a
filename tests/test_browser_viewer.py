"""The viewer in a browser: what mouse, wheel and keys do, what is drawn, what is sent; and once in a JupyterLab."""

from __future__ import annotations

import base64
import re

import nbformat
import numpy as np
import pytest
from browser import Server, Tab, chromium, missing

from ptycho_nb.ui.viewer import Bar, Shot, Viewer

pytestmark = [pytest.mark.browser, pytest.mark.skipif(bool(missing()), reason=missing())]

PAGE = """<!doctype html><meta charset="utf-8"><style>body { margin: 8px; height: 3000px }</style>
<button id="before">before</button><div id="one"></div><div id="two"></div><script type="module">
class Model {  // as a widget manager's: values, what hears of them, what went to the kernel
  constructor(state) { Object.assign(this, { state, pending: {}, heard: {}, saved: [], messages: [] }); }
  get(name) { return this.state[name]; }
  set(name, value) {
    if (JSON.stringify(value) === JSON.stringify(this.state[name])) return;
    this.pending[name] = value;
    this.update({ [name]: value });
  }
  update(state) {
    Object.assign(this.state, state);
    for (const name in state) for (const f of [...(this.heard["change:" + name] ?? [])]) f();
  }
  save_changes() { if (Object.keys(this.pending).length) this.saved.push({ at: performance.now(), ...this.pending }); this.pending = {}; }
  on(name, f) { (this.heard[name] ??= []).push(f); }
  off(name, f) { this.heard[name] = this.heard[name].filter((g) => g !== f); }
  send(message) { this.messages.push(message); }
}
const bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
window.read = (value) => Array.isArray(value) ? value.map(read) : !value || typeof value !== "object" ? value
  : "base64" in value ? bytes(value.base64) : Object.fromEntries(Object.entries(value).map(([k, v]) => [k, read(v)]));
window.start = async (script, style, state, ids) => {
  document.head.append(Object.assign(document.createElement("style"), { textContent: style }));
  const { default: viewer } = await import(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
  window.model = new Model(read(state));
  window.ends = ids.map((id) => viewer.render({ model, el: document.getElementById(id) }));
};
</script>"""
DATA = np.arange(60 * 80, dtype=np.float64).reshape(60, 80)  # a value is 80 row + column
BYTES = (np.indices((60, 80)).sum(0) % 2 * 200 + 20).astype(np.uint8)  # a chessboard of 20 and 220


def plain(value):
    """A state as JSON can carry it."""
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


class Seen:
    """A viewer on a page of its own."""

    def __init__(self, page, viewer: Viewer, ids: tuple[str, ...]) -> None:
        self.page, self.viewer = page, viewer
        state = {name: plain(viewer.get_state(name)[name]) for name in Viewer.class_own_traits()}
        page.set_content(PAGE)
        page.wait_for_function("() => window.start")
        page.evaluate("([a, b, c, d]) => start(a, b, c, d)", [viewer._esm, viewer._css, state, list(ids)])
        self.stage = page.locator(".pnb-viewer-stage").first
        self.frames = self.stage.locator(".pnb-viewer-frame")
        if viewer.shape:
            self.frames.first.wait_for()
        self.rest()

    def get(self, name: str):
        return self.page.evaluate("name => model.get(name)", name)

    def saved(self) -> list[dict]:
        return self.page.evaluate("model.saved")

    def rest(self) -> None:
        self.page.wait_for_timeout(350)

    def at(self, row: float, col: float, frame: int = 0) -> tuple[float, float]:
        """Where on the page a place of the data is, by its edges."""
        box = self.frames.nth(frame).bounding_box()
        top, left, bottom, right = self.get("region")
        scale = min(box["width"] / (right - left), box["height"] / (bottom - top))
        middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        return middle[0] + scale * (col - (left + right) / 2), middle[1] + scale * (row - (top + bottom) / 2)

    def click(self, row: float, col: float) -> None:
        self.page.mouse.click(*self.at(row, col))

    def drag(self, *places: tuple[float, float], frame: int = 0) -> None:
        screen = [self.at(*place, frame) for place in places]
        self.page.mouse.move(*screen[0])
        self.page.mouse.down()
        for place in screen[1:]:
            self.page.mouse.move(*place, steps=5)
        self.page.mouse.up()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def button(self, name: str):
        return self.page.get_by_role("button", name=name).first

    def colours(self, frame: int = 0) -> np.ndarray:
        """The drawn image, shape (h, w, 4)."""
        code = (
            "c => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height); return [d.height, d.width, Array.from(d.data)]; }"
        )
        height, width, data = self.frames.nth(frame).locator("canvas").evaluate(code)
        return np.array(data, np.uint8).reshape(height, width, 4)

    @property
    def words(self) -> str:
        return self.page.locator(".pnb-viewer-readout").first.inner_text()


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture
def show(browser):
    """Puts a viewer on a page; nothing on it may go wrong."""
    context = browser.new_context(viewport={"width": 1100, "height": 700})
    page, errors, made = context.new_page(), [], []
    page.set_default_timeout(60_000)
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))

    def shown(shots: list[Shot] | None = None, *, ids: tuple[str, ...] = ("one",), listen: str = "", **traits) -> Seen:
        viewer = Viewer(**{key: traits.pop(key) for key in ("height", "modes") if key in traits})
        made.append(viewer)
        given = pair() if shots is None else shots
        viewer.put(given, shape=traits.pop("shape", DATA.shape))
        for name, value in traits.items():
            setattr(viewer, name, value)
        if listen:
            viewer._live = [listen]
        return Seen(page, viewer, ids)

    yield shown
    for viewer in made:
        viewer.close()
    context.close()
    assert errors == []


def pair() -> list[Shot]:
    bar = Bar.of("gray", 0, 1)
    return [
        Shot(BYTES, "Amplitude", "Amplitude of a board", DATA, "", bar),
        Shot(BYTES, "Phase", "Phase of a board", -DATA / 1000, "rad", bar),
    ]


def test_the_wheel_scrolls_the_page_until_an_image_was_clicked(show):
    seen = show()
    seen.page.evaluate("scrollTo(0, 60)")
    seen.page.mouse.move(*seen.at(50, 20))
    seen.page.mouse.wheel(0, -60)
    seen.page.wait_for_function("scrollY === 0")
    seen.rest()
    assert seen.get("region") == [0, 0, 60, 80]
    seen.page.evaluate("scrollTo(0, 60)")
    seen.click(20, 20)
    seen.page.mouse.wheel(0, -200)
    seen.rest()
    assert seen.page.evaluate("scrollY") == 60
    top, left, bottom, right = seen.get("region")
    assert bottom - top < 45
    assert (20 - top) / (bottom - top) == pytest.approx(20 / 60, abs=0.01)  # the place under the pointer stays there
    assert (20 - left) / (right - left) == pytest.approx(20 / 80, abs=0.01)


def test_a_drag_pans_both_images_inside_the_field_and_a_double_click_shows_all(show):
    seen = show(region=(20, 30, 40, 60))
    seen.drag((30, 40), (25, 36), frame=1)
    seen.rest()
    assert seen.get("region") == pytest.approx([25, 34, 45, 64], abs=0.3)
    np.testing.assert_array_equal(seen.colours(0), seen.colours(1))
    seen.drag((30, 40), (-200, -200))
    seen.rest()
    assert seen.get("region")[2:] == [60, 80]
    seen.page.mouse.dblclick(*seen.at(50, 60))
    seen.rest()
    assert seen.get("region") == [0, 0, 60, 80]


def test_a_drag_is_told_at_its_end_where_nobody_listens(show):
    seen = show(region=(20, 30, 40, 60))
    seen.drag((30, 40), (25, 36), (24, 33), (26, 38))
    seen.rest()
    assert len([one for one in seen.saved() if "region" in one]) == 1


def test_a_listener_hears_of_a_drag_at_most_ten_times_a_second(show):
    seen = show(region=(20, 30, 40, 60), listen="region")
    seen.page.mouse.move(*seen.at(30, 45))
    seen.page.mouse.down()
    for i in range(40):
        seen.page.mouse.move(400 + 3 * i, 300)
        seen.page.wait_for_timeout(15)
    seen.page.mouse.up()
    seen.rest()
    times = [one["at"] for one in seen.saved() if "region" in one]
    assert len(times) >= 4
    assert min(np.diff(times[:-1])) >= 95  # the last comes with the end


def test_keys_and_buttons_zoom_pan_and_show_all(show):
    seen = show()
    seen.stage.focus()
    seen.press("+", "+")
    closer = seen.get("region")
    assert closer[2] - closer[0] == pytest.approx(60 / 1.5**2, abs=0.01)
    seen.press("ArrowRight", "ArrowUp")
    assert seen.get("region")[1] > closer[1]
    assert seen.get("region")[0] < closer[0]
    seen.press("-", "0")
    assert seen.get("region") == [0, 0, 60, 80]
    for name, size in (("Zoom in", 40), ("Zoom in", 60 / 2.25), ("Zoom out", 40), ("All", 60)):
        seen.button(name).click()
        assert seen.get("region")[2] - seen.get("region")[0] == pytest.approx(size, abs=0.01)


def test_no_look_is_closer_than_four_pixels(show):
    seen = show()
    seen.stage.focus()
    seen.press(*["+"] * 20)
    top, left, bottom, right = seen.get("region")
    assert min(bottom - top, right - left) == pytest.approx(4, abs=0.01)


def test_tab_reaches_the_buttons_and_the_images_and_focus_is_seen(show):
    seen = show()
    seen.page.locator("#before").focus()
    reached = []
    for _ in range(7):
        seen.press("Tab")
        reached.append(seen.page.evaluate("document.activeElement.getAttribute('aria-label')"))
    assert [name.split(":")[0] for name in reached] == ["Zoom in", "Zoom out", "All", "Pan", "Line", "Point", "Images that zoom together"]
    assert seen.stage.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
    seen.press("Tab")
    assert seen.page.evaluate("document.activeElement === document.body")


def test_a_point_is_picked_by_mouse_and_by_keyboard(show):
    seen = show()
    seen.button("Point").click()
    assert seen.button("Point").get_attribute("aria-pressed") == "true"
    seen.click(10.5, 20.5)
    assert seen.get("point") == pytest.approx([10, 20], abs=0.2)
    seen.press("ArrowDown", "Shift+ArrowRight", "Enter")
    assert seen.get("point") == [11, 30]
    assert seen.words == "row 11, column 30: amplitude 910, phase −0.91 rad"


def test_a_drag_carries_the_point(show):
    seen = show(mode="point")
    seen.drag((10.5, 10.5), (30.5, 40.5))
    assert seen.get("point") == pytest.approx([30, 40], abs=0.3)


def test_the_cross_takes_the_view_along_and_stays_in_the_field(show):
    seen = show(region=(20, 30, 30, 40), mode="point")
    seen.stage.focus()
    seen.press("Shift+ArrowUp", "Shift+ArrowUp", "Shift+ArrowUp", "Shift+ArrowUp", "Enter")
    assert seen.get("point") == [0, 35]
    assert seen.get("region")[0] == 0


def test_a_line_is_a_drag_or_two_clicks_or_two_enters(show):
    seen = show(mode="line")
    seen.drag((10.5, 10.5), (30.5, 40.5))
    assert np.array(seen.get("line")).ravel() == pytest.approx([10, 10, 30, 40], abs=0.3)
    assert seen.get("region") == [0, 0, 60, 80]
    seen.click(5.5, 6.5)
    seen.click(15.5, 26.5)
    assert np.array(seen.get("line")).ravel() == pytest.approx([5, 6, 15, 26], abs=0.3)
    before = seen.get("line")
    seen.press("ArrowDown", "Enter", "ArrowRight", "Escape", "ArrowLeft")
    assert seen.get("line") == before
    seen.press("Enter", "ArrowDown", "Enter")
    assert seen.get("line") == [[16, 26], [17, 26]]


def test_the_read_out_gives_place_lengths_and_values(show):
    seen = show(pixel_size=1e-8)
    seen.page.mouse.move(*seen.at(12.5, 44.5))
    assert seen.words == "row 12, column 44 (120 nm, 440 nm): amplitude 1000, phase −1 rad"
    assert seen.page.locator("output").get_attribute("aria-live") == "off"


@pytest.mark.parametrize(("place", "lengths"), [((0.5, 12.5), "0 nm, 120 nm"), ((12.5, 0.5), "120 nm, 0 nm"), ((0.5, 0.5), "0 nm, 0 nm")])
def test_no_length_is_told_in_the_unit_of_the_other(show, place, lengths):
    seen = show(pixel_size=1e-8)
    seen.page.mouse.move(*seen.at(*place))
    assert f"({lengths})" in seen.words


def test_each_copy_of_the_script_has_hints_of_its_own(show):
    seen = show(ids=("one",))
    code = "([script]) => import(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })))"
    code += ".then(({ default: viewer }) => { ends.push(viewer.render({ model, el: document.getElementById('two') })); })"
    seen.page.evaluate(code, [seen.viewer._esm])
    hints = seen.page.evaluate("[...document.querySelectorAll('.pnb-viewer-hint')].map((hint) => hint.id)")
    told = seen.page.evaluate("[...document.querySelectorAll('.pnb-viewer-stage')].map((stage) => stage.getAttribute('aria-describedby'))")
    assert len(set(hints)) == 2
    assert told == hints


def test_fixed_marks_are_drawn_beneath_those_that_move(show):
    seen = show(fixed=[{"kind": "points", "at": [(3, 3), (5, 5)]}], marks=[{"kind": "circle", "at": (30, 40), "radius": 10}])
    drawn = seen.frames.first.locator("path").evaluate_all("paths => paths.map(p => p.getAttribute('class')).join(' ')")
    assert 0 <= drawn.index("points") < drawn.index("circle")


def test_the_read_out_says_where_there_is_nothing(show):
    values = DATA.copy()
    values[12] = np.nan
    seen = show([Shot(BYTES, "Amplitude", "board", values)])
    seen.page.mouse.move(*seen.at(12.5, 45.5))
    assert seen.words.endswith(": amplitude none")


def test_magnified_pixels_stay_pixels(show):
    seen = show(region=(10, 10, 22, 26))
    assert set(np.unique(seen.colours()[..., 0])) == {20, 220}


@pytest.mark.parametrize(
    ("region", "size"), [((0, 0, 60, 80), None), ((10, 10, 17, 20), None), ((0, 0, 60, 80), 3.3e-9), ((0, 0, 60, 80), 2e-5)]
)
def test_the_scale_bar_is_as_long_as_it_says(show, region, size):
    seen = show(region=region, pixel_size=size)
    text, unit = seen.frames.first.locator("svg text").last.text_content().split()
    assert re.fullmatch(r"[125]0*", text)
    pixels = float(text) * {"px": 1, "nm": 1e-9, "µm": 1e-6, "mm": 1e-3}[unit] / (size or 1)
    drawn = float(seen.frames.first.locator(".pnb-mark-scale").first.get_attribute("d").split("h")[1])
    left, right = (seen.at(0, col)[0] for col in (0, pixels))
    assert drawn == pytest.approx(right - left, rel=0.01)
    assert drawn <= 0.31 * seen.frames.first.bounding_box()["width"]


def test_two_views_move_together_and_leave_nothing_behind(show):
    seen = show(ids=("one", "two"))
    seen.stage.focus()
    seen.press("+", "+")
    seen.rest()
    first, second = (c.evaluate("c => c.toDataURL()") for c in seen.page.locator("canvas").all()[::2])
    assert first == second
    assert seen.page.evaluate("ends.forEach((end) => end()) ?? Object.values(model.heard).flat().length") == 0


def test_new_shots_replace_the_old_and_keep_the_focus(show):
    seen = show()
    seen.stage.focus()
    seen.viewer.put([Shot(BYTES[:30, :30], "Other", "Another")], shape=(30, 30))
    state = {name: plain(seen.viewer.get_state(name)[name]) for name in ("_shots", "shape", "region", "_sharp")}
    seen.page.evaluate("state => model.update(read(state))", state)
    seen.page.get_by_role("img", name="Another").wait_for()
    assert seen.frames.count() == 1
    assert seen.stage.evaluate("e => e === document.activeElement")


@pytest.mark.parametrize(("width", "rows"), [(1100, 1), (590, 2)])
def test_images_stand_below_each_other_on_a_narrow_page(show, width, rows):
    seen = show()
    seen.page.set_viewport_size({"width": width, "height": 900})
    seen.rest()
    boxes = [seen.frames.nth(i).bounding_box() for i in range(2)]
    assert len({round(box["y"]) for box in boxes}) == rows
    assert all(box["x"] + box["width"] <= width for box in boxes)
    assert boxes[0]["width"] / boxes[0]["height"] == pytest.approx(80 / 60, rel=0.01)


def test_foreign_words_are_text(show):
    evil = "<img src=x onerror=window.hit=1>"
    bar = Bar(("#000000", "#ffffff"), evil, evil, evil)
    seen = show([Shot(BYTES, evil, evil, DATA, evil, bar)], marks=[{"kind": "points", "at": [(3, 3)], "label": evil}])
    seen.page.mouse.move(*seen.at(12.5, 45.5))
    seen.rest()
    assert seen.page.evaluate("window.hit") is None
    assert seen.page.locator("img").count() == 0
    assert seen.page.locator("figcaption").inner_text() == evil


def test_images_are_named_and_marks_are_drawn_over_each(show):
    marks = [{"kind": "circle", "at": (30, 40), "radius": 10, "label": "probe"}, {"kind": "box", "at": (5, 5, 20, 30), "dashed": True}]
    seen = show(marks=marks)
    assert [seen.frames.nth(i).get_attribute("aria-label") for i in range(2)] == ["Amplitude of a board", "Phase of a board"]
    for i, frame in enumerate(seen.frames.all()):
        box = frame.locator(".pnb-mark-circle").first.bounding_box()
        middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        assert middle == pytest.approx(seen.at(30.5, 40.5, i), abs=1)
        assert "probe" in frame.locator("text").all_text_contents()


def test_more_detail_is_asked_for_once_and_only_where_there_is_some(show):
    large = np.zeros((1200, 1600), np.uint8)
    seen = show([Shot(large, "Large", "large")], shape=large.shape)
    assert seen.page.evaluate("model.messages") == []
    seen.stage.focus()
    seen.press("+", "+", "+")
    seen.rest()
    seen.rest()
    assert seen.page.evaluate("model.messages") == ["sharper"]
    seen.viewer.region = tuple(seen.get("region"))
    seen.viewer._handle_custom_msg("sharper", [])
    seen.page.evaluate("sharp => model.update({ _sharp: read(sharp) })", plain(seen.viewer._sharp))
    seen.press("ArrowLeft")
    seen.rest()
    assert seen.page.evaluate("model.messages") == ["sharper"]


def test_an_empty_viewer_says_so_and_takes_every_key(show):
    seen = show([])
    assert seen.stage.inner_text() == "Nothing to show yet."
    seen.stage.focus()
    seen.press("+", "0", "ArrowLeft", "Enter")
    seen.button("Zoom in").click()
    assert seen.get("region") == []


CELL = """
import numpy as np
from ptycho_nb.ui.viewer import Shot, Viewer

board = (np.indices((900, 1200)).sum(0) % 2 * 200 + 20).astype(np.uint8)
viewer = Viewer()
viewer.put([Shot(board, "Amplitude", "A board", board / 1.0)], shape=board.shape)
viewer
"""


def test_in_a_jupyterlab_hands_and_kernel_see_the_same_and_keys_stay_with_the_viewer(browser, tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL), nbformat.v4.new_code_cell("viewer")])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, tmp_path / "viewer.ipynb")
    with Server(tmp_path) as server:
        tab = Tab(browser, server)
        tab.open("viewer.ipynb")
        tab.run_all()
        stage, frames = tab.page.locator(".pnb-viewer-stage").first, tab.page.locator(".pnb-viewer-frame")
        tab.until(lambda: frames.count() == 2, what="two views")
        stage.focus()
        for key in ("+", "+", "+", "d", "d", "a", "x", "0", "0", *["+"] * 8):
            tab.page.keyboard.press(key)
        tab.until(lambda: tab.ask("viewer.region[0] > 400") == "True", what="the kernel knows the region")
        assert len(tab.cells()) == 2
        assert tab.page.locator(".jp-Dialog").count() == 0
        tab.until(lambda: tab.ask("len(viewer._sharp)") == "2", what="the sharper part")
        code = "c => [...new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)].sort().join()"
        tab.until(lambda: frames.nth(1).locator("canvas").evaluate(code) == "20,220,255", what="the board itself, in the second view")
        tab.ask("viewer.reset()")
        tab.page.get_by_role("button", name="Point: a click picks a point").first.click()
        stage.focus()
        for key in ("ArrowDown", "Enter"):
            tab.page.keyboard.press(key)
        tab.until(lambda: tab.ask("viewer.region + viewer.point + (viewer.mode,)") == "(0.0, 0.0, 900.0, 1200.0, 451.0, 600.0, 'point')")
        tab.ask("viewer.close()")
        tab.until(lambda: tab.page.locator(".pnb-viewer-stage").count() == 0, what="nothing left of it on the page")
        assert tab.errors == []
        tab.close()
