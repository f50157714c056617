"""Next tokens side by side: probabilities and their divergence against a plain softmax."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from garage_nb.answers.comparison import Comparison
from garage_nb.errors import InputError
from garage_nb.garage import Garage
from garage_nb.registry.compare import Compatibility
from garage_nb.view.palette import AMBER
from tests.families import tiny

PROMPT = "The capital of France is"


@pytest.fixture
def shop() -> Garage:
    return Garage("showroom")


def shares(shop: Garage) -> Any:
    with torch.no_grad():
        return shop.model(**shop.tokenizer(PROMPT, return_tensors="pt")).logits[0, -1].double().softmax(-1)


def test_tuned_and_untouched_against_a_plain_softmax(shop: Garage) -> None:
    a = shares(shop)
    shop.scale("layer_2", 0.5)

    found = shop.compare(prompt=PROMPT)

    with shop.in_force():
        b = shares(shop)
    assert found.labels == ("untouched", "tuned")
    assert found.a[:5] == pytest.approx(a.topk(5).values.tolist(), rel=1e-4)
    assert sorted(found.b)[-5:] == pytest.approx(b.topk(5).values.flip(0).tolist(), rel=1e-4)
    assert found.divergence == pytest.approx(float((a * (a / b).log()).sum()), rel=1e-4)
    assert list(found.frame().columns) == ["untouched", "tuned"]


def test_nothing_in_force_is_no_divergence(shop: Garage) -> None:
    found = shop.compare(prompt=PROMPT)

    assert found.divergence == 0
    assert found.a == found.b


def test_a_model_beside_itself_says_which_one_is_tuned_and_keeps_both_columns(shop: Garage) -> None:
    shop.scale("layer_2", 0.5)

    found = shop.compare("showroom", prompt=PROMPT)

    assert isinstance(found, Comparison)
    assert found.labels == ("showroom, tuned", "showroom")
    assert found.frame().shape == (len(found.tokens), 2)
    assert found.a != found.b


def test_two_models_without_a_prompt_are_compared_part_by_part(shop: Garage) -> None:
    same, other = shop.compare("showroom"), shop.compare(tiny("llama"))

    assert isinstance(same, Compatibility)
    assert {"attention", "ffn", "embedding"} <= set(same["compatible_parts"])
    assert other["compatible_parts"] == []


def test_other_tokens_are_refused(shop: Garage) -> None:
    with pytest.raises(InputError, match="number their tokens differently"):
        shop.compare(tiny("llama"), prompt=PROMPT)


def test_nothing_to_compare_with_is_refused(shop: Garage) -> None:
    with pytest.raises(InputError, match=r"nothing to compare.*\n.*--prompt"):
        shop.compare()


def test_a_model_beside_itself_has_two_names(shop: Garage) -> None:
    found = shop.compare("showroom", "showroom", prompt=PROMPT)

    assert isinstance(found, Comparison)
    assert found.labels == ("showroom, first", "showroom, second")


def test_the_picture_pairs_both_probabilities_of_every_token(shop: Garage) -> None:
    shop.scale("layer_2", 0.5)
    found = shop.compare(prompt=PROMPT)
    assert isinstance(found, Comparison)

    axes = found.plot().axes

    before, after = axes.lines
    assert list(before.get_xdata()) == list(found.a)
    assert list(after.get_xdata()) == list(found.b)
    assert after.get_color() == AMBER != before.get_color()
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [repr(token) for token in found.tokens]
    assert axes.get_xscale() == "log"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == list(found.labels)


def test_only_a_model_with_edits_is_amber(shop: Garage) -> None:
    found = shop.compare("showroom-llama", "showroom-llama-seed1", prompt=PROMPT)
    assert isinstance(found, Comparison)

    assert AMBER not in [line.get_color() for line in found.plot().axes.lines]
    assert "gnb-amber" not in found._repr_html_().split("</style>")[1]
