"""What a router decides, changed: by each family's formula written out, with the experts called as it says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from garage_nb.core.batch import prepare
from garage_nb.core.run import logits
from garage_nb.core.sites import Call, Site, Write, everywhere
from garage_nb.core.tokens import Tokens
from garage_nb.errors import EditError, UnknownPartError
from garage_nb.inject.edits import Scale
from garage_nb.inject.layer import LayerInjector
from garage_nb.inject.recipe import Recipe
from garage_nb.inject.router import RouterBias
from garage_nb.inject.routing.experts import Experts
from garage_nb.inject.routing.isolate import Isolate
from garage_nb.inject.routing.reroute import Reroute
from garage_nb.registry.decompose import spec_of
from garage_nb.registry.routes import route_of, routes
from garage_nb.snapshot.capture import SnapshotCapture
from tests.families import prompt, tiny
from tests.inject.test_router import ALIKE, BIAS, FORMULAS, every_formula, moe, router_of, under

Told = Callable[[Any, Tensor], tuple[Tensor, Tensor]]  # logits to weights and indices


@torch.no_grad()
def by_hand(model: Any, choose: Told, ids: Tensor | None = None) -> Tensor:
    """Logits of the model where the second router hands on what `choose` makes of its logits."""
    gate = router_of(model)

    def forward(hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        found = F.linear(hidden.reshape(-1, 32), gate.weight, getattr(gate, "bias", None))
        return (found, *choose(gate, found))

    gate.forward = forward
    try:
        return model(prompt() if ids is None else ids, use_cache=False).logits
    finally:
        del gate.forward


def own(model: Any) -> Told:
    return FORMULAS[model.config.model_type]


def only(expert: int) -> Told:
    return lambda gate, found: (torch.ones(len(found), 1), torch.full((len(found), 1), expert))


def without(model: Any, *dropped: int) -> Told:
    """The family's formula for a router that has as many rows fewer; groups are of the whole."""
    left = [expert for expert in range(4) if expert not in dropped]
    if model.config.model_type == "deepseek_v3":
        return lambda gate, found: grouped_without(gate, found, dropped)

    def choose(gate: Any, found: Tensor) -> tuple[Tensor, Tensor]:
        weights, chosen = own(model)(gate, found[:, left])
        return weights, torch.tensor(left)[chosen]

    return choose


