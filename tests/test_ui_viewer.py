"""The viewer, seen from Python: what it takes, what it sends, what it keeps."""

from __future__ import annotations

import io
import json
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances
from PIL import Image

from ptycho_nb.errors import InputError
from ptycho_nb.ui.viewer import Bar, Shot, Viewer
from ptycho_nb.ui.viewer import viewer as module
from ptycho_nb.ui.viewer.shots import WIDEST, side_by_side

FIELD = (30, 40)


@pytest.fixture(autouse=True)
def nothing_stays():
    before, threads = len(_instances), threading.active_count()
    yield
    assert len(_instances) == before
    assert threading.active_count() == threads


@pytest.fixture
def viewer():
    made = Viewer()
    yield made
    made.close()


@pytest.fixture
def sent(viewer, monkeypatch):
    """The states that went to the browser, message by message."""
    messages: list[dict] = []

    def send(self, key=None):
        messages.append(self.get_state(key=key))

    monkeypatch.setattr(type(viewer), "send_state", send)
    return messages


def shot(title: str = "Amplitude", shape=FIELD, **more) -> Shot:
    return Shot(np.zeros(shape, np.uint8), title, f"{title} of an object", **more)


def told(viewer: Viewer, **state) -> None:
    """What the browser does when a person acts: its values arrive as JSON."""
    viewer.set_state(json.loads(json.dumps(state)))


def decoded(part: dict) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(part["image"])))


def test_an_empty_viewer_teaches_nothing_wrong(viewer):
    assert repr(viewer) == "<Viewer: nothing to show yet>"
    assert (viewer.region, viewer.shape, viewer.line, viewer.point) == ((), (), (), ())
    viewer.reset()
    assert viewer.region == ()


def test_put_is_one_message_and_shows_the_whole_field(viewer, sent):
    viewer.put([shot(), shot("Phase")], shape=FIELD)
    assert [set(message) for message in sent] == [{"shape", "_shots", "region"}]
    assert viewer.region == (0, 0, 30, 40)
    assert repr(viewer) == "<Viewer: Amplitude, Phase; 30 × 40 px>"


@pytest.mark.parametrize(
    ("shape", "keep", "region"), [(FIELD, True, (3, 4, 13, 14)), (FIELD, False, (0, 0, 30, 40)), ((60, 40), True, (0, 0, 60, 40))]
)
def test_the_region_stays_where_the_field_does(viewer, shape, keep, region):
    viewer.put([shot()], shape=FIELD)
    viewer.region = (3, 4, 13, 14)
    viewer.put([shot()], shape=shape, keep_region=keep)
    assert viewer.region == region
    viewer.reset()
    assert viewer.region == (0, 0, *shape)


def test_put_of_nothing_empties(viewer):
    viewer.put([shot()], shape=FIELD)
    viewer.put([], shape=FIELD)
    assert (viewer.region, viewer.shape, viewer._shots) == ((), (), [])


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ((-5, -5, 50, 60), (0, 0, 30, 40)),
        ((-5, 2, 5, 12), (0, 2, 10, 12)),
        ((25, 35, 35, 45), (20, 30, 30, 40)),
        ((10, 10, 11, 30), (8.5, 10, 12.5, 30)),
        ((1.125, 2.2, 9.7, 20.3), (1.125, 2.2, 9.7, 20.3)),
    ],
)
def test_the_region_is_kept_inside_the_field(viewer, given, kept):
    viewer.put([shot()], shape=FIELD)
    viewer.region = given
    assert viewer.region == kept


@pytest.mark.parametrize("region", [(1, 2, 3), (5, 5, 5, 9), (9, 1, 5, 5), (0, 0, np.nan, 5), ("a", 0, 5, 5)])
def test_a_region_that_is_none_is_one_sentence(viewer, region):
    viewer.put([shot()], shape=FIELD)
    with pytest.raises(InputError, match=r"^A viewer's region is .*must be") as error:
        viewer.region = region
    assert len(str(error.value)) <= 160
    assert viewer.region == (0, 0, 30, 40)


def test_a_place_from_the_browser_is_heard_and_not_sent_back(viewer, sent):
    heard = []
    for listen in (viewer.on_region, viewer.on_line, viewer.on_point):
        listen(heard.append)
    viewer.put([shot()], shape=FIELD)
    del sent[:], heard[:]
    told(viewer, region=[1.111, 2.2, 11.3, 12.4])
    told(viewer, line=[[1, 2], [3.5, 4]])
    told(viewer, point=[7, 8])
    assert heard == [(1.111, 2.2, 11.3, 12.4), ((1.0, 2.0), (3.5, 4.0)), (7.0, 8.0)]
    assert sent == []


