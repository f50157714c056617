"""Models of a user's own open like any other, and what cannot be opened is refused with the reason."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import Tensor, nn

from garage_nb.errors import UnavailablePartError, UnsupportedModelError
from garage_nb.inject.edits import Scale
from garage_nb.inject.layer import LayerInjector
from garage_nb.inject.recipe import Recipe
from garage_nb.registry.decompose import spec_of
from garage_nb.snapshot.capture import SnapshotCapture
from tests.restored import hooks_on

from .models import opened
from .own import (
    DIM,
    GPT,
    HEADS,
    IDS,
    VOCAB,
    Block,
    Broken,
    Flat,
    GatedBlock,
    InPlaceBlock,
    SlowBlock,
    Towers,
    TupleBlock,
)

ALIKE = {"atol": 1e-5, "rtol": 1e-4}
READABLE = [Block, SlowBlock, InPlaceBlock, TupleBlock]


@torch.no_grad()
def by_hand(model: GPT, change: str = "", factor: float = 1.0) -> tuple[list[Tensor], Tensor]:
    """The model layer by layer with one of its halves or layers scaled: what leaves each block, and the logits."""
    inner, stream = model.transformer, []
    x = inner["wte"](IDS) + inner["wpe"](torch.arange(IDS.shape[1]))
    for layer, block in enumerate(inner["h"]):
        x = x + block.attn(block.ln_1(x)) * (factor if change == f"attention_{layer}" else 1.0)
        x = x + block.mlp(block.ln_2(x)) * (factor if change == f"ffn_{layer}" else 1.0)
        x = x * (factor if change == f"layer_{layer}" else 1.0)
        stream.append(x.clone())
    return stream, model.lm_head(inner["ln_f"](x))


@pytest.mark.parametrize("block", READABLE)
def test_its_parts_are_found(block: type[nn.Module]) -> None:
    spec = spec_of(GPT(block))

    own = {name: part.module_path for name, part in spec.parts.items() if part.layer_idx in (None, 1)}
    assert own == {
        "embedding": "transformer.wte",
        "position_embedding": "transformer.wpe",
        "layer_norm_1_attention": "transformer.h.1.ln_1",
        "attention_1": "transformer.h.1.attn",
        "layer_norm_1_ffn": "transformer.h.1.ln_2",
        "ffn_1": "transformer.h.1.mlp",
        "layer_1": "transformer.h.1",
        "layer_norm_final": "transformer.ln_f",
        **({"output_head": "lm_head"} if "output_head" in own else {}),
    }
    assert (spec.num_layers, spec.hidden_dim, spec.num_heads, spec.vocab_size) == (3, DIM, HEADS, VOCAB)
    assert spec.get_attention(0).extra_info["qkv"]["kind"] == "thirds"
    assert spec.get_ffn(0).intermediate_dim == 3 * DIM
    assert spec.report()


def test_its_head_is_found() -> None:
    assert spec_of(GPT()).parts["output_head"].module_path == "lm_head"


@pytest.mark.parametrize("block", READABLE)
def test_captures_are_what_the_blocks_give(block: type[nn.Module]) -> None:
    model = GPT(block)
    stream, _ = by_hand(model)

    shots = SnapshotCapture(model).run(IDS, layers="all", keep=True)

    assert list(shots) == ["layer_0", "layer_1", "layer_2"]
    assert all(torch.allclose(shots[f"layer_{layer}"].hidden, stream[layer], **ALIKE) for layer in range(3))  # type: ignore[arg-type]


@pytest.mark.parametrize("block", READABLE)
@pytest.mark.parametrize("place", ["layer_1", "attention_0", "ffn_2"])
def test_edits_do_what_they_say(block: type[nn.Module], place: str) -> None:
    model = GPT(block)
    _, wanted = by_hand(model, place, 0.4)

    with torch.no_grad():
        bare = model(IDS)
        with LayerInjector(model) as injector:
            injector.inject_scaling(place, 0.4)
            edited = model(IDS)

        assert torch.allclose(edited, wanted, **ALIKE)
        assert not torch.allclose(edited, bare, **ALIKE)
        assert torch.equal(model(IDS), bare)
    assert hooks_on(model) == {}


@pytest.mark.parametrize("block", READABLE)
def test_heads_and_neurons_can_be_taken_out(block: type[nn.Module]) -> None:
    model, cut = GPT(block), GPT(block)
    with torch.no_grad():
        cut.get_submodule("transformer.h.1.attn.c_proj").weight[:, DIM // HEADS :] = 0  # type: ignore[index]
        cut.get_submodule("transformer.h.2.mlp.c_proj").weight[:, 7] = 0  # type: ignore[index]

        with LayerInjector(model) as injector:
            injector.inject_scaling("attention_1.head_1", 0.0)
            injector.inject_scaling("ffn_2.neuron_7", 0.0)

            assert torch.allclose(model(IDS), cut(IDS), **ALIKE)


def test_reading_it_leaves_every_bit() -> None:
    model = GPT().train()
    with torch.no_grad():
        bare = model(IDS)

    spec = spec_of(model)
    SnapshotCapture(model).run(IDS, layers=spec.available())
    with LayerInjector(model) as injector, torch.no_grad():
        injector.inject_scaling("layer_0", 1.0)
        again = model(IDS)

    assert torch.equal(again, bare)
    assert model.training
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())


def test_a_block_that_does_something_odd_opens_as_a_block() -> None:
    model = GPT(GatedBlock)
    spec = spec_of(model)
    with torch.no_grad():
        bare = model(IDS)

    hidden = SnapshotCapture(model).run(IDS, layers="layer_0", keep=True)["layer_0"].hidden
    shots = SnapshotCapture(model).run(
        IDS, layers="layer_0", keep=True, under=Recipe((Scale("layer_0", 0.5),)).taps(spec)
    )

    assert spec.num_layers == 3
    assert not spec.report()
    assert hidden is not None
    assert torch.equal(shots["layer_0"].hidden, 0.5 * hidden)  # type: ignore[arg-type]
    with pytest.raises(UnavailablePartError, match="no sum that holds what entered it"):
        spec.site("attention_0")
    with LayerInjector(model) as injector, torch.no_grad():
        injector.inject_scaling("layer_2", 2.0)
        assert not torch.equal(model(IDS), bare)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (Flat(), "No chain of blocks ran in this Flat."),
        (Towers(), "No chain of blocks ran in this Towers."),
        (Broken(), "Broken did not run on a few token ids: ValueError: the images are missing"),
        (nn.Linear(3, 3), "Linear has no table of token embeddings."),
    ],
    ids=["no blocks", "side by side", "raises", "no tokens"],
)
def test_what_cannot_be_opened_is_refused_with_the_reason(model: nn.Module, says: str) -> None:
    with pytest.raises(UnsupportedModelError) as caught:
        spec_of(model)

    what, hint = str(caught.value).splitlines()
    assert what == says
    assert hint
    assert hooks_on(model) == {}


def test_what_a_model_raised_stays_as_the_cause() -> None:
    with pytest.raises(UnsupportedModelError) as caught:
        spec_of(Broken())

    assert isinstance(caught.value.__cause__, ValueError)


WRAPPERS = {
    "causal-gemma3": ("model.language_model.layers", []),
    "causal-llama4": ("model.layers", []),
    "causal-mllama": ("model.layers", ["layer_1"]),  # it attends to images alone, and does not run without any
}


@pytest.mark.parametrize("entry", WRAPPERS)
def test_a_vision_language_wrapper_opens_its_language_model(entry: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, spec = opened(entry)
    stack, left_out = WRAPPERS[entry]

    assert spec.num_layers == 3
    assert [proof.layer for proof in spec.proofs if proof.reason] == list(spec.report().unavailable) == left_out
    assert all(spec.get_full_layer(layer).module_path.startswith(f"{stack}.") for layer in range(3))
    assert not any("vision" in part.module_path for part in spec.parts.values())
