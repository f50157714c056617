"""A model by itself scores what it scores beside another."""

from __future__ import annotations

import math

import pytest

from garage_nb.analyze.judging.alone import alone
from garage_nb.analyze.judging.exercise import exercises_of
from garage_nb.analyze.judging.judge import judge
from garage_nb.errors import UnsupportedModelError
from garage_nb.inject.edits import Scale
from garage_nb.inject.recipe import Recipe
from garage_nb.registry.lift import lift

TEXTS = {"capitals": ["The capital of France is Paris.", "The capital of Japan is Tokyo."], "sums": ["2 + 2 = 4"]}
ITEMS = exercises_of([("The capital of France is", "Paris"), {"prompt": "2 + 2 =", "answer": "5", "domain": "sums"}])


@pytest.mark.parametrize("recipe", [Recipe(), Recipe((Scale("layer_1", 0.5),))], ids=str)
def test_it_scores_as_beside_another(recipe: Recipe) -> None:
    lifted, other = lift("showroom"), lift("showroom-gpt2")

    found = alone(lifted, recipe, TEXTS, ITEMS)
    beside = judge(lifted, {"other": other}, recipe, texts=TEXTS, exercises=ITEMS)

    keys = {(one.measure, one.domain) for one in found}
    assert {("accuracy", "all"), ("accuracy", "sums"), ("perplexity", "capitals")} <= keys
    for one in found:
        same = beside.of(one.measure, beside.names[0], one.domain)
        assert one.n == same.n
        assert [*vars(one.estimate).values()] == pytest.approx([*vars(same.estimate).values()], nan_ok=True)
        assert math.isnan(one.change.value)


def test_without_items_there_is_no_accuracy() -> None:
    found = alone(lift("showroom"), Recipe(), TEXTS, ())

    assert {one.measure for one in found} == {"perplexity", "surprise"}


def test_a_model_that_predicts_nothing_is_refused() -> None:
    from transformers import BertConfig, BertModel

    small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 64}
    model = BertModel(BertConfig(**small, vocab_size=64, max_position_embeddings=64)).eval()
    with pytest.raises(UnsupportedModelError, match="does not predict the next token"):
        alone(lift(model), Recipe(), [[1, 2, 3]], ())  # type: ignore[arg-type]
