"""Weights blended: against the formulas written out in torch, tensor by tensor."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from garage_nb.compose.blends.methods import blend_of
from garage_nb.compose.graft import Merge, Stack
from garage_nb.compose.ref import Ref
from garage_nb.registry.lift import Lifted, lift
from tests.compose.bench import built, checked, fresh, logits, model


def lifted(family: str, **changes: Any) -> dict[str, Lifted]:
    """Three models of one shape."""
    return {name: lift(model(family, seed=seed, **changes)) for seed, name in enumerate("abc")}


def merge(at: str, sources: str, how: str) -> Merge:
    return Merge(at, tuple(map(Ref.of, sources.split(";"))), blend_of(how))


def state(donor: Lifted) -> dict[str, Tensor]:
    return dict(donor.model.state_dict())


def naive(donors: dict[str, Lifted], made: dict[str, Tensor]) -> Any:
    base = donors["a"].model
    copied = fresh(base, copy.deepcopy(base.config))
    copied.load_state_dict({**base.state_dict(), **made})
    return copied


@pytest.mark.parametrize(
    "family", ["gpt2", "llama", "gemma2", "phi", "bloom", "opt", "gpt_neox", "qwen3_moe", "mixtral"]
)
def test_the_mean_of_whole_models(family: str) -> None:
    """Tied ones too; MoE's routers and experts; what counts as a buffer stays as it is."""
    donors = lifted(family)

    hybrid = built(donors, merge("all", "b;c", "--method linear --weight 0.5,0.3,0.2")).model

    a, b, c = map(state, donors.values())
    made = {name: 0.5 * a[name] + 0.3 * b[name] + 0.2 * c[name] for name in a}
    found = hybrid.state_dict()
    assert list(found) == list(a)
    assert all(torch.allclose(found[name], made[name], rtol=1e-6, atol=1e-6) for name in made)
    assert torch.allclose(logits(hybrid), logits(naive(donors, made)), atol=2e-4)
    assert hybrid.config.tie_word_embeddings == donors["a"].model.config.tie_word_embeddings


def test_slerp_along_depth_and_by_names() -> None:
    """0 at the first layer of the merge, 1 at its last, on a straight line between; another number for the mlp."""
    donors = lifted("llama")

    found = built(donors, merge("all", "b", "--method slerp --t self_attn=0..1/mlp=1..0/0.5")).model.state_dict()

    a, b = state(donors["a"]), state(donors["b"])
    for name, tensor in found.items():
        depth = int(name.split(".")[2]) / 2 if "layers" in name else 0.0
        t = depth if "self_attn" in name else 1 - depth if "mlp" in name else 0.5
        assert torch.allclose(tensor, slerp(t, a[name], b[name]), rtol=1e-5, atol=1e-6), name


def slerp(t: float, a: Tensor, b: Tensor) -> Tensor:
    """Shoemake (1985), on the flattened tensors, the norm left to the sum; straight where they are almost in line."""
    u, v = a.double().flatten(), b.double().flatten()
    cosine = (u / u.norm()) @ (v / v.norm())
    if abs(cosine) > 0.9995:
        return ((1 - t) * a.double() + t * b.double()).float()
    angle = torch.arccos(cosine)
    mixed = (torch.sin((1 - t) * angle) * u + torch.sin(t * angle) * v) / torch.sin(angle)
    return mixed.view(a.shape).float()


@pytest.mark.parametrize(
    ("at", "depths"),
    [
        ("layer_*", {0: 0.0, 1: 0.5, 2: 1.0}),
        ("1:3", {1: 0.0, 2: 1.0}),
        ("1", {1: 1.0}),  # one layer is its own last one, as for mergekit
        ("0,2", {0: 0.0, 2: 1.0}),
    ],
)
def test_depth_is_counted_along_the_layers_of_the_merge(at: str, depths: dict[int, float]) -> None:
    donors = lifted("gpt2")

    found = built(donors, merge(at, "b", "--method slerp --t 0..1")).model.state_dict()

    a, b = state(donors["a"]), state(donors["b"])
    for name in a:
        layer = int(name.split(".")[2]) if ".h." in name else None
        t = depths.get(layer, 0.0) if layer is not None else 0.0
        assert torch.allclose(found[name], slerp(t, a[name], b[name]), rtol=1e-5, atol=1e-6), name


