"""A unit's share is taken out and put back, and what it is given stays as it is."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from garage_nb.core.sites import Site, Write, everywhere, found, written
from garage_nb.core.units import Columns, Expert, Passing, Unit
from garage_nb.errors import EditError, HookError


class Experts(nn.Module):
    """Three experts; the router's choice and weights come as (tokens, 2) each."""

    def __init__(self, *, wide: bool = False, with_scores: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(0)))
        self.bias = nn.Parameter(torch.ones(3, 4))
        self.wide, self.with_scores = wide, with_scores

    def forward(self, hidden: Tensor, chosen: Tensor, weights: Tensor) -> Any:
        if not self.wide:
            weights = torch.zeros(hidden.shape[0], 3).scatter_add(1, chosen, weights)
        outputs = torch.einsum("td,edf->tef", hidden, self.weight).tanh() + self.bias
        result = (outputs * weights[..., None]).sum(1)
        return (result, weights) if self.with_scores else result


HIDDEN = torch.randn(5, 4, generator=torch.Generator().manual_seed(1))
CHOSEN = torch.tensor([[0, 1], [1, 2], [2, 0], [0, 1], [1, 0]])
WEIGHTS = torch.tensor([[0.7, 0.3], [0.6, 0.4], [0.5, 0.5], [0.9, 0.1], [0.8, 0.2]])
WIDE = torch.zeros(5, 3).scatter_add(1, CHOSEN, WEIGHTS)


def passing(module: nn.Module, *args: Tensor, **kwargs: Tensor) -> Passing:
    output = module(*args, **kwargs)
    return Passing(module, args, kwargs, output[0] if isinstance(output, tuple) else output)


def by_hand(module: Experts, index: int) -> Tensor:
    return WIDE[:, index, None] * ((HIDDEN @ module.weight[index]).tanh() + module.bias[index])


@pytest.mark.parametrize(
    ("wide", "with_scores", "by_name"),
    [(False, False, False), (True, False, False), (False, True, False), (False, False, True), (True, True, True)],
)
@torch.no_grad()
def test_a_share_is_that_of_the_formula(wide: bool, with_scores: bool, by_name: bool) -> None:
    module, weights = Experts(wide=wide, with_scores=with_scores), WIDE if wide else WEIGHTS
    seen = (
        passing(module, HIDDEN, chosen=CHOSEN, weights=weights) if by_name else passing(module, HIDDEN, CHOSEN, weights)
    )

    own = [Expert(index).own(seen) for index in range(3)]

    assert all(torch.allclose(own[index], by_hand(module, index), atol=1e-6) for index in range(3))
    assert torch.allclose(own[0] + own[1] + own[2], seen.hidden, atol=1e-6)


@torch.no_grad()
def test_a_second_edit_of_an_expert_sees_the_first() -> None:
    seen, expert = passing(Experts(), HIDDEN, CHOSEN, WEIGHTS), Expert(1)
    before = expert.own(seen)
    hidden = seen.hidden.clone()

    changed = expert.with_own(seen, before, before * 0.5)

    assert torch.equal(seen.hidden, hidden)
    assert torch.allclose(changed, hidden - 0.5 * by_hand(seen.module, 1), atol=1e-6)  # type: ignore[arg-type]
    assert torch.equal(expert.own(seen), before * 0.5)
    assert torch.allclose(Expert(0).own(seen), by_hand(seen.module, 0), atol=1e-6)  # type: ignore[arg-type]


@torch.no_grad()
def test_reading_a_share_calls_no_hook() -> None:
    module, calls = Experts(), []
    seen = passing(module, HIDDEN, CHOSEN, WEIGHTS)
    module.register_forward_hook(lambda *_: calls.append(1))

    Expert(0).own(seen)

    assert calls == []


@pytest.mark.parametrize("args", [(HIDDEN,), (HIDDEN, CHOSEN), (HIDDEN, WIDE)], ids=["none", "choice", "weights"])
def test_experts_called_without_a_choice_are_refused(args: tuple[Tensor, ...]) -> None:
    with pytest.raises(HookError, match="Experts was called without a choice of experts"):
        Expert(0).own(Passing(Experts(), args, {}, HIDDEN))


def test_columns_are_taken_out_and_put_back() -> None:
    seen, unit = Passing(nn.Identity(), (HIDDEN,), {}, HIDDEN), Columns(1, 3)
    before = HIDDEN.clone()

    changed = unit.with_own(seen, unit.own(seen), torch.zeros(5, 2))

    assert torch.equal(unit.own(seen), before[:, 1:3])
    assert torch.equal(changed[:, 1:3], torch.zeros(5, 2))
    assert torch.equal(changed[:, [0, 3]], before[:, [0, 3]])
    assert torch.equal(HIDDEN, before)


@pytest.mark.parametrize("unit", [None, Columns(0, 2)], ids=["whole", "columns"])
def test_a_site_that_counts_times(unit: Unit | None) -> None:
    """What is read is `times` what is there; what is written is divided again, and equal entries keep their bits."""
    site = Site("anywhere", times=0.3, unit=unit)
    seen = Passing(nn.Identity(), (HIDDEN,), {}, HIDDEN)
    columns = slice(0, 2) if unit else slice(None)

    doubled = written(Write(site, everywhere(lambda hidden: hidden * 2)), seen)
    alone = written(Write(site, everywhere(lambda hidden: hidden * 1.0)), seen)

    assert torch.equal(found(site, seen), HIDDEN[:, columns] * 0.3)
    assert torch.allclose(doubled[:, columns], HIDDEN[:, columns] * 2)
    assert torch.equal(alone, HIDDEN)


def test_a_write_of_another_shape_is_refused_by_its_said_name() -> None:
    seen = Passing(nn.Identity(), (HIDDEN,), {}, HIDDEN)

    with pytest.raises(EditError, match=r"The edit 'scale attention_0\.head_1' returned \(5, 1\) where \(5, 2\) left"):
        written(
            Write(Site("x", unit=Columns(0, 2)), everywhere(lambda hidden: hidden[:, :1]), "scale attention_0.head_1"),
            seen,
        )
