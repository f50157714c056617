"""The scope in Python: what it shows is the trace, thresholds run nothing, and a pause keeps what is there."""

from __future__ import annotations

import io
import threading
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image

from garage_nb.core.tokenwise import STORED, TOKENWISE
from garage_nb.core.undisturbed import lock_of
from garage_nb.errors import InputError, NotFiniteError
from garage_nb.garage import Garage
from garage_nb.snapshot.trace import Trace
from garage_nb.view.palette import AMBER
from garage_nb.widgets import SparsityScope
from garage_nb.widgets.heatmap import CELLS, Heatmap
from tests.hostile import TEXTS
from tests.restored import hooks_on

STORY = "Once upon a time"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def garage() -> Garage:
    garage = Garage("showroom")
    garage.model.generation_config.eos_token_id = None
    return garage


@pytest.fixture
def scope(garage: Garage) -> Iterator[SparsityScope]:
    scope = SparsityScope(garage, STORY, tokens=8)
    assert scope.wait(60)
    yield scope
    scope.close()


class Gate:
    """An edit that lets so many passes by, then holds the model until it is opened."""

    def __init__(self, garage: Garage, passes: int) -> None:
        self.left, self.reached, self.opened = passes, threading.Event(), threading.Event()
        garage.through("layer_1", self)

    def __call__(self, hidden: torch.Tensor) -> torch.Tensor:
        self.left -= 1
        if self.left < 0:
            self.reached.set()
            self.opened.wait(30)
        return hidden


def test_it_shows_what_watch_answers(garage: Garage, scope: SparsityScope) -> None:
    watched = garage.watch(STORY, tokens=8)

    assert scope.trace is not None
    assert (scope.trace.text, scope.trace.tokens) == (watched.text, watched.tokens)
    assert np.array_equal(scope.value, watched.values())
    sent = scope.get_state()
    assert np.array_equal(
        np.frombuffer(sent["_values"], np.float32).reshape(scope.value.shape), scope.value.astype("f4")
    )
    assert tuple(sent["_shown"]["parts"]) == watched.parts
    assert (sent["_shown"]["low"], sent["_shown"]["high"]) == (scope.value.min(), scope.value.max())
    assert sent["_progress"] == "8 of 8 tokens written"


def test_a_threshold_or_another_statistic_runs_nothing(garage: Garage, scope: SparsityScope) -> None:
    calls: list[int] = []
    handle = garage.model.register_forward_pre_hook(lambda *_: calls.append(1))

    shown = {}
    for tau in (0.0, 0.05, 1.0, 10.0):
        scope.tau = tau
        shown[tau] = np.frombuffer(scope.get_state()["_values"], np.float32).mean()
    scope.statistic = "norm"
    handle.remove()

    assert calls == []
    assert scope.trace is not None
    assert list(shown.values()) == sorted(shown.values())
    assert shown[0.05] == pytest.approx(scope.trace.values("sparsity", 0.05).mean(), rel=1e-6)
    assert scope.get_state()["_shown"]["defined"] == "norm ‖x‖ of a token"
    assert np.array_equal(scope.value, garage.watch(STORY, tokens=8).values("norm"))


@pytest.mark.parametrize("statistic", TOKENWISE)
def test_every_statistic_can_be_shown(scope: SparsityScope, statistic: str) -> None:
    scope.statistic = statistic

    signed = bool((scope.value < 0).any())
    assert scope.get_state()["_shown"]["signed"] == signed
    ElementTree.fromstring((scope.trace and Heatmap(scope.trace).svg()) or "")


REFUSED: list[tuple[str, Any, str]] = [
    ("tau", 0.137, "not counted at 0.137"), ("tau", float("nan"), "no plain data"), ("tau", 1e308, "not counted"),
    ("tau", "0.1", "no threshold"), ("tau", True, "no threshold"), ("statistic", "effective_dimension", "no statistic"),
    ("statistic", "x" * 10_000, "no statistic"), ("statistic", ["norm"], "no statistic"), ("tokens", -1, "0 to 4096"),
    ("tokens", 10**9, "0 to 4096"), ("tokens", 2.5, "0 to 4096"), ("prompt", "a" * 30_000, "30000 characters"),
    ("prompt", 3, "a text, not int"), ("_values", "", "may not change"), ("_esm", "", "may not change"),
    ("_left", True, "may not change"), ("_shown", {}, "may not change"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "message"), REFUSED)
