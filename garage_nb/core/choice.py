"""Choice: have a router choose again, by other logits than its own.

A router turns tokens into logits by one linear map and chooses experts by them in a way of its family's own: softmax
before or after the choice, groups, corrections. Its block takes the choice and drops the logits. So the router runs
again and meets other logits where the map's result comes out; all that follows is its own code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..errors import EditError
from .sites import leaving

_MAPS = {"linear", "matmul", "mm", "addmm", "einsum"}
Change = Callable[[Tensor], Tensor]


def chosen_again(
    module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any, change: Change
) -> Any:
    """What the router returns when `change` is applied to its logits (tokens, experts).

    One that returns nothing but logits leaves the choice to its block. EditError where the logits are not found.
    """
    if isinstance(output, Tensor):
        return change(output)
    answer, found = _run(module, args, kwargs, leaving(output).shape[-1], change)
    if found != 1:
        raise EditError(
            f"The logits of {type(module).__name__} were not found: it makes {found} linear maps to its experts.",
            "Edit the experts themselves, ffn_3.expert_1, or the whole ffn of this layer.",
        )
    return answer


def _run(
    module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], experts: int, change: Change
) -> tuple[Any, int]:
    """The module's own answer with the results of its linear maps to so many experts changed, and how many there were.

    An interrupt can leave the mode standing; it is deaf from the end of this call on.
    """
    with _Maps(experts, change) as maps:
        try:
            maps.hears = True
            return module.forward(*args, **kwargs), maps.found  # not called: hooks on it are for the real pass
        finally:
            maps.hears = False


class _Maps(TorchFunctionMode):
    """Sees every function of torch that is called while it stands."""

    def __init__(self, experts: int, change: Change) -> None:
        super().__init__()
        self.experts, self.change = experts, change
        self.hears, self.found = False, 0

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if not self.hears or func.__name__ not in _MAPS or result.shape[-1] != self.experts:
            return result
        self.found += 1
        return self.change(result)
