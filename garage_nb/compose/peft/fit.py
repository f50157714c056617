"""Whether an adapter is of this model: every tensor has its module, and every module that was named its tensors."""

from __future__ import annotations

from collections import Counter
from typing import Any

from torch import nn

from ...errors import BuildError, nearest, shortened
from .adapter import FACTORS, MAGNITUDE, A, Adapter, B


def demand_fit(adapter: Adapter, model: nn.Module) -> None:
    """BuildError naming both sides; PEFT itself would leave such tensors out without a word."""
    known, uses = dict(model.named_modules()), _uses(model)
    for path, roles in adapter.modules.items():
        module = known.get(path)
        if module is None:
            raise BuildError(
                f"{adapter.folder} has tensors for {path}, which is no module of this {type(model).__name__}.",
                f"{_trained_on(adapter)} Nearest: {nearest(path, known)}.",
            )
        wide = widths(module)
        if wide is None:
            raise BuildError(
                f"{adapter.folder} adapts {path}, a {type(module).__name__}.", "Only linear modules are adapted here."
            )
        if uses[id(module.weight)] > 1:
            raise BuildError(
                f"{adapter.folder} adapts {path}, whose weight other modules share.", "Untie the model's weights first."
            )
        for role, tensor in roles.items():
            if tuple(tensor.shape) not in _shapes(role, wide, len(roles.get(A, ()))):
                raise BuildError(
                    f"{role} of {path} in {adapter.folder} is {tuple(tensor.shape)}; "
                    f"the module is {wide[0]} wide at its input and {wide[1]} at its output.",
                    _trained_on(adapter),
                )
    _demand_all(adapter, known)


def demand_in_memory(model: nn.Module) -> None:
    if absent := [name for name, weight in model.named_parameters() if weight.is_meta]:
        raise BuildError(f"The weights of the model are not in memory ({shortened(absent)}).", "Load it on one device.")


def is_conv(module: object) -> bool:
    """GPT-2's linear module, whose weight is (input, output)."""
    from transformers.pytorch_utils import Conv1D

    return type(module) is Conv1D


def widths(module: Any) -> tuple[int, int] | None:
    """Input and output of a linear module; None for any other, a quantised one among them."""
    if type(module) is nn.Linear:
        return module.in_features, module.out_features
    return (module.nx, module.nf) if is_conv(module) else None


def _shapes(role: str, wide: tuple[int, int], rank: int) -> list[tuple[int, ...]]:
    into, out = wide
    shapes: dict[str, list[tuple[int, ...]]] = {
        A: [(rank, into)],
        B: [(out, rank)],
        MAGNITUDE: [(out,)],
        FACTORS: [(1, into), (out, 1)],
    }
    return shapes[role]


def _demand_all(adapter: Adapter, known: dict[str, nn.Module]) -> None:
    """A model with more layers than the adapter's would get it in some of them."""
    for name in adapter.config.targets:
        fitting = [path for path in known if path == name or path.endswith(f".{name}")]
        if without := [path for path in fitting if path not in adapter.modules]:
            raise BuildError(
                f"{adapter.folder} adapts every {name}, and has no tensors for {without[0]}.", _trained_on(adapter)
            )


def _uses(model: nn.Module) -> Counter[int]:
    return Counter(id(weight) for _, weight in model.named_parameters(remove_duplicate=False))


def _trained_on(adapter: Adapter) -> str:
    base = adapter.config.base
    return f"It says it was trained on {base!r}." if base else "Load the model it was trained on."
