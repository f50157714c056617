"""What the kernel takes from a page and what it refuses; who lives, and what stands in where no kernel runs."""

from __future__ import annotations

import gc
import random
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from garage_nb import Garage
from garage_nb.errors import InputError, UnknownPartError
from garage_nb.registry.models import spec_of
from garage_nb.registry.specs import ModelSpec
from garage_nb.widgets import LayerPicker
from garage_nb.widgets.admission import LARGEST_MESSAGE

from ..families import tiny


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    return spec_of(tiny("gpt2", layers=4), "tiny")


@pytest.fixture
def picker(spec: ModelSpec) -> Iterator[LayerPicker]:
    picker = LayerPicker(spec, "ffn_1")
    yield picker
    picker.close()


def from_page(picker: LayerPicker, **state: Any) -> None:
    """What arrives when a page changes traits, through the same door as a real comm message."""
    picker._handle_msg({"content": {"data": {"method": "update", "state": state}}, "buffers": []})


def test_the_page_may_pick(picker: LayerPicker) -> None:
    seen: list[tuple[str, ...]] = []
    picker.observe(lambda change: seen.append(change["new"]), "value")

    from_page(picker, value=["layer_2", "attention_0"])

    assert picker.value == ("attention_0", "layer_2")
    assert seen == [("attention_0", "layer_2")]
    assert picker._error == ""


@pytest.mark.parametrize(
    "name", [*["_esm", "_css", "_rows", "_title", "_error", "changed", "multiple", "layout", "comm", "spec", "close"]]
)
def test_the_page_may_change_nothing_else(picker: LayerPicker, name: str) -> None:
    before = picker.get_state()

    from_page(picker, **{name: "x"})

    assert {**picker.get_state(), "_error": ""} == before
    assert f"The page may not change {name!r}." in picker._error
    assert isinstance(picker.last_error, InputError)


@pytest.mark.parametrize(
    "value",
    [["layer_4"], ["layer_0", "nonsense"], "nonsense", float("nan"), 1e308, 7, True, {"a": 1}, [["layer_0"]], [None],
     [1e308], memoryview(b"layer_0"), ["ffn_1.neuron_999"], "x" * (LARGEST_MESSAGE + 1), ["layer_1"] * LARGEST_MESSAGE],
)  # fmt: skip
def test_a_value_that_names_no_parts_is_refused_and_shown(picker: LayerPicker, value: Any) -> None:
    from_page(picker, value=value)

    assert picker.value == ("ffn_1",)
    assert picker._error
    assert len(picker._error) < 500


def test_one_bad_trait_does_not_stop_a_good_one_and_the_next_good_one_clears_the_error(picker: LayerPicker) -> None:
    from_page(picker, _esm="export default {}", value=["layer_0"])
    assert picker.value == ("layer_0",)

    from_page(picker, changed=["layer_0"])
    assert picker._error

    from_page(picker, value=["layer_1"])
    assert picker._error == ""


def test_a_thousand_random_messages_leave_a_valid_value(picker: LayerPicker) -> None:
    chance = random.Random(0)
    names = [*picker.spec.parts, "layer_99", "_esm", "", "all", "0:9", "attention_*", "\x00", "ü" * 300]
    odd = [None, -1, 1e308, float("nan"), True, {}, [], b"x", [[]], {"value": 1}]
    fixed = {name: getattr(picker, name) for name in ("_esm", "_css", "_rows", "changed", "multiple")}

    for _ in range(1000):
        value = chance.choice([chance.sample(names, 3), chance.choice(odd), [chance.choice(odd)], chance.choice(names)])
        from_page(picker, **{chance.choice(["value", "value", *picker.keys]): value})
        assert set(picker.value) <= set(picker.spec.parts)

    assert {name: getattr(picker, name) for name in fixed} == fixed


def test_an_error_in_an_observer_is_shown_because_nothing_else_shows_it(picker: LayerPicker) -> None:
    def broken(change: Any) -> None:
        raise ZeroDivisionError("in my callback")

    picker.observe(broken, "value")
    from_page(picker, value=["layer_0"])

    assert picker._error == "in my callback"
    assert isinstance(picker.last_error, ZeroDivisionError)


def test_only_a_ping_is_answered(picker: LayerPicker, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(type(picker.comm), "send", lambda self, data=None, **_: sent.append(data))

    for content in ({"kind": "ping"}, {"kind": "run", "code": "1"}, ["ping"], None):
        picker._handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})

    assert [each["content"] for each in sent if each["method"] == "custom"] == [{"kind": "pong"}]
    assert "does not know" in picker._error


def test_an_unknown_option_is_an_error_with_the_nearest(spec: ModelSpec) -> None:
    with pytest.raises(InputError, match="no option 'mutliple'") as told:
        LayerPicker(spec, mutliple=False)

    assert "multiple" in told.value.hint


def test_a_newer_picker_of_the_same_target_closes_the_older(spec: ModelSpec) -> None:
    other = LayerPicker(spec_of(tiny("llama"), "other"))
    first = LayerPicker(spec)
    second = LayerPicker(spec_of(tiny("gpt2", layers=4), "tiny"))  # an equal spec: the cell was run again

    assert first.comm is None
    assert second.comm is not None
    assert other.comm is not None


def test_a_picker_that_fails_to_open_leaves_the_older_alone(picker: LayerPicker) -> None:
    with pytest.raises(UnknownPartError):
        LayerPicker(picker.spec, "layer_99")

    assert picker.comm is not None


def test_a_picker_keeps_no_model_in_memory_and_a_later_one_closes_it() -> None:
    garage = Garage(tiny("gpt2"))
    gone = weakref.ref(garage.model)
    picker = LayerPicker(garage, "ffn_1")

    del garage
    gc.collect()
    assert gone() is None
    assert picker.value == ("ffn_1",)

    LayerPicker(Garage(tiny("gpt2")))
    assert picker.comm is None
