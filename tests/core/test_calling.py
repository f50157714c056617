"""How a model is asked, and where its answer is."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from garage_nb.core.batch import Batch
from garage_nb.core.calling import answer, asked
from garage_nb.core.vocabulary import input_embedding, vocab_size
from garage_nb.errors import HookError, UnsupportedModelError
from tests.families import prompt, tiny

BATCH = Batch(torch.tensor([[1, 2]]), torch.tensor([[1, 0]]))
LOGITS = torch.randn(1, 2, 7)


class Named(nn.Module):
    def forward(self, input_ids: Tensor, use_cache: bool | None = None) -> dict[str, Any]:
        return {"input_ids": input_ids, "use_cache": use_cache}


class Bare(nn.Module):
    def forward(self, ids: Tensor, targets: Tensor | None = None) -> Any:
        return ids, targets


class Wrapped(nn.Module):
    config = object()

    def forward(self, **kwargs: Any) -> dict[str, Any]:
        return kwargs


class Loose(nn.Module):
    def forward(self, x: Tensor, **kwargs: Any) -> Any:
        return x, kwargs


class Pair(NamedTuple):
    logits: Tensor
    loss: None = None


def test_what_forward_does_not_take_is_left_out() -> None:
    assert asked(Named(), BATCH, use_cache=False, logits_to_keep=1)() == {
        "input_ids": BATCH.input_ids,
        "use_cache": False,
    }


def test_a_wrapper_with_a_config_gets_all_by_name() -> None:
    given = asked(Wrapped(), BATCH, use_cache=False)()

    assert set(given) == {"input_ids", "attention_mask", "use_cache"}


@pytest.mark.parametrize("module", [Bare(), Loose()])
def test_a_module_of_ones_own_gets_the_ids_by_place(module: nn.Module) -> None:
    ids, rest = asked(module, BATCH, use_cache=False)()

    assert torch.equal(ids, BATCH.input_ids)
    assert not rest


@pytest.mark.parametrize(
    "output",
    [LOGITS, (LOGITS, None), [LOGITS], Pair(LOGITS), {"loss": torch.zeros(()), "logits": LOGITS}, {"hidden": LOGITS}],
    ids=["tensor", "tuple", "list", "named tuple", "with a loss", "without logits"],
)
def test_where_the_answer_is(output: Any) -> None:
    assert answer(output) is LOGITS


@pytest.mark.parametrize("output", [None, (), {"loss": 1.0}, "text"])
def test_no_answer_is_an_error_in_words(output: Any) -> None:
    with pytest.raises(HookError, match="no hidden states were found"):
        answer(output)


def test_a_transformers_model_is_asked_as_a_user_would() -> None:
    model = tiny("llama")
    batch = Batch(prompt(), torch.ones_like(prompt()))

    with torch.no_grad():
        ours, own = answer(asked(model, batch, use_cache=False)()), model(prompt(), use_cache=False).logits

    assert torch.equal(ours, own)


def test_the_table_of_token_embeddings() -> None:
    model = tiny("gpt2")
    own = nn.Sequential(nn.Linear(2, 2), nn.Embedding(11, 2), nn.Embedding(5, 2))

    assert input_embedding(model) is model.transformer.wte
    assert vocab_size(model) == 64
    assert input_embedding(own) is own[1]
    assert vocab_size(own) == 11
    with pytest.raises(UnsupportedModelError, match="Linear has no table"):
        input_embedding(nn.Linear(2, 2))
