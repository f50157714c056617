"""Choice: have a router choose again, by other logits than its own.

A router turns tokens into logits by one linear map and chooses experts by them in a way of its family's own: softmax
before or after the choice, groups, corrections. Its block takes the choice and drops the logits. So the router runs
again and meets other logits where the map's result comes out; all that follows is its own code.

A logit that is `barred` keeps its expert out whatever that code is: a score may be corrected behind the logits, and
masked by groups, but wherever the router looks for the best, that expert is not among them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..errors import EditError
from .sites import chosen, leaving

_MAPS = {"linear", "matmul", "mm", "addmm", "einsum"}
_BEST = {"topk", "max", "argmax", "sort", "argsort"}
Change = Callable[[Tensor], Tensor]


def barred(dtype: torch.dtype) -> float:
    """The logit of an expert that must not be chosen: the lowest finite number."""
    return float(torch.finfo(dtype).min)


def chosen_again(
    module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any, change: Change
) -> Any:
    """What the router returns when `change` is applied to its logits (tokens, experts).

    One that returns nothing but logits leaves the choice to its block. EditError where the logits are not found, and
    where a barred expert was chosen for want of others.
    """
    if isinstance(output, Tensor):
        return change(output)
    answer, maps = _run(module, args, kwargs, leaving(output).shape[-1], change)
    if maps.found != 1:
        raise EditError(
            f"The logits of {type(module).__name__} were not found: it makes {maps.found} linear maps to its experts.",
            "Edit the experts themselves, ffn_3.expert_1, or the whole ffn of this layer.",
        )
    if maps.barred is not None and bool(maps.barred.gather(1, chosen(answer)).any()):
        raise EditError(
            f"{type(module).__name__} chose an expert that was barred, for want of others.",
            "Leave it more experts; where it chooses among groups, more of one group.",
        )
    return answer


def _run(
    module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], experts: int, change: Change
) -> tuple[Any, _Maps]:
    """The module's own answer with the results of its linear maps to so many experts changed, and what was seen there.

    An interrupt can leave the mode standing; it is deaf from the end of this call on.
    """
    with _Maps(experts, change) as maps:
        try:
            maps.hears = True
            return module.forward(*args, **kwargs), maps  # not called: hooks on it are for the real pass
        finally:
            maps.hears = False


class _Maps(TorchFunctionMode):
    """Sees every function of torch that is called while it stands."""

    def __init__(self, experts: int, change: Change) -> None:
        super().__init__()
        self.experts, self.change = experts, change
        self.hears, self.found = False, 0
        self.barred: Tensor | None = None  # (tokens, experts)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if self.hears and self.barred is not None and func.__name__ in _BEST:
            args = (_without(args[0], self.barred), *args[1:])
        result = func(*args, **(kwargs or {}))
        if not self.hears or func.__name__ not in _MAPS or result.shape[-1] != self.experts:
            return result
        self.found += 1
        changed = self.change(result)
        out = changed == barred(changed.dtype)
        self.barred = out if bool(out.any()) else None
        return changed


def _without(scores: Tensor, barred_ones: Tensor) -> Tensor:
    """Scores (tokens, experts), or (tokens, groups, experts of the group), that are lower than any other where barred.

    A group with one expert left still has a higher sum than one with none.
    """
    if scores.numel() != barred_ones.numel():
        return scores
    return scores.masked_fill(barred_ones.view_as(scores), torch.finfo(scores.dtype).min / 4)
