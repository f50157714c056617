"""A bias on a router: by each family's formula written out, and by weights that make the same logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from garage_nb.core.batch import prepare
from garage_nb.core.choice import chosen_again
from garage_nb.core.run import logits
from garage_nb.core.sites import Call, Site
from garage_nb.errors import EditError, UnknownPartError
from garage_nb.inject.edits import Add, Scale
from garage_nb.inject.layer import LayerInjector
from garage_nb.inject.recipe import Recipe
from garage_nb.inject.router import RouterBias, bias_of
from garage_nb.inject.sources import rows_at
from garage_nb.registry.decompose import spec_of
from tests.coverage.zoo import IDS
from tests.families import prompt, tiny
from tests.registry.probe.models import called, fresh, opened, seen

ALIKE = {"atol": 1e-5, "rtol": 1e-4}
BIAS = (0.7, -1.5, 2.0, 0.1)
Choice = tuple[Tensor, Tensor]


def softmax_then_top(norm: bool) -> Callable[[Any, Tensor], Choice]:
    def choose(gate: Any, found: Tensor) -> Choice:
        top, chosen = found.softmax(-1).topk(2)
        return (top / top.sum(-1, keepdim=True) if norm else top), chosen

    return choose


def top_then_softmax(gate: Any, found: Tensor) -> Choice:
    top, chosen = found.topk(2)
    return top.softmax(-1), chosen


def grouped(gate: Any, found: Tensor) -> Choice:
    """DeepSeek V3: experts of the best groups, by a corrected sigmoid that does not count for the weights."""
    scores = found.sigmoid()
    corrected = scores + gate.e_score_correction_bias
    groups = [corrected[:, place : place + 2] for place in range(0, 4, 2)]
    best = torch.stack([group.topk(2)[0].sum(-1) for group in groups], -1).argmax(-1)
    inside = torch.arange(4) // 2 == best[:, None]
    chosen = corrected.where(inside, -torch.inf).topk(2)[1]
    top = scores.gather(1, chosen)
    return top / top.sum(-1, keepdim=True) * gate.routed_scaling_factor, chosen


def sparse_mixer(gate: Any, found: Tensor) -> Choice:
    """PhiMoE: each of two experts is weighed among those whose logits are near to its own."""
    weights, chosen, left = [], [], found.clone()
    for _ in range(2):
        top, expert = left.max(-1, keepdim=True)
        near = (top - found) / found.abs().clamp(min=top) <= 2 * gate.router_jitter_noise
        weights.append(left.masked_fill(~near, -torch.inf).softmax(-1).gather(1, expert))
        chosen.append(expert)
        left = left.scatter(1, expert, -torch.inf)
    return torch.cat(weights, 1), torch.cat(chosen, 1)


FORMULAS: dict[str, Callable[[Any, Tensor], Choice]] = {
    "mixtral": softmax_then_top(norm=True),
    "qwen3_moe": softmax_then_top(norm=True),
    "olmoe": softmax_then_top(norm=False),
    "gpt_oss": top_then_softmax,
    "deepseek_v3": grouped,
    "phimoe": sparse_mixer,
}
CONFIG: dict[str, dict[str, Any]] = {
    "mixtral": {"num_local_experts": 4},
    "qwen3_moe": {"num_experts": 4, "moe_intermediate_size": 16, "norm_topk_prob": True, "head_dim": 8},
    "olmoe": {"num_experts": 4},
    "gpt_oss": {"num_local_experts": 4, "head_dim": 8, "sliding_window": 4},
    "deepseek_v3": {
        "n_routed_experts": 4, "num_local_experts": 4, "n_group": 2, "topk_group": 1, "moe_intermediate_size": 16,
        "first_k_dense_replace": 0, "kv_lora_rank": 8, "q_lora_rank": 8, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8,
        "v_head_dim": 8, "num_key_value_heads": 4, "routed_scaling_factor": 1.7,
    },
    "phimoe": {"num_local_experts": 4, "router_jitter_noise": 0.3},
}  # fmt: skip
every_formula = pytest.mark.parametrize("family", FORMULAS)


def moe(family: str) -> Any:
    model = tiny(family, layers=2, num_experts_per_tok=2, **CONFIG[family])
    with torch.no_grad():
        for module in model.modules():
            if hasattr(module, "e_score_correction_bias"):
                module.e_score_correction_bias.copy_(torch.tensor([0.1, -0.2, 0.3, 0.05]))
    return model


def router_of(model: Any) -> Any:
    return model.get_submodule(spec_of(model).parts["gate_1"].module_path)


@torch.no_grad()
def by_formula(model: Any, change: Callable[[Tensor], Tensor], ids: Tensor) -> Tensor:
    """Logits of the model where its second router is the formula above."""
    gate, choose = router_of(model), FORMULAS[model.config.model_type]

    def forward(hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        found = change(F.linear(hidden.reshape(-1, 32), gate.weight, getattr(gate, "bias", None)))
        return (found, *choose(gate, found))

    gate.forward = forward
    try:
        return model(ids, use_cache=False).logits
    finally:
        del gate.forward


def under(model: Any, *edits: Any, ids: Any = None) -> Tensor:
    batch = prepare(prompt() if ids is None else ids, model)
    return logits(model, batch, Recipe(edits).taps(spec_of(model)))


def added(bias: Any = BIAS) -> Callable[[Tensor], Tensor]:
    return lambda found: found + torch.tensor(bias)


@every_formula
def test_a_bias_is_the_familys_own_formula_on_other_logits(family: str) -> None:
    model = moe(family)
    torch.testing.assert_close(by_formula(model, lambda found: found, prompt()), under(model), **ALIKE)

    found = under(model, RouterBias("gate_1", BIAS))

    torch.testing.assert_close(found, by_formula(model, added(), prompt()), **ALIKE)
    assert not torch.allclose(found, under(model), **ALIKE)


@pytest.mark.parametrize("family", [family for family in FORMULAS if family != "deepseek_v3"])
def test_an_expert_with_a_bias_beyond_all_others_is_always_chosen(family: str) -> None:
    model, seen_choices = moe(family), list[Tensor]()
    for expert in range(4):
        taps = Recipe((RouterBias("gate_1", bias_of(4, {expert: 100.0})),)).taps(spec_of(model))
        look = Call(Site(router_of_path(model)), lambda module, args, output: seen_choices.append(output[2]))
        logits(model, prepare(prompt(), model), [*taps, look])

    for expert, chosen in enumerate(seen_choices[-4:]):
        assert bool((chosen == expert).any(-1).all())


def router_of_path(model: Any) -> str:
    return spec_of(model).parts["gate_1"].module_path


@every_formula
def test_any_edit_of_a_gate_acts_before_the_choice_and_in_order(family: str) -> None:
    model = moe(family)

    found = under(model, Scale("gate_1", -0.5), RouterBias("gate_1", BIAS), Add("gate_1", torch.tensor([0, 1.0, 0, 0])))

    expected = by_formula(model, lambda own: own * -0.5 + torch.tensor(BIAS) + torch.tensor([0, 1.0, 0, 0]), prompt())
    torch.testing.assert_close(found, expected, **ALIKE)


@every_formula
def test_injections_of_several_owners_add_up(family: str) -> None:
    model = moe(family)
    bare = under(model)
    with LayerInjector(model) as first, LayerInjector(model) as second, torch.no_grad():
        first.add(RouterBias("gate_1", BIAS))
        name = second.add(Scale("gate_1", 3.0))
        both = model(prompt(), use_cache=False).logits
        second.remove(name)
        one = model(prompt(), use_cache=False).logits

    torch.testing.assert_close(both, by_formula(model, lambda own: (own + torch.tensor(BIAS)) * 3, prompt()), **ALIKE)
    torch.testing.assert_close(one, by_formula(model, added(), prompt()), **ALIKE)
    assert torch.equal(under(model), bare)


@every_formula
@pytest.mark.parametrize("span", ["0", "-1", "2:5", "not_first"])
def test_a_bias_touches_the_tokens_it_names(family: str, span: str) -> None:
    model, ids = moe(family), [[3, 1, 4, 1, 5, 9], [2, 6, 53, 58]]
    given = {
        "input_ids": torch.tensor([ids[0], [0, 0, *ids[1]]]),
        "attention_mask": torch.tensor([[1, 1, 1, 1, 1, 1], [0, 0, 1, 1, 1, 1]]),
    }

    found = under(model, RouterBias("gate_1", BIAS, tokens=span), ids=given)  # type: ignore[arg-type]

    for row, text in zip((found[0], found[1, 2:]), ids, strict=True):
        length = len(text)
        where = {"0": [0], "-1": [length - 1], "2:5": range(2, min(5, length)), "not_first": range(1, length)}[span]
        mask = torch.zeros(length, 1)
        mask[list(where)] = 1
        expected = by_formula(model, lambda own, mask=mask: own + mask * torch.tensor(BIAS), torch.tensor([text]))
        torch.testing.assert_close(row, expected[0], **ALIKE)


def test_a_bias_stays_in_force_while_text_is_written() -> None:
    model = moe("mixtral")
    ids = prompt()
    for _ in range(4):
        ids = torch.cat([ids, by_formula(model, added(), ids)[:, -1].argmax(-1, keepdim=True)], 1)

    with LayerInjector(model) as injector:
        injector.add(RouterBias("gate_1", BIAS))
        written = model.generate(prompt(), max_new_tokens=4, eos_token_id=None, do_sample=False)

    assert written.tolist() == ids.tolist()


ZOO = [f"causal-{kind}" for kind in (
    "afmoe", "cohere2_moe", "deepseek_v2", "deepseek_v3", "dots1", "ernie4_5_moe", "exaone_moe", "flex_olmo",
    "glm4_moe", "gpt_oss", "granitemoe", "granitemoehybrid", "jamba", "laguna", "lfm2_moe", "llama4_text", "mellum",
    "minimax", "minimax_m2", "mixtral", "nemotron_h", "olmoe", "phimoe", "qwen2_moe", "qwen3_moe", "qwen3_next",
    "solar_open",
)]  # fmt: skip


@pytest.mark.parametrize("entry", ZOO)
def test_a_bias_is_a_router_whose_weights_make_those_logits(entry: str) -> None:
    """No formula: as few tokens as these can be given any logits by changing the router's matrix."""
    model = fresh(entry)
    spec = spec_of(model)
    name = "gate_1" if "gate_1" in spec.parts else "gate_0"
    gate = spec.parts[name].module_path
    hidden = seen(model, f">{gate}")[f">{gate}"].reshape(-1, 32)
    own = rows_at(model, spec, name, [list(IDS)])

    found = logits(model, prepare([list(IDS)], model), Recipe((RouterBias(name, BIAS),)).taps(spec))

    matrices = [item for item in model.get_submodule(gate).parameters() if item.shape == (4, 32)]
    torch.testing.assert_close(own, F.linear(hidden, matrices[0], _bias(model.get_submodule(gate))), **ALIKE)
    with torch.no_grad():
        wanted = torch.tensor(BIAS, dtype=torch.float64)[:, None].expand(4, len(IDS))
        matrices[0] += (wanted @ torch.linalg.pinv(hidden.double().T)).float()
    torch.testing.assert_close(found, called(model), atol=1e-4, rtol=1e-3)


