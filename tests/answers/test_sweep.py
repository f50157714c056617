"""A sweep's rows are what `compare` says of each variant alone."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from garage_nb.errors import GarageError, InputError
from garage_nb.garage import Garage
from tests.families import saved


@pytest.fixture
def garage(tmp_path: Path) -> Garage:
    return Garage(saved("llama", tmp_path))


def alone(garage: Garage, part: str, factor: float, tokens: str, target: str) -> tuple[float, float]:
    """Probability of the target and divergence, one variant at a time."""
    from garage_nb.answers.text import one_text
    from garage_nb.core.run import logits
    from garage_nb.inject.edits import Scale
    from garage_nb.inject.recipe import Recipe

    batch = one_text("a b c", garage.lifted)
    before = logits(garage.model, batch, last=1)[0, -1].double().log_softmax(-1)
    taps = Recipe((*garage.edits.edits, Scale(part, factor, tokens=tokens))).taps(garage.spec)
    after = logits(garage.model, batch, taps, last=1)[0, -1].double().log_softmax(-1)
    aim = garage.tokenizer(target, add_special_tokens=False)["input_ids"][0]
    return float(after[aim].exp()), float((before.exp() * (before - after)).sum())


@pytest.mark.parametrize("tokens", ["all", "0", "not_first"])
def test_every_row_is_its_variant_alone(garage: Garage, tokens: str) -> None:
    sweep = garage.sweep(
        "a b c", parts="layer_0,ffn_1,attention_2.head_1", factors="0,0.5,2", tokens=tokens, target="k"
    )

    named = product(("layer_0", "ffn_1", "attention_2.head_1"), (0, 0.5, 2))
    expected = [alone(garage, part, factor, tokens, "k") for part, factor in named]
    assert [(one.probability, one.divergence) for one in sweep.outcomes] == [
        pytest.approx(pair, rel=1e-3, abs=1e-7) for pair in expected
    ]


def test_the_recipe_in_force_comes_first(garage: Garage) -> None:
    garage.scale("layer_0", 1.7)

    sweep = garage.sweep("a b c", parts="layer_1", factors="0.5", target="k")

    probability, divergence = alone(garage, "layer_1", 0.5, "all", "k")
    assert sweep.outcomes[0].probability == pytest.approx(probability, rel=1e-3)
    assert sweep.outcomes[0].divergence == pytest.approx(divergence, rel=1e-3)


def test_each_token_is_a_variant_of_its_own(garage: Garage) -> None:
    sweep = garage.sweep("a b c", parts="layer_0,layer_1", factors=0, tokens="each", target="k")

    length = len(garage.tokenizer("a b c")["input_ids"])
    assert [one.tokens for one in sweep.outcomes] == [str(place) for place in range(length)] * 2
    assert "".join(one.touched for one in sweep.outcomes[:length]) == "a b c"
    assert sweep.outcomes[1].probability == pytest.approx(alone(garage, "layer_0", 0, "1", "k")[0], rel=1e-3)


def test_it_follows_the_likeliest_token_unless_told(garage: Garage) -> None:
    sweep = garage.sweep("a b c", parts="layer_1", factors=1)

    assert sweep.outcomes[0].token == sweep.target
    assert sweep.outcomes[0].probability == pytest.approx(sweep.untouched, rel=1e-4)
    assert sweep.outcomes[0].divergence == pytest.approx(0, abs=1e-9)


def test_frame_and_plots(garage: Garage) -> None:
    lines, squares = garage.sweep("a b", parts="layer_1"), garage.sweep("a b")

    assert len(lines.frame()) == 9
    assert list(squares.frame()["part"].unique()) == ["layer_0", "layer_1", "layer_2"]
    assert lines.plot().axes.lines[0].get_ydata().tolist() == [one.probability for one in lines.outcomes]
    picture = squares.plot("divergence").axes.images[0].get_array()
    assert picture.shape == (3, 9)
    assert picture[2, 0] == squares.outcomes[18].divergence
    with pytest.raises(InputError, match="no 'size'"):
        squares.plot("size")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"parts": "layer_9"}, "layer_9"), ({"factors": "a:b"}, "no numbers"), ({"tokens": "some"}, "says no tokens"),
        ({"target": "a b c"}, "tokens"), ({"target": ""}, "0 tokens"), ({"prompt": ""}, "empty"),
    ],
)  # fmt: skip
def test_bad_input_changes_nothing(garage: Garage, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(GarageError, match=message) as caught:
        garage.sweep(**{"prompt": "a b", **asked})

    assert str(caught.value).count("\n") == 1
    assert garage.verify()
