"""What looks ahead is told from what does not by what it answers."""

from __future__ import annotations

import pytest
import torch

from garage_nb.core.next_token import demand_predicts, looks_ahead
from garage_nb.errors import UnsupportedModelError
from tests.coverage.zoo import Entry, build
from tests.families import tiny

WRITERS = {
    "t5": "T5ForConditionalGeneration",
    "fsmt": "FSMTForConditionalGeneration",  # its mask hides padding, of the first token too
    "switch_transformers": "SwitchTransformersForConditionalGeneration",
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_a_bert_looks_ahead_unless_it_is_a_decoder(family: str, dtype: torch.dtype) -> None:
    encoder, decoder = (tiny(family, is_decoder=decodes).to(dtype) for decodes in (False, True))

    assert looks_ahead(encoder)
    assert not looks_ahead(decoder)
    demand_predicts(decoder)
    with pytest.raises(UnsupportedModelError, match="reads the tokens behind each place") as caught:
        demand_predicts(encoder)
    assert "is_decoder=True" in str(caught.value)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2", "mixtral", "olmoe", "mamba"])
def test_a_decoder_does_not(family: str, dtype: torch.dtype) -> None:
    sizes = {"olmoe": {"intermediate_size": 16}, "mamba": {"state_size": 4}}
    assert not looks_ahead(tiny(family, **sizes.get(family, {})).to(dtype))


@pytest.mark.parametrize("family", WRITERS)
def test_of_an_encoder_decoder_what_writes_does_not(family: str) -> None:
    assert not looks_ahead(build(Entry("seq2seq", family, WRITERS[family])))


def test_it_is_tried_once_and_leaves_the_model_as_it_was() -> None:
    model = tiny("llama").train()
    passes: list[int] = []
    hook = model.register_forward_hook(lambda *_: passes.append(1))
    before = torch.get_rng_state()

    with hook, torch.enable_grad():
        for _ in range(3):
            demand_predicts(model)
        assert torch.is_grad_enabled()

    assert len(passes) == 2
    assert all(module.training for module in model.modules())
    assert torch.equal(torch.get_rng_state(), before)


def test_a_model_that_stops_looking_ahead_is_tried_again() -> None:
    model = tiny("llama")

    with model.model.embed_tokens.register_forward_hook(
        lambda _, __, hidden: hidden + hidden.mean(dim=1, keepdim=True)
    ):
        assert looks_ahead(model)

    assert not looks_ahead(model)
