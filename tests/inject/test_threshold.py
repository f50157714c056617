"""Threshold: small entries become 0, at every kind of place, and nothing else changes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from garage_nb.core.batch import prepare
from garage_nb.core.run import logits
from garage_nb.errors import EditError
from garage_nb.inject.recipe import Recipe
from garage_nb.inject.threshold import Threshold
from garage_nb.registry.decompose import spec_of
from tests.analyze.naive import hooked, state
from tests.families import PROMPT, prompt, tiny
from tests.restored import left_as_it_was


def under(model: Any, *edits: Threshold, ids: Any = None) -> Tensor:
    batch = prepare(prompt() if ids is None else ids, model)
    return logits(model, batch, Recipe(edits).taps(spec_of(model)))


@pytest.mark.parametrize("family", ["gpt2", "llama", "mixtral", "gemma2"])
@pytest.mark.parametrize("place", ["layer_1", "ffn_1.neurons", "attention_1.heads", "attention_2.head_1"])
def test_it_is_a_hook_by_hand(family: str, place: str) -> None:
    model = tiny(family)
    if family == "mixtral" and place == "ffn_1.neurons":
        place = "ffn_1"
    level = float(state(model, PROMPT[0], place).abs().median())

    with left_as_it_was(model):
        found = under(model, Threshold(place, level))
    with hooked(model, place, lambda hidden: torch.where(hidden.abs() <= level, 0, hidden)), torch.no_grad():
        expected = model(prompt()).logits

    assert not torch.equal(found, under(model))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_at_nothing_no_bit_changes(llama: Any) -> None:
    assert torch.equal(under(llama, Threshold("ffn_1", 0), Threshold("layer_2", 0.0)), under(llama))


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_and_other_tokens_are_left_alone(llama: Any, side: str) -> None:
    ids, pad = PROMPT[0], [0] * 3
    rows = pad + ids if side == "left" else ids + pad
    mask = [0] * 3 + [1] * 10 if side == "left" else [1] * 10 + [0] * 3
    edit = Threshold("ffn_1.neurons", 0.3, tokens="2:6")  # type: ignore[arg-type]

    padded = under(llama, edit, ids={"input_ids": [rows], "attention_mask": [mask]})

    real = padded[:, 3:] if side == "left" else padded[:, :10]
    torch.testing.assert_close(real, under(llama, edit), rtol=1e-5, atol=1e-5)
    assert not torch.equal(under(llama, edit), under(llama, Threshold("ffn_1.neurons", 0.3)))


def test_a_nan_is_no_small_number() -> None:
    write = Threshold("layer_0", 1.0).writer(None)  # type: ignore[arg-type]

    found = write(torch.tensor([torch.nan, 1.0, -1.0, 1.5, -torch.inf]), None)

    torch.testing.assert_close(found, torch.tensor([torch.nan, 0, 0, 1.5, -torch.inf]), equal_nan=True)


def test_a_pattern_can_only_be_read(llama: Any) -> None:
    with pytest.raises(EditError, match="can be read, not changed"):
        Recipe((Threshold("attention_1.pattern", 0.1),)).taps(spec_of(llama))