def test_the_browser_knows_what_is_listened_to(viewer):
    assert viewer._live == []
    viewer.on_line(print)
    assert viewer._live == ["line"]


def test_a_listener_that_fails_is_told_in_the_log_and_others_hear(viewer, caplog):
    heard = []
    viewer.on_point(lambda point: 1 / 0)
    viewer.on_point(heard.append)
    viewer.point = (1, 2)
    assert heard == [(1, 2)]
    assert "listener of the viewer failed" in caplog.text


@pytest.mark.parametrize(
    ("name", "value"), [("line", ((1, 2),)), ("line", ((1, 2), (3, np.inf))), ("point", (1, 2, 3)), ("point", ("a", 2))]
)
def test_a_line_and_a_point_are_numbers(viewer, name, value):
    with pytest.raises(InputError, match=f"A viewer's {name} is .*finite numbers"):
        setattr(viewer, name, value)


def test_an_unknown_mode_names_those_there_are(viewer):
    with pytest.raises(InputError, match="'pont'; allowed: pan, line, point"):
        viewer.mode = "pont"
    with pytest.raises(InputError, match="no mode 'zoom'"):
        Viewer(modes=("pan", "zoom"))


@pytest.mark.parametrize("size", [0, -1e-9, np.nan, np.inf])
def test_a_pixel_size_is_a_length(viewer, size):
    with pytest.raises(InputError, match="pixel_size"):
        viewer.pixel_size = size
    viewer.pixel_size = None


def test_marks_become_plain_numbers(viewer):
    viewer.marks = [
        {"kind": "points", "at": np.array([[1.23456, 2], [3, 4]])},
        {"kind": "circle", "at": (1, 2), "radius": np.float32(3), "label": 7},
        {"kind": "line", "at": [(1, 2), (3, 4), (5, 6)], "dashed": True},
        {"kind": "box", "at": (0, 0, 5, 6)},
    ]
    assert json.loads(json.dumps(viewer.marks))[0]["at"] == [[1.23, 2.0], [3.0, 4.0]]
    assert viewer.marks[1] == {"kind": "circle", "at": [1.0, 2.0], "label": "7", "dashed": False, "radius": 3.0}


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ({"kind": "circel", "at": (1, 2)}, "'circel'; allowed: circle"),
        ({"at": (1, 2)}, "no kind of mark 'None'"),
        ({"kind": "circle", "at": (1, 2), "radius": 0}, "above 0"),
        ({"kind": "circle", "at": (1, 2, 3), "radius": 1}, r"\(row, col\) of its centre"),
        ({"kind": "points", "at": [(1, np.nan)]}, r"a list of \(row, col\)"),
        ({"kind": "line"}, "joined in this order"),
        ({"kind": "box", "at": "<img src=x onerror=alert(1)>" * 20}, r"\(top, left, bottom, right\)"),
    ],
)
def test_a_mark_that_is_none_is_one_sentence(viewer, mark, said):
    with pytest.raises(InputError, match=said) as error:
        viewer.marks = [mark]
    assert len(str(error.value)) <= 170
    assert viewer.marks == []


@pytest.mark.parametrize("image", [np.zeros((3, 4)), np.zeros((3, 4, 2), np.uint8), np.zeros(3, np.uint8), np.zeros((0, 4), np.uint8)])
def test_what_is_no_image_leaves_the_viewer_as_it_was(viewer, image):
    viewer.put([shot()], shape=FIELD)
    with pytest.raises(InputError, match="must be uint8"):
        viewer.put([Shot(image, "Bad", "bad")], shape=(3, 4))
    assert (viewer.shape, len(viewer._shots)) == (FIELD, 1)


@pytest.mark.parametrize("shape", [(3,), (0, 4), (3, 4, 5)])
def test_a_shape_is_rows_and_columns(viewer, shape):
    with pytest.raises(InputError, match="rows, columns"):
        viewer.put([shot()], shape=shape)


@pytest.mark.parametrize("kind", ["gray", "colour", "L", "P", "RGB"])
def test_an_image_arrives_as_it_was(kind, rng):
    pixels = rng.integers(0, 256, (7, 9, 3) if kind in ("colour", "RGB") else (7, 9), dtype=np.uint8)
    image = pixels if kind in ("gray", "colour") else Image.fromarray(pixels).convert(kind)
    arrived = Image.open(io.BytesIO(Shot(image, "T", "t").state["image"]))
    np.testing.assert_array_equal(np.asarray(arrived.convert("RGB")), np.broadcast_to(pixels.T, (3, 9, 7)).T)