def grouped_without(gate: Any, found: Tensor, dropped: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    scores = found.sigmoid()
    corrected = scores + gate.e_score_correction_bias
    corrected[:, list(dropped)] = -1e6
    best = torch.stack([corrected[:, :2].sum(-1), corrected[:, 2:].sum(-1)], -1).argmax(-1)
    chosen = corrected.where(torch.arange(4) // 2 == best[:, None], -torch.inf).topk(2)[1]
    top = scores.gather(1, chosen)
    return top / top.sum(-1, keepdim=True) * gate.routed_scaling_factor, chosen


@every_formula
@pytest.mark.parametrize("expert", [0, 3])
def test_an_expert_alone_is_one_that_the_router_names_with_weight_1(family: str, expert: int) -> None:
    model = moe(family)

    found = under(model, Isolate("gate_1", expert))

    torch.testing.assert_close(found, by_hand(model, only(expert)), **ALIKE)
    torch.testing.assert_close(under(model, Isolate("ffn_1", expert - 4)), found, atol=0, rtol=0)


@every_formula
def test_a_dropped_expert_is_a_router_without_its_row(family: str) -> None:
    model, seen = moe(family), list[Tensor]()
    for dropped in (0, 2, 3):
        taps = Recipe((Experts("gate_1", drop=dropped),)).taps(spec_of(model))
        look = Call(Site(route_of(spec_of(model), "gate_1").at.path), lambda module, args, output: seen.append(args[1]))
        found = logits(model, prepare(prompt(), model), [*taps, look])

        torch.testing.assert_close(found, by_hand(model, without(model, dropped)), **ALIKE)
        assert not bool((seen[-1] == dropped).any())
        assert seen[-1].shape == (10, 2)


@every_formula
@pytest.mark.parametrize("kept", [(0, 1), (2, 3), (0, 3), (1, 2)])
def test_a_forced_set_answers_for_every_token(family: str, kept: tuple[int, int]) -> None:
    model = moe(family)
    if family == "deepseek_v3" and kept not in ((0, 1), (2, 3)):
        with pytest.raises(EditError, match="chose an expert that was barred, for want of others"):
            under(model, Experts("gate_1", keep=kept))
        return

    found = under(model, Experts("gate_1", keep=kept))

    dropped = [expert for expert in range(4) if expert not in kept]
    torch.testing.assert_close(found, by_hand(model, without(model, *dropped)), **ALIKE)


@every_formula
def test_other_ways_to_choose(family: str) -> None:
    model, drawn = moe(family), torch.rand(10, 4, generator=torch.Generator().manual_seed(5)).argsort(-1)

    def equal(gate: Any, found: Tensor) -> tuple[Tensor, Tensor]:
        weights, chosen = own(model)(gate, found)
        return weights.sum(1, keepdim=True).expand(-1, 2) / 2, chosen

    def anti(gate: Any, found: Tensor) -> tuple[Tensor, Tensor]:
        turned = [
            [sorted(row)[3 - sorted(row).index(one)] for one in row] for row in found.tolist()
        ]  # the lowest is given the highest
        return own(model)(gate, torch.tensor(turned))

    dealt = by_hand(model, lambda gate, found: own(model)(gate, found.gather(1, drawn)))
    torch.testing.assert_close(under(model, Reroute("gate_1", "uniform")), by_hand(model, equal), **ALIKE)
    torch.testing.assert_close(under(model, Reroute("gate_1", "anti")), by_hand(model, anti), **ALIKE)
    torch.testing.assert_close(under(model, Reroute("gate_1", "random", seed=5)), dealt, **ALIKE)
    assert not torch.allclose(dealt, under(model, Reroute("gate_1", "random", seed=6)), **ALIKE)


@every_formula
def test_a_bias_of_no_strength_changes_no_bit_and_one_of_2_is_twice_the_bias(family: str) -> None:
    model = moe(family)

    assert torch.equal(under(model, RouterBias("gate_1", BIAS, strength=0)), under(model))
    assert torch.equal(
        under(model, RouterBias("gate_1", BIAS, strength=2)), under(model, RouterBias("gate_1", [2 * b for b in BIAS]))
    )  # type: ignore[arg-type]


@every_formula
def test_all_is_as_it_was_afterwards(family: str) -> None:
    model = moe(family)
    with torch.no_grad():
        bare = model(prompt(), use_cache=False).logits
    for edit in (Isolate("gate_1", 1), Experts("gate_0", drop=0), Reroute("gate_1", "uniform")):
        assert not torch.equal(under(model, edit), bare)

    with torch.no_grad():
        assert torch.equal(model(prompt(), use_cache=False).logits, bare)
    assert torch.equal(under(model), bare)


@every_formula
@pytest.mark.parametrize("span", ["0", "-1", "2:5"])
def test_other_tokens_are_routed_as_before(family: str, span: str) -> None:
    model, ids = moe(family), [[3, 1, 4, 1, 5, 9], [2, 6, 53, 58]]
    given = {
        "input_ids": torch.tensor([ids[0], [0, 0, *ids[1]]]),
        "attention_mask": torch.tensor([[1, 1, 1, 1, 1, 1], [0, 0, 1, 1, 1, 1]]),
    }

    found = under(model, Isolate("gate_1", 2, tokens=span), ids=given)  # type: ignore[arg-type]

    for row, text in zip((found[0], found[1, 2:]), ids, strict=True):
        length = len(text)
        where = {"0": [0], "-1": [length - 1], "2:5": range(2, min(5, length))}[span]

        def choose(gate: Any, logits: Tensor, where: Any = where) -> tuple[Tensor, Tensor]:
            weights, chosen = own(model)(gate, logits)
            weights[list(where)], chosen[list(where)] = torch.tensor([1.0, 0.0]), torch.tensor([2, 0])
            return weights, chosen

        torch.testing.assert_close(row, by_hand(model, choose, torch.tensor([text]))[0], **ALIKE)


def test_one_expert_for_a_token_alone_leaves_the_bits_of_all_before_it() -> None:
    model = moe("mixtral")

    found = under(model, Isolate("gate_1", 2, tokens="-1"))  # type: ignore[arg-type]

    assert torch.equal(found[:, :-1], under(model)[:, :-1])
    assert not torch.equal(found[:, -1], under(model)[:, -1])


def test_an_edit_of_an_expert_and_a_reader_see_what_is_really_routed() -> None:
    model = moe("mixtral")
    spec = spec_of(model)
    taps = Recipe((Isolate("gate_1", 2), Scale("ffn_1.expert_2", 0.5))).taps(spec)

    shots = SnapshotCapture(model).run(prompt(), layers=["ffn_1", "ffn_1.expert_1"], keep=True, under=taps)

    whole = SnapshotCapture(model).run(
        prompt(), layers=["ffn_1"], keep=True, under=Recipe((Isolate("gate_1", 2),)).taps(spec)
    )
    assert not shots["ffn_1.expert_1"].hidden.any()  # type: ignore[union-attr]
    torch.testing.assert_close(shots["ffn_1"].hidden, 0.5 * whole["ffn_1"].hidden, **ALIKE)  # type: ignore[operator]


def test_it_stays_in_force_while_text_is_written() -> None:
    model, ids = moe("mixtral"), prompt()
    for _ in range(4):
        ids = torch.cat([ids, by_hand(model, only(2), ids)[:, -1].argmax(-1, keepdim=True)], 1)

    with LayerInjector(model) as injector:
        injector.add(Isolate("gate_1", 2))
        written = model.generate(prompt(), max_new_tokens=4, eos_token_id=None, do_sample=False)

    assert written.tolist() == ids.tolist()


def test_more_experts_than_the_router_chose_can_answer() -> None:
    """Through the engine's own door: a matrix in which all four have a say."""

    model = moe("mixtral")
    site = route_of(spec_of(model), "gate_1").at
    everyone = Write(site, everywhere(lambda weights: torch.full_like(weights, 0.25)), tokens=Tokens("3:"))

    found = logits(model, prepare(prompt(), model), [everyone])

    def choose(gate: Any, logits: Tensor) -> tuple[Tensor, Tensor]:
        weights, chosen = own(model)(gate, logits)
        matrix = torch.zeros(10, 4).scatter(1, chosen, weights)
        return torch.cat([matrix[:3], torch.full((7, 4), 0.25)]), torch.arange(4).expand(10, 4)

    torch.testing.assert_close(found, by_hand(model, choose), **ALIKE)


def test_what_cannot_be_done_is_refused_before_anything_runs() -> None:
    spec, dense = spec_of(moe("mixtral")), spec_of(tiny("llama"))

    with pytest.raises(EditError, match="layer_1 sends no tokens to experts"):
        Isolate("layer_1", 0).tap(spec)
    with pytest.raises(EditError, match="This model has none that do"):
        Isolate("ffn_1", 0).tap(dense)
    with pytest.raises(UnknownPartError, match="gate_7"):
        Isolate("gate_7", 0).tap(spec)
    with pytest.raises(EditError, match=r"no expert 4 at gate_1.\s+They go from 0 to 3"):
        Isolate("gate_1", 4).tap(spec)
    with pytest.raises(EditError, match="is no expert"):
        Isolate("gate_1", "first")  # type: ignore[arg-type]
    with pytest.raises(EditError, match="1 of 4 experts are left at gate_1; 2 answer for a token"):
        Experts("gate_1", keep=2).tap(spec)
    with pytest.raises(EditError, match="There is no expert 9"):
        Experts("gate_1", drop="0,9").tap(spec)
    with pytest.raises(EditError, match="either which experts are kept or which are dropped"):
        Experts("gate_1")
    with pytest.raises(EditError, match="Name its router: gate_1"):
        Experts("ffn_1", drop=0).tap(spec)
    with pytest.raises(EditError, match="no way 'sideways' to reroute"):
        Reroute("gate_1", "sideways")


def test_the_routes_of_a_model_from_the_input_to_the_output() -> None:
    spec = spec_of(moe("deepseek_v3"))

    assert [(one.gate, one.ffn, one.experts, one.per_token) for one in routes(spec)] == [
        ("gate_0", "ffn_0", 4, 2),
        ("gate_1", "ffn_1", 4, 2),
    ]
    assert routes(spec_of(tiny("llama"))) == []


def test_they_say_themselves() -> None:
    said = [Isolate("gate_1", 2), Experts("gate_1", keep="0,2"), Reroute("gate_1", "random", 3)]

    assert list(map(str, said)) == ["isolate gate_1 2", "experts gate_1 --keep 0,2", "reroute gate_1 random --seed 3"]
    assert str(RouterBias("gate_1", (1, 0), strength=0.5)) == "bias gate_1 1,0 --strength 0.5"
