"""What stands below the blocks of an encoder and of a decoder is each stack's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from garage_nb.inject.edits import Scale
from garage_nb.inject.recipe import Recipe
from garage_nb.registry.decompose import spec_of
from garage_nb.snapshot.capture import SnapshotCapture
from tests.coverage.zoo import inputs

from .models import fresh, opened

STACKS = {"encoder_": "encoder_hidden_states", "": "decoder_hidden_states"}
ALONE, NORMED = ["embedding"], ["layer_norm_embedding"]
SUMMED = ["embedding", "position_embedding"]
ENTERING = {
    "seq2seq-t5": ALONE,
    "seq2seq-switch_transformers": ALONE,
    "seq2seq-bart": NORMED,
    "seq2seq-mbart": NORMED,
    "seq2seq-encoder-decoder": NORMED,
    "seq2seq-marian": SUMMED,
    "seq2seq-pegasus": SUMMED,
    "seq2seq-m2m_100": SUMMED,
}


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("entry", ENTERING)
def test_what_is_read_there_enters_the_first_block(entry: str, stack: str) -> None:
    model, _ = opened(entry)

    shots = captured(model, *(f"{stack}{part}" for part in ENTERING[entry]))

    first = recorded(model, STACKS[stack])[0]
    assert torch.allclose(sum(shots, torch.zeros_like(first)), first, atol=1e-6)


@pytest.mark.parametrize(
    ("entry", "encoder", "decoder"),
    [
        ("seq2seq-fsmt", "model.encoder.embed_tokens", "model.decoder.embed_tokens"),
        (
            "seq2seq-encoder-decoder",
            "encoder.embeddings.word_embeddings",
            "decoder.bert.embeddings.word_embeddings",
        ),
    ],
)
def test_a_decoder_with_a_table_of_its_own(entry: str, encoder: str, decoder: str) -> None:
    model, spec = opened(entry)

    assert spec.parts["encoder_embedding"].module_path == encoder
    assert spec.parts["embedding"].module_path == decoder
    assert spec.parts["embedding"].input_dim == model.get_submodule(decoder).num_embeddings
    assert model.get_submodule(encoder).weight is not model.get_submodule(decoder).weight


def test_each_stack_has_its_own_rotary_embedding() -> None:
    parts = opened("seq2seq-t5gemma")[1].parts

    assert parts["encoder_rotary_emb"].module_path == "model.encoder.rotary_emb"
    assert parts["rotary_emb"].module_path == "model.decoder.rotary_emb"


@pytest.mark.parametrize("entry", ["seq2seq-t5", "seq2seq-bart", "seq2seq-t5gemma"])
def test_parts_stand_bottom_to_top(entry: str) -> None:
    order = ["encoder_embedding", "encoder_layer_0", "encoder_layer_2", "embedding", "layer_0", "layer_2"]

    assert [name for name in opened(entry)[1].parts if name in order] == order


def test_a_table_that_both_stacks_call_is_told_apart_by_its_calls() -> None:
    model = fresh("seq2seq-t5")
    model.encoder.embed_tokens = model.decoder.embed_tokens = model.shared
    spec = spec_of(model)

    encoder, decoder = captured(model, "encoder_embedding", "embedding")

    assert [spec.site(name).path for name in ("encoder_embedding", "embedding")] == ["shared", "shared"]
    assert torch.equal(encoder, recorded(model, "encoder_hidden_states")[0])
    assert torch.equal(decoder, recorded(model, "decoder_hidden_states")[0])


def test_an_edit_of_the_one_call_leaves_the_other_alone() -> None:
    model = fresh("seq2seq-t5")
    model.encoder.embed_tokens = model.decoder.embed_tokens = model.shared
    taps = Recipe((Scale("embedding", 2.0),)).taps(spec_of(model))

    encoder, decoder = captured(model, "encoder_layer_0", "layer_0", under=taps)

    bare_encoder, bare_decoder = captured(model, "encoder_layer_0", "layer_0")
    assert torch.equal(encoder, bare_encoder)
    assert not torch.equal(decoder, bare_decoder)


def captured(model: Any, *names: str, **options: Any) -> list[Tensor]:
    shots = SnapshotCapture(model).run(inputs(model), layers=list(names), keep=True, **options)
    return [shots[name].hidden for name in names]  # type: ignore[misc]


@torch.no_grad()
def recorded(model: Any, key: str) -> tuple[Tensor, ...]:
    """What transformers itself records: embeddings first, then what leaves each block."""
    return model(**inputs(model), use_cache=False, output_hidden_states=True)[key]