def test_a_large_image_travels_as_means_over_the_whole_field():
    image = np.zeros((1100, 2000), np.uint8)
    image[:, 1000:] = 200
    image[550:, :1000] = 100
    small = decoded(Shot(image, "T", "t").state)
    assert small.shape == (282, WIDEST)
    assert (small[0, 0], small[0, -1], small[-1, 0]) == (0, 200, 100)


def test_values_are_samples_and_not_means():
    wrapped = np.where(np.arange(2000) % 2, 3.0, -3.0)[None].repeat(1500, 0)
    state = shot(values=wrapped).state
    values = np.frombuffer(state["values"], np.float16).reshape(state["size"])
    assert values.shape == (384, 512)
    assert set(np.unique(values)) <= {-3.0, 3.0}


@pytest.mark.parametrize(
    ("values", "kind"),
    [([[0.25, np.nan]], np.float16), ([[1e5, -2.0]], np.float32), ([[1e-6, 0.0]], np.float32), ([[np.inf, 1]], np.float16)],
)
def test_values_travel_in_as_few_bytes_as_three_figures_need(values, kind):
    state = shot(values=np.array(values)).state
    np.testing.assert_array_equal(np.frombuffer(state["values"], kind), np.array(values, kind).ravel())


def test_a_closer_look_brings_the_data_themselves(viewer, rng):
    pixels = rng.integers(0, 256, (900, 1200), dtype=np.uint8)
    viewer.put([Shot(pixels, "T", "t", values=pixels / 1.0)], shape=pixels.shape)
    viewer.region = (100, 200, 200, 400)
    viewer._handle_custom_msg("sharper", [])
    top, left, bottom, right = viewer._sharp["box"]
    assert (top, left, bottom, right) == (75, 150, 225, 450)
    (part,) = viewer._sharp["parts"]
    np.testing.assert_array_equal(decoded(part), pixels[top:bottom, left:right])
    np.testing.assert_array_equal(np.frombuffer(part["values"], np.float16).reshape(part["size"]), pixels[top:bottom, left:right])
    viewer.put([Shot(pixels, "T", "t")], shape=pixels.shape)
    assert viewer._sharp == {}


@pytest.mark.parametrize("shape", [FIELD, (900, 1200)])
def test_nothing_sharper_is_sent_where_there_is_nothing_sharper(viewer, shape):
    viewer.put([shot(shape=shape)], shape=shape)
    viewer._handle_custom_msg("sharper", [])
    viewer._handle_custom_msg({"other": 1}, [])
    assert viewer._sharp == {}


def test_a_bar_has_a_colour_map_and_its_ends_in_words():
    bar = Bar.of("gray", -0.41234, "π", "rad").state
    assert (bar["colours"][0], bar["colours"][-1]) == ("#000000", "#ffffff")
    assert (bar["low"], bar["high"], bar["unit"]) == ("−0.412", "π", "rad")
    with pytest.raises(InputError, match="#rrggbb"):
        shot(bar=Bar(("red; background: url(http://x)",), 0, 1)).state  # noqa: B018


def test_a_saved_notebook_shows_the_images_side_by_side(viewer):
    assert "image/png" not in viewer._repr_mimebundle_()[0]
    viewer.put([shot("Ψ <b>", (30, 15)), shot("Phase", (600, 300))], shape=(600, 300))
    data, _ = viewer._repr_mimebundle_()
    assert {"application/vnd.jupyter.widget-view+json", "image/png", "text/plain"} == set(data)
    page = Image.open(io.BytesIO(side_by_side(viewer._given)))
    assert page.width == 2 * 256 + 12
    assert page.height == WIDEST + 20


def test_close_leaves_no_listener_and_a_later_put_is_harmless():
    viewer, heard = Viewer(), []
    viewer.on_point(heard.append)
    viewer.close()
    viewer.close()
    viewer.put([shot()], shape=FIELD)
    viewer.point = (1, 2)
    assert heard == []


def test_the_script_is_small_and_asks_nobody_else():
    script, style = module.Viewer._esm, module.Viewer._css
    assert len(zlib.compress(script.encode())) < 8_000
    assert "innerHTML" not in script
    for outside in ("import ", "fetch(", "http://", "https://", "url("):
        assert outside not in (script + style).replace("http://www.w3.org/2000/svg", ""), outside


def test_the_package_carries_the_scripts():
    folder = Path(module.__file__).parent
    assert {path.name for path in folder.glob("*.js")} == set(module.SCRIPTS)