def test_what_the_page_may_not_do_is_refused_and_said(
    scope: SparsityScope, name: str, value: Any, message: str
) -> None:
    before = scope.get_state()

    scope.set_state({name: value})

    after = scope.get_state()
    assert message in after.pop("_error")
    before.pop("_error")
    assert after == before


@pytest.mark.parametrize("content", [{"kind": "save"}, {"kind": "save", "form": "exe"}, {"kind": "pieces"}, 3])
def test_messages_it_does_not_know_are_refused(scope: SparsityScope, content: Any) -> None:
    scope._handle_custom_msg(content, [])

    assert scope._error


def test_a_pause_keeps_what_is_there_frees_the_model_and_goes_on_to_the_same_text(garage: Garage) -> None:
    hooks, plain = hooks_on(garage.model), garage.watch(STORY, tokens=20)
    gate = Gate(garage, 6)
    scope = SparsityScope(garage, STORY, tokens=20)
    assert gate.reached.wait(30)

    scope.stop()
    gate.opened.set()
    assert scope.wait(30)

    before = scope.value
    assert plain.prompted < before.shape[1] < plain.prompted + 20
    assert scope.get_state()["_left"] is True
    assert scope._progress.startswith("Paused after ")
    free: list[bool] = []

    def try_it() -> None:
        with lock_of(garage.model):
            free.append(True)

    other = threading.Thread(target=try_it)
    other.start()
    other.join(10)
    assert free == [True]
    assert hooks_on(garage.model) == hooks

    scope.resume()
    assert scope.wait(60)

    assert scope.trace is not None
    assert scope.trace.text == plain.text
    assert np.array_equal(scope.value[:, : before.shape[1]], before)
    assert scope.get_state()["_left"] is False
    scope.close()


def test_stopped_for_good_it_does_not_go_on_but_starts_again(garage: Garage) -> None:
    gate = Gate(garage, 4)
    scope = SparsityScope(garage, STORY, tokens=20)
    assert gate.reached.wait(30)
    scope.finish()
    gate.opened.set()
    assert scope.wait(30)

    assert scope.get_state()["_left"] is False
    with pytest.raises(InputError, match="nothing to go on with"):
        scope.resume()

    scope.again()
    assert scope.wait(60)
    assert scope._progress == "20 of 20 tokens written"
    scope.close()


def test_more_tokens_make_a_finished_text_go_on(garage: Garage, scope: SparsityScope) -> None:
    before = scope.value
    scope.tokens = 12

    assert scope.get_state()["_left"] is True
    scope.resume()
    assert scope.wait(30)

    assert scope.value.shape[1] == before.shape[1] + 4
    assert np.array_equal(scope.value[:, : before.shape[1]], before)


def test_a_threshold_moved_while_it_runs_is_what_the_last_picture_shows(garage: Garage) -> None:
    gate = Gate(garage, 5)
    scope = SparsityScope(garage, STORY, tokens=12)
    assert gate.reached.wait(30)
    scope.tau = 1.0
    gate.opened.set()
    assert scope.wait(60)

    assert scope.trace is not None
    shown = np.frombuffer(scope.get_state()["_values"], np.float32)
    assert shown.mean() == pytest.approx(scope.trace.values("sparsity", 1.0).mean(), rel=1e-6)
    assert scope.trace.values().shape[1] == scope.trace.prompted + 12
    scope.close()


def test_pictures_come_at_most_twenty_times_a_second_and_the_last_always(garage: Garage) -> None:
    seen: list[int] = []
    scope = SparsityScope(garage, tokens=100)
    scope.observe(lambda change: seen.append(len(change["new"]["tokens"])), "_shown")

    scope.prompt = STORY
    assert scope.wait(60)

    assert scope.trace is not None
    assert seen[-1] == len(scope.trace.tokens) == scope.trace.prompted + 100
    assert len(seen) < 100
    scope.close()


def test_it_follows_the_recipe(garage: Garage, scope: SparsityScope) -> None:
    garage.scale("layer_2", 0.4)
    assert scope.wait(60)

    assert np.array_equal(scope.value, garage.watch(STORY, tokens=8).values())
    assert scope.get_state()["_shown"]["changed"] == [False, False, True, False, False, False]
    assert AMBER in scope._picture()


def test_what_goes_wrong_in_the_model_is_said(garage: Garage, scope: SparsityScope) -> None:
    garage.through("layer_1", lambda hidden: hidden / 0)
    assert scope.wait(60)

    assert isinstance(scope.last_error, NotFiniteError)
    assert "NaN or infinit" in scope.get_state()["_error"]
    assert scope.get_state()["_left"] is False


