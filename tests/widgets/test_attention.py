"""The attention view without a page: bytes are the engine's numbers, and only heads that are there can be chosen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from garage_nb.analyze.attention.attention import overview
from garage_nb.errors import InputError
from garage_nb.garage import Garage
from garage_nb.widgets import AttentionView
from tests.coverage.zoo import Entry, build
from tests.families import tiny

FRANCE = "The capital of France is"


@pytest.fixture
def garage() -> Garage:
    return Garage("showroom")


@pytest.fixture
def view(garage: Garage) -> AttentionView:
    view = AttentionView(garage, FRANCE)
    assert view.wait(60)
    return view


def weights(view: AttentionView) -> Any:
    shown = view._shown
    return np.frombuffer(view._weights, dtype=np.float32).reshape(len(shown["queries"]), len(shown["keys"]))


def test_thumbnails_are_the_largest_weights_as_bytes(garage: Garage, view: AttentionView) -> None:
    small = overview(garage.lifted, FRANCE)

    sent = np.frombuffer(view._thumbnails, dtype=np.uint8) / 255
    assert [part["name"] for part in view._parts] == list(small)
    assert np.allclose(sent, np.concatenate([one.weights.flatten() for one in small.values()]), atol=0.5 / 255 + 1e-6)


def test_the_large_head_is_that_of_the_verb(garage: Garage, view: AttentionView) -> None:
    view.head = "attention_3.head_1"
    assert view.wait(60)

    assert view._shown["head"] == "attention_3.head_1"
    assert np.array_equal(weights(view), garage.attention(FRANCE).head("attention_3.head_1").numpy())
    assert view._shown["queries"][-1] == " is"


def test_a_new_prompt_keeps_the_head(view: AttentionView) -> None:
    view.head = "attention_2.head_3"
    view.prompt = "The capital of Spain is in Europe"
    assert view.wait(60)

    assert view.head == view._shown["head"] == "attention_2.head_3"
    assert "Spain" in "".join(view._shown["queries"])
    assert weights(view).shape[0] == len(view._shown["queries"])


def test_heads_chosen_in_quick_succession_end_with_the_last(view: AttentionView) -> None:
    for name in [*view.heads, "attention_1.head_1"]:
        view.set_state({"head": name})
    assert view.wait(60)

    assert view.head == view._shown["head"] == "attention_1.head_1"
    assert view._error == ""


def test_it_follows_the_recipe_in_force(garage: Garage, view: AttentionView) -> None:
    view.head = "attention_3.head_1"
    assert view.wait(60)
    before = weights(view)

    garage.scale("layer_1", 0)
    assert view.wait(60)

    assert view._changes == 1
    assert not np.array_equal(weights(view), before)
    assert np.array_equal(weights(view), garage.attention(FRANCE, layers="3").head("attention_3.head_1").numpy())


@pytest.mark.parametrize(
    "head", ["attention_9.head_0", "attention_0.head_4", "attention_0", "", 3, None, ["a"], "x" * 999]
)
def test_a_head_that_is_not_there_is_refused(view: AttentionView, head: Any) -> None:
    view.set_state({"head": head})

    assert "is no head that is shown" in view._error
    assert view.head == "attention_0.head_0"


def test_before_a_prompt_there_is_no_head(garage: Garage) -> None:
    view = AttentionView(garage)

    with pytest.raises(InputError, match="Give a prompt first"):
        view.head = "attention_0.head_0"
    assert "Type a prompt" in view._picture()


def test_a_long_prompt_ships_small_thumbnails_and_one_large_head() -> None:
    garage = Garage(tiny("llama", max_position_embeddings=512))

    found = overview(garage.lifted, [[i % 60 + 3 for i in range(256)]])

    assert {tuple(one.weights.shape) for one in found.values()} == {(4, 24, 24)}


def test_a_model_without_attention_says_so(garage: Garage) -> None:
    mamba = Garage(build(Entry("causal", "mamba", "MambaForCausalLM")), tokenizer=garage.tokenizer)

    view = AttentionView(mamba, "is")
    view.wait(60)

    assert "has no attention" in view._error
    assert not view._running


def test_the_static_picture_is_a_picture_and_a_table(view: AttentionView) -> None:
    drawn = view._picture()

    assert "data:image/png;base64," in drawn
    assert "attention of 24 heads of showroom" in drawn
    assert "attention_0.head_0" in drawn
    assert "last token looks at" in drawn
