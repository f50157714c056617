"""Parts and selectors: all of what the model has, little of it at a time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import Any

import pytest

from garage_nb.offers import Scene, outlined
from garage_nb.offers.selectors import selectors
from garage_nb.registry.models import spec_of
from tests.families import tiny
from tests.offers.conftest import Ask


@pytest.fixture(scope="module")
def deep() -> Any:
    return spec_of(tiny("llama", layers=100, intermediate_size=10_000), "deep")


@pytest.fixture(scope="module")
def routed() -> Any:
    return spec_of(tiny("mixtral"), "routed")


def texts(selector: str, spec: Any) -> list[str]:
    return [offer.text for offer in selectors(selector, spec)[1]]


def test_before_the_first_letter_the_many_and_the_single(llama: Any) -> None:
    found = texts("", llama)

    assert found[0] == "all"
    assert {"layer_*", "attention_*", "ffn_*", "layer_norm_*", "embedding", "output_head"} <= set(found)
    assert "layer_0" not in found


def test_all_that_is_offered_is_understood_and_can_be_read(llama: Any, routed: Any) -> None:
    for spec in (llama, routed):
        for begun in ("", "l", "a", "f", "g", "e", "layer_1.", "attention_*.", "attention_2.", "ffn_1.", "gate_0."):
            for name in texts(begun, spec):
                assert all(spec.site(part) for part in spec.select(name)), name


def test_the_last_piece_of_a_list_is_completed(llama: Any) -> None:
    assert selectors("0,layer_", llama)[0] == "layer_"
    assert {"layer_*", "layer_0", "layer_1", "layer_2"} <= set(texts("0,layer_", llama))
    assert texts("attention_*, ffn_2", llama) == ["ffn_2"]


def test_inside_a_part_are_its_points_and_its_units(llama: Any, routed: Any) -> None:
    heads = [f"attention_1.head_{i}" for i in range(4)]
    points = [f"attention_1.{point}" for point in ("q", "k", "v", "pattern")]

    assert texts("layer_1.", llama) == ["layer_1.before", "layer_1.mid"]
    assert set(texts("attention_1.", llama)) == {"attention_1.heads", *points, *heads}
    assert texts("attention_1.h", llama) == ["attention_1.heads", *heads]
    assert "ffn_*.neurons" in texts("ffn_*.", llama)
    assert texts("gate_1.", routed) == ["gate_1.choices"]
    assert "ffn_1.experts" in texts("ffn_1.", routed)
    assert "mlp_1.neurons" in texts("mlp_1.", llama)


@pytest.mark.parametrize("piece", ["layer_99.", "nothing.", "0.", "embedding.", "model.layers.1.", "layer_1.zzz"])
def test_nothing_is_inside_what_has_no_inside(llama: Any, piece: str) -> None:
    assert texts(piece, llama) == []


def test_ten_thousand_neurons_are_offered_one_digit_at_a_time(deep: Any) -> None:
    assert texts("ffn_3.neuron_", deep) == [f"ffn_3.neuron_{i}" for i in range(10)]
    assert texts("ffn_3.neuron_12", deep) == ["ffn_3.neuron_12", *(f"ffn_3.neuron_{i}" for i in range(120, 130))]
    assert texts("ffn_3.neuron_9999", deep) == ["ffn_3.neuron_9999"]
    assert texts("ffn_3.neuron_0", deep) == ["ffn_3.neuron_0"]
    assert texts("ffn_3.neuron_10000", deep) == []
    assert texts("ffn_3.ne", deep)[0] == "ffn_3.neurons"


def test_a_mistyped_part_is_mended(llama: Any) -> None:
    assert "layer_2" in texts("laeyr_2", llama)
    assert "attention_1" in texts("attenton_1", llama)
    assert texts("attention_1.patern", llama) == ["attention_1.pattern"]


def test_a_part_that_is_na_is_not_offered(llama: Any) -> None:
    part = replace(llama.parts["attention_1"], unavailable="it mixes texts", extra_info={})
    without = replace(llama, parts={**llama.parts, "attention_1": part})

    assert "attention_1" in texts("att", llama)
    assert "attention_1" not in texts("att", without)
    assert texts("attention_1.", without) == []


def test_without_a_model_there_are_no_parts(ask: Ask) -> None:
    assert ask("scale", "lay", spec=None) == []


def calls(work: Callable[[], object]) -> int:
    count = 0

    def seen(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(seen)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("word", ["", "l", "layer_5", "attention_*.", "ffn_*.neuron_1", "0,ffn_3.", "laeyr_3", "zzz"])
def test_a_tab_on_a_hundred_layers_is_little_work(ask: Ask, deep: Any, word: str) -> None:
    """A few calls for each of its 500 parts; a call takes about 0.1 microseconds, a Tab a few milliseconds."""
    outlined()
    scene = Scene(outlined(), spec=deep)

    assert len(scene.spec.parts) >= 500  # type: ignore[union-attr]
    assert calls(lambda: ask("scale", word, spec=deep)) < 40_000