def test_tasks_added_to_the_base() -> None:
    donors = lifted("llama")

    how = "--method task_arithmetic --weight 0.5,-0.25"
    found = built(donors, merge("ffn_*", "b;c", how)).model.state_dict()

    a, b, c = map(state, donors.values())
    for name in a:
        expected = a[name] + 0.5 * (b[name] - a[name]) - 0.25 * (c[name] - a[name]) if "mlp" in name else a[name]
        assert torch.allclose(found[name], expected, atol=1e-6), name


def test_parts_of_other_places() -> None:
    """Of the base itself too, and of blocks that were stacked before."""
    donors = lifted("llama")
    half = "--method linear --weight 0.5"

    grafts = (Stack.of("0:3 b[2]"), merge("attention_3", "[attention_0];c[attention_1]", "--method linear --weight 1"))
    found = built(donors, *grafts, merge("layer_norm_final", "c", half)).model.state_dict()

    a, b, c = map(state, donors.values())
    for inner in ("q_proj", "k_proj", "v_proj", "o_proj"):
        stem = f"self_attn.{inner}.weight"
        mean = (b[f"model.layers.2.{stem}"] + a[f"model.layers.0.{stem}"] + c[f"model.layers.1.{stem}"]) / 3
        assert torch.allclose(found[f"model.layers.3.{stem}"], mean, atol=1e-6)
    assert torch.allclose(found["model.norm.weight"], (a["model.norm.weight"] + c["model.norm.weight"]) / 2)
    assert torch.equal(found["model.layers.3.mlp.up_proj.weight"], b["model.layers.2.mlp.up_proj.weight"])


def test_merges_act_in_their_order() -> None:
    donors = lifted("llama")
    half = "--method linear --weight 0.5"

    found = built(donors, merge("ffn_0", "b", half), merge("ffn_0", "c", half)).model.state_dict()

    a, b, c = map(state, donors.values())
    name = "model.layers.0.mlp.up_proj.weight"
    assert torch.allclose(found[name], a[name] / 4 + b[name] / 4 + c[name] / 2, atol=1e-6)


@pytest.mark.parametrize(
    ("mine", "theirs", "result"),
    [(True, True, True), (True, False, False), (False, True, False), (False, False, False)],
)
def test_tied_embeddings(mine: bool, theirs: bool, result: bool) -> None:
    """Two tied models blend into a tied one; where one is not, the head comes out as a blend of its own."""
    donors = {name: lift(model("llama", seed=seed, tie_word_embeddings=tied))
              for seed, (name, tied) in enumerate({"a": mine, "b": theirs}.items())}  # fmt: skip

    hybrid = built(donors, merge("all", "b", "--method linear --weight 0.5")).model

    a, b = state(donors["a"]), state(donors["b"])
    assert hybrid.config.tie_word_embeddings is result
    assert (hybrid.lm_head.weight is hybrid.model.embed_tokens.weight) is result
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        assert torch.allclose(hybrid.state_dict()[name], (a[name] + b[name]) / 2, atol=1e-6)


@pytest.mark.parametrize("at", ["embedding", "output_head"])
def test_one_end_of_a_tied_model(at: str) -> None:
    """The other end stays as it is, so they are tied no longer."""
    donors = lifted("llama", tie_word_embeddings=True)

    hybrid = built(donors, merge(at, "b", "--method linear --weight 0.5")).model

    a, b = (state(donors[name])["lm_head.weight"] for name in "ab")
    ends = {"embedding": hybrid.model.embed_tokens.weight, "output_head": hybrid.lm_head.weight}
    assert torch.allclose(ends.pop(at), (a + b) / 2, atol=1e-6)
    assert all(torch.equal(other, a) for other in ends.values())
    assert hybrid.config.tie_word_embeddings is False


def test_a_number_too_few_is_said_before_anything_is_built() -> None:
    found = checked(lifted("llama"), merge("0", "b;c", "--method linear --weight 0.5,0.5")).findings[0]

    assert found.verdict == "refused"
    assert "3" in found.reason
