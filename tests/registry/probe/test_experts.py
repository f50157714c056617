"""One expert of several that share a module: its share by hand, and taking it out as zeroing its weights."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from threading import Thread
from typing import Any
from weakref import ref

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from garage_nb.errors import UnknownPartError
from garage_nb.inject.edits import Add, Edit, Scale, Through
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
ALL_OF_IT = [f"causal-{kind}" for kind in ("mixtral", "gpt_oss", "granitemoe", "granitemoeshared", "granitemoehybrid")]


def shares(model: Any, *places: str) -> dict[str, Tensor]:
    shots = SnapshotCapture(model).run(inputs(model), layers=list(places), keep=True)
    return {place: shots[place].hidden for place in places}  # type: ignore[misc]


@every_fused
def test_the_shares_add_up_to_what_leaves_the_experts(entry: str) -> None:
    model, _ = opened(entry)
    names = [f"ffn_1.expert_{index}" for index in range(4)]

    own = shares(model, *names)

    together = seen(model, FUSED[entry])[FUSED[entry]] * getattr(model.config, "residual_multiplier", 1)
    assert torch.allclose(sum(own.values()), together.reshape(own[names[0]].shape), **ALIKE)  # type: ignore[arg-type]
    assert sum(bool(share.any()) for share in own.values()) >= 2  # two answer for every token


@pytest.mark.parametrize("entry", ALL_OF_IT)
def test_the_shares_add_up_to_what_the_half_adds(entry: str) -> None:
    """Times the residual multiplier, which Granite applies outside the module; a shared expert is a half of its own."""
    model, spec = opened(entry)
    names = [f"ffn_1.expert_{index}" for index in range(4)]

    own = shares(model, "ffn_1", "ffn_1.experts", *names)

    added = own["ffn_1"]
    left = seen(model, spec.parts["ffn_1"].module_path)[spec.parts["ffn_1"].module_path]
    assert torch.allclose(added, left * getattr(model.config, "residual_multiplier", 1), **ALIKE)
    assert torch.allclose(sum(own[name] for name in names).reshape(added.shape), added, **ALIKE)  # type: ignore[union-attr]
    assert torch.allclose(own["ffn_1.experts"].reshape(added.shape), added, **ALIKE)


@pytest.mark.parametrize(("entry", "times"), [("causal-laguna", 0.5), ("causal-minimax_m3_vl_text", 2.0)])
def test_a_routed_scaling_factor_counts(entry: str, times: float) -> None:
    """It stands between the experts and what the shared expert is added to."""
    model = fresh(entry)
    mlp = model.model.layers[1].mlp
    mlp.routed_scaling_factor = times
    names = [f"ffn_1.expert_{index}" for index in range(4)]
    own = shares(model, "ffn_1", "ffn_1.experts", *names)

    with torch.no_grad():
        for weight in mlp.experts.parameters():
            weight.zero_()
    shared = shares(model, "ffn_1")["ffn_1"]

    routed = (own["ffn_1"] - shared).reshape(own[names[0]].shape)
    assert torch.allclose(own["ffn_1.experts"], routed, **ALIKE)
    assert torch.allclose(sum(own[name] for name in names), routed, **ALIKE)  # type: ignore[arg-type]
    assert routed.abs().max() > 0.01


@pytest.mark.parametrize("entry", ALL_OF_IT)
def test_what_is_added_to_an_expert_is_added_to_the_stream(entry: str) -> None:
    """By its own amount, whatever the block multiplies by on the way."""
    model, spec = opened(entry)
    bare = shares(model, "ffn_1")["ffn_1"]

    shot = SnapshotCapture(model).run(
        inputs(model), layers=["ffn_1"], keep=True, under=Recipe((Add("ffn_1.expert_0", 0.25),)).taps(spec)
    )

    edited = shot["ffn_1"].hidden
    assert edited is not None
    assert torch.allclose(edited, bare + 0.25, **ALIKE)


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
    """Three edits of two experts, and by how much they change what the experts add together."""
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


def turned(hidden: Tensor) -> Tensor:
    """Neither linear nor in step with a scale: another order gives another answer."""
    return hidden.tanh() + 0.5


def injected(model: Any, *edits: Edit) -> tuple[Tensor, Tensor]:
    """Each by an injector of its own: the logits, and what the experts then add together."""
    with ExitStack() as stack:
        for edit in edits:
            stack.enter_context(LayerInjector(model)).add(edit)
        return called(model), shares(model, "ffn_1.experts")["ffn_1.experts"]


def with_experts_answering(model: Any, path: str, answer: Callable[[list[Tensor]], Tensor]) -> Tensor:
    """Logits where `answer` makes of the experts' shares what leaves them, worked out by the block's own formula."""
    experts = model.get_submodule(path)

    def by_hand(hidden: Tensor, chosen: Tensor, weights: Tensor) -> Tensor:
        return answer([one_share(experts, hidden, (weights * (chosen == index)).sum(-1), index) for index in range(4)])

    experts.forward = by_hand
    try:
        return called(model)
    finally:
        del experts.forward


def one_share(experts: Any, hidden: Tensor, weight: Tensor, index: int) -> Tensor:
    gate, up = F.linear(hidden, experts.gate_up_proj[index]).chunk(2, dim=-1)
    return weight[:, None] * F.linear(F.silu(gate) * up, experts.down_proj[index])


ONE, OTHER, BOTH = "ffn_1.expert_0", "ffn_1.expert_1", "ffn_1.experts"
TOGETHER: dict[str, tuple[tuple[Edit, ...], Callable[[list[Tensor]], Tensor]]] = {
    "one twice": ((Scale(ONE, 0.5), Through(ONE, turned)), lambda own: turned(0.5 * own[0]) + sum(own[1:])),
    "the other way round": ((Through(ONE, turned), Scale(ONE, 0.5)), lambda own: 0.5 * turned(own[0]) + sum(own[1:])),
    "three times": (
        (Through(ONE, turned), Scale(ONE, 0.5), Through(ONE, turned)),
        lambda own: turned(0.5 * turned(own[0])) + sum(own[1:]),
    ),
    "two, in turns": (
        (Scale(ONE, 0.5), Through(OTHER, turned), Through(ONE, turned)),
        lambda own: turned(0.5 * own[0]) + turned(own[1]) + own[2] + own[3],
    ),
    "one, then all": ((Through(ONE, turned), Through(BOTH, turned)), lambda own: turned(turned(own[0]) + sum(own[1:]))),
    "all, then one": ((Through(BOTH, turned), Through(ONE, turned)), lambda own: turned(turned(own[0]) + sum(own[1:]))),
    "all in between": (
        (Through(ONE, turned), Through(BOTH, turned), Scale(ONE, 0.5)),
        lambda own: turned(0.5 * turned(own[0]) + sum(own[1:])),
    ),
}
every_together = pytest.mark.parametrize("name", TOGETHER)


@every_together
def test_injections_at_experts_act_in_turn_and_before_those_at_all_of_them(name: str) -> None:
    model = fresh("causal-mixtral")
    edits, answer = TOGETHER[name]
    bare = called(model)

    edited, _ = injected(model, *edits)

    expected = with_experts_answering(model, FUSED["causal-mixtral"], answer)
    assert torch.allclose(edited, expected, **ALIKE)
    assert not torch.allclose(edited, bare, **ALIKE)
    assert torch.equal(called(model), bare)


@every_together
@pytest.mark.parametrize("entry", ["causal-mixtral", "causal-granitemoe"])
def test_edits_of_one_recipe_are_those_of_as_many_injections(entry: str, name: str) -> None:
    model, spec = opened(entry)
    edits, _ = TOGETHER[name]

    shot = SnapshotCapture(model).run(
        inputs(model), layers=["ffn_1.experts"], keep=True, under=Recipe(edits).taps(spec)
    )

    hidden = shot["ffn_1.experts"].hidden
    assert hidden is not None
    assert torch.allclose(hidden, injected(model, *edits)[1], **ALIKE)


def test_readers_see_what_injections_wrote_to_experts_alone() -> None:
    """An expert stands before the sum: its reader sees the edits of the expert, and none of the sum."""
    model = fresh("causal-mixtral")
    place = f"ffn_1.expert_{_busiest(model)}"
    own = shares(model, place)[place]

    with LayerInjector(model) as first, LayerInjector(model) as second:
        first.inject_scaling(place, 0.5)
        first.inject_scaling(BOTH, 0.0)
        name = second.inject(place, turned)
        with_both = shares(model, place, BOTH)
        second.remove(name)
        with_first = shares(model, place)[place]

    assert torch.allclose(with_both[place], turned(0.5 * own), **ALIKE)
    assert not with_both[BOTH].any()
    assert torch.allclose(with_first, 0.5 * own, **ALIKE)
    assert torch.equal(shares(model, place)[place], own)


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


def test_a_pass_of_another_thread_in_between_takes_no_share_away() -> None:
    model = fresh("causal-mixtral")
    expected, _ = injected(model, Scale(ONE, 0.5), Through(ONE, turned))
    theirs: list[Tensor] = []

    def while_another_runs(hidden: Tensor) -> Tensor:
        thread = Thread(target=lambda: theirs.append(injected(model, Scale(ONE, 3.0))[0]))
        thread.start()
        thread.join()
        return turned(hidden)

    with LayerInjector(model) as injector:
        injector.inject_scaling(ONE, 0.5)
        injector.inject(ONE, while_another_runs)
        edited = called(model)

    assert torch.equal(edited, expected)
    assert torch.equal(theirs[0], injected(model, Scale(ONE, 3.0))[0])


def test_shares_are_kept_no_longer_than_the_call() -> None:
    model = fresh("causal-mixtral")
    kept: list[ref[Tensor]] = []

    def noted(hidden: Tensor) -> Tensor:
        kept.append(ref(after := hidden * 2))
        return after

    with LayerInjector(model) as injector:
        injector.inject(ONE, noted)
        injector.inject(ONE, noted)
        called(model)

        assert [share() for share in kept] == [None, None]


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
