"""Effects: held against torch's own gradients and hooks, one item at a time."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from garage_nb.analyze.judging.exercise import exercises_of
from garage_nb.analyze.pathways.activity import activity, reach
from garage_nb.analyze.pathways.effects import Effects, Tally, ablated, estimated
from garage_nb.analyze.pathways.half import Half, halves
from garage_nb.core.fingerprint import Fingerprint
from garage_nb.errors import InputError
from garage_nb.inject.edits import Scale
from garage_nb.inject.recipe import Recipe

from .ground import FAMILIES, ITEMS, PARTS, alone, changed, small

ASKED = exercises_of(ITEMS)
SPACED = [{"prompt": f"after {n} comes", "answer": str(n + 1), "domain": "spaced"} for n in range(1, 7)]


NOTHING = Recipe()


def both(family: str, recipe: Recipe = NOTHING) -> tuple[Half, Half]:
    return halves(small(family), ASKED, recipe, 0)


def of(half: Half) -> list[object]:
    """The items of a half, by the tokens that it has of them."""
    encode = half.lifted.tokenizer
    texts = {tuple(encode(one.text)["input_ids"]): one for one in ASKED}
    return [texts[row.tokens] for row in half.rows]


def slopes_by_hand(half: Half, fills: dict[str, Tensor]) -> dict[str, Tensor]:
    """(items, neurons): (fill − a) · slope of each item, summed over its tokens."""
    found: dict[str, list[Tensor]] = {name: [] for name in PARTS}
    for item in of(half):
        seen: dict[str, Tensor] = {}

        def keep(name: str, hidden: Tensor, seen: dict[str, Tensor] = seen) -> Tensor:
            hidden.retain_grad()
            seen[name] = hidden
            return hidden

        alone(half.lifted, item, keep).backward()
        for name in PARTS:
            grad, hidden = seen[name].grad, seen[name].detach()
            assert grad is not None
            found[name].append(((fills.get(name, torch.zeros(1)) - hidden) * grad).sum((0, 1)).double())
    half.lifted.model.zero_grad()
    return {name: torch.stack(each) for name, each in found.items()}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("filled", [False, True])
def test_estimates_are_gradient_times_change(family: str, filled: bool) -> None:
    half, _ = both(family)
    neurons = half.lifted.spec.parts["ffn_0"].intermediate_dim or 0
    fills = {name: torch.linspace(-1, 1, neurons) for name in PARTS} if filled else {}
    expected = slopes_by_hand(half, fills)

    found = estimated(half, PARTS, fills)

    for name in PARTS:
        for domain in range(2):
            mine = expected[name][half.which == domain]
            assert torch.allclose(found[name].mean[domain], mine.mean(0), atol=1e-5)
            assert torch.allclose(found[name].std[domain], mine.std(0), atol=1e-5)
            assert torch.allclose(found[name].size[domain], mine.abs().mean(0), atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_ablation_is_what_hooks_of_torchs_own_do(family: str) -> None:
    half, _ = both(family)
    fill = torch.linspace(-1, 1, half.lifted.spec.parts["ffn_0"].intermediate_dim or 0)
    neurons = [("ffn_0", 3), ("ffn_1", 40)]

    found = ablated(half, neurons, {"ffn_1": fill})

    for place, (part, number) in enumerate(neurons):
        instead = 0.0 if part == "ffn_0" else float(fill[number])

        def without(name: str, hidden: Tensor, part: str = part, number: int = number, to: float = instead) -> Tensor:
            return hidden.index_fill(-1, torch.tensor([number]), to) if name == part else hidden

        with torch.no_grad():
            each = torch.stack([alone(half.lifted, item, without) - alone(half.lifted, item) for item in of(half)])
        for domain in range(2):
            assert torch.isclose(found.mean[domain, place], each[half.which == domain].mean(), atol=1e-5)


def test_the_estimate_is_right_where_the_model_is_straight() -> None:
    """Of a small change of a neuron of the last ffn, the first order is nearly all there is."""
    half, _ = both("llama")
    part = half.lifted.spec.parts["ffn_1"]
    means = {name: one.mean for name, one in activity(half, PARTS).items()}

    found = estimated(half, ["ffn_1"], {"ffn_1": means["ffn_1"] * 0})["ffn_1"]
    exact = ablated(half, [("ffn_1", number) for number in range(part.intermediate_dim or 0)], {})

    small_ones = exact.size.mean(0) < exact.size.mean(0).median()
    off = (found.mean - exact.mean)[:, small_ones].abs().mean()
    assert off < 0.2 * exact.mean[:, small_ones].abs().mean()


def test_the_recipe_in_force_acts_first() -> None:
    half, _ = both("llama", Recipe((Scale("ffn_0", 0.0),)))

    found = estimated(half, PARTS, {})

    assert float(found["ffn_0"].size.max()) == 0
    assert float(found["ffn_1"].size.max()) > 0
    with changed(half.lifted, lambda name, hidden: hidden * 0 if name == "ffn_0" else hidden), torch.no_grad():
        expected = torch.stack([alone(half.lifted, item) for item in of(half)])
    assert torch.allclose(half.scores().log_probs, expected, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_activity_is_over_real_tokens(family: str) -> None:
    half, _ = both(family)
    lifted, tokens = half.lifted, {name: [] for name in PARTS}
    sizes: dict[str, list[list[Tensor]]] = {name: [[], []] for name in PARTS}

    found = activity(half, PARTS)

    for item, domain in zip(of(half), half.which.tolist(), strict=True):

        def keep(name: str, hidden: Tensor, domain: int = domain) -> Tensor:
            tokens[name].append(hidden[0])
            sizes[name][domain].append(hidden[0].abs())
            return hidden

        with torch.no_grad(), changed(lifted, keep):
            lifted.model(torch.tensor([lifted.tokenizer(item.text)["input_ids"]]))  # type: ignore[attr-defined]
    for name in PARTS:
        assert torch.allclose(found[name].mean, torch.cat(tokens[name]).double().mean(0), atol=1e-5)
        for domain in range(2):
            assert torch.allclose(found[name].size[domain], torch.cat(sizes[name][domain]).double().mean(0), atol=1e-5)


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_reach_is_the_norm_of_a_column(family: str) -> None:
    lifted = small(family)
    last = lifted.model.get_submodule(lifted.spec.parts["ffn_0"].extra_info["projection"])

    found = reach(lifted, "ffn_0")

    weight = last.weight.detach().double()
    weight = weight if family == "llama" else weight.T
    assert torch.allclose(found, torch.stack([column.square().sum().sqrt() for column in weight.T]), atol=1e-6)


def test_the_model_stays_as_it_is() -> None:
    half, _ = both("gpt2")
    before, drawn = Fingerprint.of(half.lifted.model), torch.get_rng_state()

    estimated(half, PARTS, {})
    ablated(half, [("ffn_0", 0)], {})

    assert not before.differences(Fingerprint.of(half.lifted.model))
    assert torch.equal(torch.get_rng_state(), drawn)
    assert all(parameter.grad is None for parameter in half.lifted.model.parameters())


def test_moments_are_those_of_all_items() -> None:
    drawn = torch.randn(30, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    domains = torch.arange(30) % 2
    tally = Tally(2, 4)

    for rows in (slice(0, 7), slice(7, 30)):
        tally.add(domains[rows], drawn[rows])
    found = tally.effects()

    mine = drawn[domains == 1]
    assert torch.allclose(found.mean[1], mine.mean(0))
    assert torch.allclose(found.std[1], mine.std(0))
    assert found.counts.tolist() == [15, 15]
    t = mine.mean(0) / mine.std(0) * 15**0.5  # by numerical integration of Student's density with 14 degrees of freedom
    assert torch.allclose(found.p[1], torch.tensor([tail(float(one), 14) for one in t], dtype=torch.float64), atol=1e-5)
    assert torch.allclose(found.margin[1], 2.1447867 * mine.std(0) / 15**0.5, rtol=1e-6)


def tail(t: float, freedom: int) -> float:
    x = torch.linspace(t, t + 400, 2_000_001, dtype=torch.float64)
    density = (1 + x.square() / freedom) ** (-(freedom + 1) / 2)
    log_scale = torch.lgamma(torch.tensor((freedom + 1) / 2.0)) - torch.lgamma(torch.tensor(freedom / 2.0))
    scale = float(log_scale.double().exp()) / (freedom * torch.pi) ** 0.5
    return float(torch.trapezoid(density, x)) * scale


def test_a_neuron_that_does_nothing_is_not_tested() -> None:
    found = Effects(torch.zeros(1, 2), torch.tensor([[0.0, 1.0]]), torch.zeros(1, 2), torch.tensor([5]))

    assert found.p.isnan().tolist() == [[True, False]]


def test_what_is_the_same_in_every_item_is_not_tested() -> None:
    """Its spread is rounding, by which it would lie millions of standard errors from 0."""
    tally = Tally(1, 3)

    tally.add(torch.zeros(3, dtype=torch.long), torch.tensor([[0.1, 0.3, 0.1]] * 2 + [[0.1, 0.3, 0.2]]).double())

    assert tally.effects().p.isnan().tolist() == [[True, True, False]]
    assert tally.effects().std[0, :2].tolist() == [0, 0]


def test_items_that_are_one_text_are_on_one_side() -> None:
    spaced = [{**one, "answer": f" {one['answer']}"} for one in SPACED]
    elsewhere = [{**one, "domain": "count"} for one in SPACED]
    twice = exercises_of([*ITEMS, *spaced, *SPACED, *elsewhere])

    read = halves(small("llama"), twice, Recipe(), 0)

    first, second = ({row.tokens for row in half.rows} for half in read)
    assert not first & second
    assert sum(len(half.rows) for half in read) == len(ITEMS) + len(SPACED)


def test_halves_share_no_item_and_follow_the_seed() -> None:
    lifted = small("llama")

    first, second = halves(lifted, ASKED, Recipe(), 0)
    again, _ = halves(lifted, ASKED, Recipe(), 0)
    other, _ = halves(lifted, ASKED, Recipe(), 1)

    told = [row.tokens for row in first.rows]
    assert not set(told) & {row.tokens for row in second.rows}
    assert len(told) + len(second.rows) == len(ASKED)
    assert torch.bincount(first.which).tolist() == [3, 3]
    assert torch.bincount(second.which).tolist() == [2, 2]
    assert told == [row.tokens for row in again.rows]
    assert told != [row.tokens for row in other.rows]


def test_too_few_items_are_refused() -> None:
    with pytest.raises(InputError, match=r"'count' has 3 different items.*\n.*4 or more of each"):
        halves(small("llama"), ASKED[:8], Recipe(), 0)
