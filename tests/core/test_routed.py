"""What experts are told, as one matrix and back: by positions or keywords, beside the choice or one an expert."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from garage_nb.core.routed import experts_in, routed
from garage_nb.errors import HookError

HIDDEN = torch.zeros(3, 8)
CHOSEN = torch.tensor([[1, 0], [2, 3], [3, 4]])  # 4: none
WEIGHTS = torch.tensor([[0.7, 0.3], [0.6, 0.4], [0.9, 0.1]])
MATRIX = torch.tensor([[0.3, 0.7, 0, 0], [0, 0, 0.6, 0.4], [0, 0, 0, 0.9]])
BY: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "position": ((HIDDEN, CHOSEN, WEIGHTS), {}),
    "keyword": ((HIDDEN,), {"router_indices": CHOSEN, "routing_weights": WEIGHTS}),
    "expert": ((HIDDEN, CHOSEN.clamp(max=3), MATRIX), {}),
}


def again(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    return routed(nn.Identity(), args, kwargs).matrix(4)


@pytest.mark.parametrize("by", BY)
def test_it_is_one_matrix_whatever_the_form(by: str) -> None:
    assert torch.equal(again(*BY[by]), MATRIX)


@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize("changed", [[0], [0, 2], [0, 1, 2]])
@pytest.mark.parametrize("row", [[0, 0, 1.0, 0], [0.5, 0.0, 0.5, 0], [0.1, 0.2, 0.3, 0.4]])
def test_another_matrix_is_told_in_the_same_form(by: str, changed: list[int], row: list[float]) -> None:
    told = routed(nn.Identity(), *BY[by])
    wanted = MATRIX.clone()
    wanted[changed] = torch.tensor(row)

    args, kwargs = told.rerouted(MATRIX, wanted)

    assert args[0] is HIDDEN
    assert len(args) == len(BY[by][0])
    new = routed(nn.Identity(), args, kwargs)
    if by == "expert":
        assert torch.equal(new.weights, wanted)
        assert all(set(row.nonzero()[:, 0].tolist()) <= set(new.chosen[at].tolist()) for at, row in enumerate(wanted))
        return
    summed = torch.zeros(3, 5).scatter_add(1, new.chosen, new.weights)[:, :4]  # as the experts do
    assert torch.equal(summed, wanted)
    for at in {0, 1, 2} - set(changed):
        assert new.chosen[at, :2].tolist() == CHOSEN[at].tolist()
        assert new.weights[at, :2].tolist() == WEIGHTS[at].tolist()


def test_one_expert_for_every_token_is_told_as_one() -> None:
    alone = torch.tensor([[0, 0, 1.0, 0]]).expand(3, 4)

    args, _ = routed(nn.Identity(), *BY["position"]).rerouted(MATRIX, alone)

    assert args[1].tolist() == [[2]] * 3
    assert args[2].tolist() == [[1.0]] * 3


def test_what_is_told_nothing_of_experts_is_refused() -> None:
    with pytest.raises(HookError, match="Identity was called without a choice of experts"):
        routed(nn.Identity(), (HIDDEN,), {})
    with pytest.raises(HookError, match="Linear holds no fused experts"):
        experts_in(nn.Linear(2, 2))