def test_files_are_handed_to_the_page(scope: SparsityScope, monkeypatch: pytest.MonkeyPatch) -> None:
    handed: list[tuple[str, str, str]] = []
    monkeypatch.setattr(scope, "hand_over", lambda *file: handed.append(file))

    scope.save("csv")
    scope.save("svg")

    assert scope.trace is not None
    (name, text, kind), (picture, svg, _) = handed
    assert (name, kind, picture) == ("sparsity.csv", "text/csv", "sparsity.svg")
    assert text == scope.trace.frame().to_csv()
    assert ElementTree.fromstring(svg).tag == f"{SVG}svg"


def test_without_a_prompt_it_says_what_to_do(garage: Garage) -> None:
    scope = SparsityScope(garage)

    assert scope.trace is None
    assert scope.value.shape == (0, 0)
    assert "Type a prompt" in scope._picture()
    with pytest.raises(InputError, match="nothing to save yet"):
        scope.save("csv")


def test_parts_and_options_are_checked_when_it_is_made(garage: Garage) -> None:
    scope = SparsityScope(garage, STORY, parts="attention_*,ffn_2", tokens=1, tau=0.137, statistic="sparsity")
    assert scope.wait(60)

    assert scope.get_state()["_shown"]["parts"] == garage.spec.usable("attention_*,ffn_2")
    assert 0.137 in scope.get_state()["_edges"]
    for options in ({"tau": -1.0}, {"statistic": "size"}, {"tokens": -1}, {"wide": 3}, {"parts": "layer_99"}):
        with pytest.raises(Exception, match=r"\n") as caught:
            SparsityScope(garage, STORY, **options)
        assert str(caught.value).count("\n") == 1


def picture_of(values: np.ndarray, trace: Trace) -> ElementTree.Element:
    rows, columns = values.shape
    statistics = np.zeros((rows, columns, len(STORED)))
    statistics[:, :, STORED.index("norm")] = values
    large = replace(
        trace, statistic="norm", statistics=statistics, parts=tuple(f"layer_{i}" for i in range(rows)),
        tokens=tuple(f"{i}" for i in range(columns)), counts=np.zeros((rows, columns, len(trace.edges) + 1), np.uint32),
    )  # fmt: skip
    return ElementTree.fromstring(Heatmap(large).svg())


def test_the_static_picture_has_a_cell_for_each_number_in_its_colour(scope: SparsityScope) -> None:
    assert scope.trace is not None
    values = np.linspace(0, 1, 12).reshape(3, 4)
    values[1, 2] = np.nan

    cells = [one for one in picture_of(values, scope.trace).iter(f"{SVG}rect") if one.get("height") != "8"]

    fills = {(float(one.get("y", "")), float(one.get("x", ""))): one.get("fill") for one in cells}
    assert len(fills) == 11
    assert fills[max(y for y, _ in fills), min(x for _, x in fills)] == "#00224e"
    assert fills[min(y for y, _ in fills), max(x for _, x in fills)] == "#fee838"


def test_of_many_cells_the_static_picture_is_one_image_of_the_same_colours(scope: SparsityScope) -> None:
    assert scope.trace is not None
    values = np.linspace(0, 1, 96 * 1024).reshape(96, 1024)
    assert values.size > CELLS

    root = picture_of(values, scope.trace)

    image = root.find(f".//{SVG}image")
    assert image is not None
    with Image.open(io.BytesIO(b64decode((image.get("href") or "").partition(",")[2]))) as opened:
        pixels = np.asarray(opened)
    assert pixels.shape == (96, 1024, 4)
    assert pixels[-1, 0].tolist() == [0x00, 0x22, 0x4E, 255]
    assert pixels[0, -1].tolist() == [0xFE, 0xE8, 0x38, 255]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_any_text_is_text_in_the_static_picture(garage: Garage, text: str) -> None:
    scope = SparsityScope(garage, text, tokens=1)
    assert scope.wait(60)

    html = scope._picture()

    assert "<script" not in html.replace("<style", "")
    assert "<img" not in html
    assert ElementTree.fromstring(Heatmap(scope.trace).svg() if scope.trace else "") is not None
    scope.close()


def test_the_page_it_writes_shows_the_same_numbers(scope: SparsityScope, tmp_path: Any) -> None:
    page = scope.to_html(tmp_path / "scope.html").read_text(encoding="utf-8")

    assert scope.trace is not None
    assert scope.trace.picture().html() in page
    assert "<svg" in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
