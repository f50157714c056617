"""Lone: heads, neurons or one expert of a part as a module of their own, and what leaves a module before its end.

What units answer is their own contribution to the residual stream: their columns of what enters the part's last
projection, through that projection, without its bias. So the units of a part and the bias add up to what leaves it.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from ..core.sites import entering
from ..registry.part_spec import PartSpec
from .cut import orientation


def answered(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What the module returns, or of one that is left early what left it, in the shape of what entered."""
    if not any(isinstance(inner, Tail) or _leave in inner._forward_hooks.values() for inner in module.modules()):
        return module(*args, **kwargs)
    hidden, call = entering(args, kwargs), inspect.signature(module.forward).bind_partial(*args, **kwargs)
    for name, parameter in inspect.signature(module.forward).parameters.items():
        if parameter.default is parameter.empty and parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
            call.arguments.setdefault(name, None)  # BLOOM's ffn takes a residual, which is added only later
    try:
        return module(*call.args, **call.kwargs)
    except _Left as left:
        return left.hidden.reshape(*hidden.shape[:-1], -1)


def part_inside(model: nn.Module, part: PartSpec) -> str | None:
    """Path inside a part that is told the residual stream and adds it itself, of what it contributes to it."""
    around, taken = f"{part.module_path}.", inspect.signature(model.get_submodule(part.module_path).forward).parameters
    return part.read_at.removeprefix(around) if "residual" in taken and part.read_at.startswith(around) else None


def leave_at(module: nn.Module) -> None:
    """For a module that adds the residual stream itself: what it contributes leaves one module inside it."""
    module.register_forward_hook(_leave)


def _leave(module: nn.Module, args: Any, output: Tensor) -> None:
    raise _Left(output)


class Tail(nn.Module):
    """Stands for a part's last projection: the columns of some units, without the bias.

    `picked` are their places in what enters it; None where nothing else enters.
    """

    picked: Tensor | None

    def __init__(self, projection: nn.Module, columns: Tensor, *, picks: bool) -> None:
        super().__init__()
        weight = projection.weight
        assert isinstance(weight, Tensor)
        here = columns if weight.is_meta else columns.to(weight.device)
        self.out_first = orientation(projection) == 0
        own = weight.detach().index_select(1 if self.out_first else 0, columns.to(weight.device)).clone()
        self.weight = nn.Parameter(own, requires_grad=weight.requires_grad)
        self.register_buffer("picked", here if picks else None, persistent=False)

    def forward(self, entered: Tensor) -> Tensor:
        raise _Left(self.share(entered if self.picked is None else entered.index_select(-1, self.picked)))

    def share(self, own: Tensor) -> Tensor:
        return own @ (self.weight.T if self.out_first else self.weight)


class _Left(BaseException):
    """The contribution, on its way out. No Exception, so that no family's own `except` stops it."""

    def __init__(self, hidden: Tensor) -> None:
        super().__init__()
        self.hidden = hidden


class LoneExpert(nn.Module):
    """One of several fused experts, with its own biases where it has some, without the router's weight.

    It answers for every token it is given.
    """

    def __init__(self, experts: nn.Module, count: int) -> None:
        """`experts` holds the weights of one, where its class speaks of `count`."""
        super().__init__()
        for name, value in list(vars(experts).items()):
            if "experts" in name and isinstance(value, int) and value == count:
                setattr(experts, name, 1)
        self.experts = experts

    def forward(self, hidden: Tensor) -> Tensor:
        tokens = hidden.reshape(-1, hidden.shape[-1])  # (tokens, dim)
        return chosen_alone(self.experts, tokens, 0).reshape(hidden.shape)


def chosen_alone(experts: nn.Module, tokens: Tensor, index: int) -> Tensor:
    """What one of fused experts gives for all tokens, (tokens, dim), weighed with 1."""
    choice = torch.full((tokens.shape[0], 1), index, device=tokens.device)
    output = experts.forward(tokens, choice, torch.ones_like(choice, dtype=tokens.dtype))
    given: Tensor = output if isinstance(output, Tensor) else output[0]
    return given