def _bias(gate: nn.Module) -> Tensor | None:
    bias = getattr(gate, "bias", None)
    return bias if isinstance(bias, Tensor) else None


class Block(nn.Module):
    """A router that is a plain linear map; the block chooses."""

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(8, 4)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.router(hidden).softmax(-1)


def test_logits_that_the_block_chooses_by_are_changed_where_they_leave() -> None:
    block, hidden = Block(), torch.randn(3, 8)
    block.router.register_forward_hook(
        lambda module, args, output: chosen_again(module, args, {}, output, lambda own: own + torch.tensor(BIAS))
    )

    torch.testing.assert_close(
        block(hidden), (F.linear(hidden, *block.router.parameters()) + torch.tensor(BIAS)).softmax(-1)
    )


class Distances(nn.Module):
    """A router that makes its logits by no linear map."""

    def __init__(self) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.randn(4, 8))

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        found = -torch.cdist(hidden, self.centres)
        return (found, *found.topk(2))


def test_a_router_whose_logits_are_not_found_is_refused() -> None:
    router, hidden = Distances(), torch.randn(3, 8)

    with pytest.raises(EditError, match="logits of Distances were not found: it makes 0 linear maps"):
        chosen_again(router, (hidden,), {}, router(hidden), lambda own: own)


def test_what_would_do_nothing_is_refused_when_it_is_put_in_force() -> None:
    spec = opened("causal-mixtral")[1]

    with pytest.raises(EditError, match="layer_1 chooses no experts, so a bias would do nothing"):
        RouterBias("layer_1", BIAS).tap(spec)
    with pytest.raises(EditError, match=r"\(3,\) does not fit gate_1, which is 4 wide"):
        RouterBias("gate_1", BIAS[:3]).tap(spec)
    with pytest.raises(UnknownPartError, match="gate_9"):
        RouterBias("gate_9", BIAS).tap(spec)
    with pytest.raises(EditError, match="There is no expert 4"):
        bias_of(4, {4: 1.0})
    with pytest.raises(EditError, match="is no bias"):
        RouterBias("gate_1", "strong")  # type: ignore[arg-type]


def test_one_number_an_expert_by_its_place() -> None:
    assert bias_of(4, {2: 1.5, -1: -3.0}) == (0, 0, 1.5, -3.0)
    assert RouterBias("gate_0", torch.tensor(BIAS).double()) == RouterBias(
        "gate_0", torch.tensor(BIAS).double().tolist()
    )
    assert str(RouterBias("gate_0", BIAS)) == "bias gate_0 0.7,-1.5,2,0.1"


def test_an_interrupt_inside_a_router_leaves_torch_as_it_was() -> None:
    """The mode that meets the logits is deaf when the run is over, even if it was never taken down."""
    model = moe("mixtral")
    bare = under(model)

    def interrupt(hidden: Tensor) -> Tensor:
        raise KeyboardInterrupt

    with LayerInjector(model) as injector:
        injector.inject("gate_1", interrupt)
        with pytest.raises(KeyboardInterrupt):
            model(prompt())

    assert torch.equal(under(model), bare)
    assert torch.overrides._get_current_function_mode_stack() == []
