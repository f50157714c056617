"""RouterBias: experts made likelier or less likely before the router chooses, by what is added to its logits.

"Router logit bias": a bias of b makes an expert's odds e^b times as large, and the top-k is done by the sum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..core.sites import Writer, everywhere
from ..errors import EditError
from .edit import OPTION, Edit, said
from .edits import demand_number, demand_width
from .place import Place


@dataclass(frozen=True, eq=False)
class RouterBias(Edit):
    """Add one number an expert to the logits of a router, which then chooses and weighs by its family's own formula.

    Where the weights are a softmax, b makes an expert's odds e^b times as large. `bias` is a sequence or a tensor
    (experts,), and `strength` how many times it is added: at 0 not a bit changes. The bias of a domain comes from a
    reading of routers, `reading.bias("gate_3", "law")`.
    """

    bias: tuple[float, ...]
    strength: float = field(default=1.0, metadata=OPTION)

    def __post_init__(self) -> None:
        demand_number(self.strength)
        self._set("bias", _per_expert(self.bias))
        super().__post_init__()

    @property
    def verb(self) -> str:
        return "bias"

    def writer(self, place: Place) -> Writer:
        if not place.routes:
            raise EditError(f"{place.name} chooses no experts, so a bias would do nothing.", "Name a gate: gate_3.")
        bias = torch.tensor(self.bias)
        demand_width(bias, place)
        if self.strength == 0:
            return everywhere(lambda logits: logits)
        return everywhere(lambda logits: logits + self.strength * bias.to(logits))


def bias_of(experts: int, amounts: Mapping[int, float]) -> tuple[float, ...]:
    """For some of so many experts, the others left alone. EditError for one that is not there."""
    wrong = [expert for expert in amounts if not -experts <= expert < experts]
    if wrong:
        raise EditError(f"There is no expert {wrong[0]}.", f"They go from 0 to {experts - 1}.")
    known = {expert % experts: amount for expert, amount in amounts.items()}
    return tuple(known.get(expert, 0.0) for expert in range(experts))


def _per_expert(bias: Any) -> tuple[float, ...]:
    numbers = bias.tolist() if isinstance(bias, Tensor) else bias
    if not isinstance(numbers, Sequence) or isinstance(numbers, str) or not numbers:
        raise EditError(f"{said(bias)} is no bias.", "Give one number an expert.")
    try:
        return tuple(map(float, numbers))
    except (TypeError, ValueError):
        raise EditError(f"{said(bias)} is no bias.", "Give one number an expert.") from None
