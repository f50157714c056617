"""One expert of several that share a module: its share by hand, and taking it out as zeroing its weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from garage_nb.errors import EditError, UnknownPartError
from garage_nb.inject.edits import Scale
from garage_nb.inject.layer import LayerInjector
from garage_nb.inject.recipe import Recipe
from garage_nb.registry.decompose import spec_of
from garage_nb.snapshot.capture import SnapshotCapture
from tests.coverage.zoo import inputs

from .models import called, fresh, opened, seen

ALIKE = {"atol": 1e-5, "rtol": 1e-4}
FUSED = {
    "causal-mixtral": "model.layers.1.mlp.experts",
    "causal-qwen2_moe": "model.layers.1.mlp.experts",
    "causal-qwen3_moe": "model.layers.1.mlp.experts",
    "causal-olmoe": "model.layers.1.mlp.experts",
    "causal-phimoe": "model.layers.1.mlp.experts",
    "causal-gpt_oss": "model.layers.1.mlp.experts",
    "causal-deepseek_v3": "model.layers.1.mlp.experts",
    "causal-granitemoe": "model.layers.1.block_sparse_moe.experts",
}
every_fused = pytest.mark.parametrize("entry", FUSED)


def shares(model: Any, *places: str) -> dict[str, Tensor]:
    shots = SnapshotCapture(model).run(inputs(model), layers=list(places), keep=True)
    return {place: shots[place].hidden for place in places}  # type: ignore[misc]


@every_fused
def test_the_shares_add_up_to_what_leaves_the_experts(entry: str) -> None:
    model, _ = opened(entry)
    names = [f"ffn_1.expert_{index}" for index in range(4)]

    own = shares(model, *names)

    together = seen(model, FUSED[entry])[FUSED[entry]]
    assert torch.allclose(sum(own.values()), together.reshape(own[names[0]].shape), **ALIKE)  # type: ignore[arg-type]
    assert sum(bool(share.any()) for share in own.values()) >= 2  # two answer for every token


@every_fused
def test_an_expert_taken_out_is_its_weights_zeroed(entry: str) -> None:
    model = fresh(entry)
    index = _busiest(model)
    before = called(model)

    with LayerInjector(model) as injector:
        injector.inject_scaling(f"ffn_1.expert_{index}", 0.0)
        edited = called(model)
    with torch.no_grad():
        for name, weight in model.get_submodule(FUSED[entry]).named_parameters():
            if "down" in name or name.startswith("output"):
                weight[index] = 0

    assert torch.allclose(edited, called(model), **ALIKE)
    assert not torch.allclose(edited, before, **ALIKE)


def edits(model: Any) -> tuple[tuple[Scale, ...], Tensor]:
    """Three edits of two experts, and by how much they change what leaves the experts together."""
    one, other = (index := _busiest(model)), (index + 1) % 4
    own = shares(model, f"ffn_1.expert_{one}", f"ffn_1.expert_{other}")
    scales = (Scale(f"ffn_1.expert_{one}", 0.5), Scale(f"ffn_1.expert_{other}", 0.0), Scale(f"ffn_1.expert_{one}", 0.5))
    return scales, -0.75 * own[f"ffn_1.expert_{one}"] - own[f"ffn_1.expert_{other}"]


@every_fused
def test_edits_of_one_recipe_act_each_on_its_own_share(entry: str) -> None:
    """Whatever the others did; and the second on one expert sees the first."""
    model, spec = opened(entry)
    scales, change = edits(model)
    bare = shares(model, "ffn_1.experts")["ffn_1.experts"]

    shot = SnapshotCapture(model).run(
        inputs(model), layers=["ffn_1.experts"], keep=True, under=Recipe(scales).taps(spec)
    )

    edited = shot["ffn_1.experts"].hidden
    assert edited is not None
    assert torch.allclose(edited, bare + change.reshape(bare.shape), **ALIKE)


def test_two_injections_at_one_expert_are_refused() -> None:
    """They would not know of each other's share."""
    model = fresh("causal-mixtral")

    with LayerInjector(model) as injector:
        injector.add(Scale("ffn_1.expert_0", 0.5))
        with pytest.raises(EditError, match="acts on this expert already"):
            injector.add(Scale("ffn_1.expert_0", 0.5))

        assert len(injector.list_injections()) == 1


def test_a_reader_sees_what_was_written_to_an_expert() -> None:
    model, spec = opened("causal-mixtral")
    place = f"ffn_1.expert_{_busiest(model)}"
    own = shares(model, place)[place]

    shot = SnapshotCapture(model).run(
        inputs(model), layers=[place], keep=True, under=Recipe((Scale(place, 0.5),)).taps(spec)
    )

    edited = shot[place].hidden
    assert edited is not None
    assert torch.allclose(edited, 0.5 * own, **ALIKE)


def test_experts_together_and_one_of_them_are_not_edited_at_once() -> None:
    _, spec = opened("causal-mixtral")

    with pytest.raises(EditError, match="edited as a whole"):
        Recipe((Scale("ffn_1.experts", 0.0), Scale("ffn_1.expert_0", 0.0))).taps(spec)


@every_fused
def test_an_expert_left_alone_leaves_every_bit(entry: str) -> None:
    model, _ = opened(entry)
    bare = called(model)

    with LayerInjector(model) as injector:
        injector.inject_scaling("ffn_1.expert_2", 1.0)

        assert torch.equal(called(model), bare)


def test_a_share_of_mixtral_by_its_formula() -> None:
    model, _ = opened("causal-mixtral")
    block = model.model.layers[1].mlp
    entering = seen(model, ">model.layers.1.mlp")[">model.layers.1.mlp"].flatten(0, 1)

    index = _busiest(model)

    own = shares(model, f"ffn_1.expert_{index}")[f"ffn_1.expert_{index}"]

    with torch.no_grad():
        chances = F.linear(entering, block.gate.weight).softmax(-1)
        top, chosen = chances.topk(2, dim=-1)
        weight = (top / top.sum(-1, keepdim=True) * (chosen == index)).sum(-1, keepdim=True)
        gate, up = F.linear(entering, block.experts.gate_up_proj[index]).chunk(2, dim=-1)
        by_hand = weight * F.linear(F.silu(gate) * up, block.experts.down_proj[index])
    assert torch.allclose(own.reshape(by_hand.shape), by_hand, **ALIKE)
    assert bool(by_hand.any())


def test_llama_4_gives_its_experts_no_choice_and_says_so() -> None:
    """There the router's weight goes into each expert, whose share is then not linear in it."""
    model, spec = opened("causal-llama4_text")

    assert spec.get_ffn(0).extra_info["num_experts"] == 4
    with pytest.raises(UnknownPartError, match=r"ffn_0\.expert_1"):
        spec.site("ffn_0.expert_1")
    assert shares(model, "ffn_0")["ffn_0"].numel() == 8 * 32


def test_experts_out_of_range_and_of_a_dense_block() -> None:
    spec = opened("causal-deepseek_v3")[1]

    with pytest.raises(UnknownPartError):
        spec.site("ffn_1.expert_4")
    with pytest.raises(UnknownPartError):
        spec.site("ffn_0.expert_0")
    assert spec.name("ffn_1.expert_-1") == "ffn_1.expert_3"


def _busiest(model: Any) -> int:
    """The expert whose share is largest; some get no token at all."""
    assert spec_of(model).get_ffn(1).count_of("expert") == 4
    own = shares(model, *(f"ffn_1.expert_{index}" for index in range(4)))
    return max(range(4), key=lambda index: float(own[f"ffn_1.expert_{index}"].abs().max()))
