"""The edits that are one line of arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn

from ..core.seed import seeded
from ..core.sites import Writer, everywhere
from ..errors import EditError
from .edit import OPTION, said
from .edit import Edit as Edit
from .place import Place


@dataclass(frozen=True, eq=False)
class Scale(Edit):
    """Multiply by `factor`. 0 takes the part out of the residual stream, 1 leaves it."""

    factor: float

    def __post_init__(self) -> None:
        demand_number(self.factor)
        super().__post_init__()

    def writer(self, place: Place) -> Writer:
        return everywhere(lambda hidden: hidden * self.factor)


@dataclass(frozen=True, eq=False)
class Add(Edit):
    """Add a number, or a direction of shape (dim,) or any shape that broadcasts to (batch, seq, dim)."""

    value: float | Tensor

    def __post_init__(self) -> None:
        demand_number(self.value)
        super().__post_init__()

    def writer(self, place: Place) -> Writer:
        value = self.value
        if not isinstance(value, Tensor):
            return everywhere(lambda hidden: hidden + value)
        demand_width(value, place, or_one=True)
        return everywhere(lambda hidden: hidden + _like(value, hidden, self.at))


@dataclass(frozen=True, eq=False)
class Steer(Edit):
    """Add `strength` times a direction (dim,), as long as it is given: `direction / direction.norm()` is a unit one."""

    direction: Tensor
    strength: float = 1.0

    def __post_init__(self) -> None:
        demand_number(self.strength)
        if not isinstance(self.direction, Tensor) or self.direction.ndim != 1:
            raise EditError(f"{said(self.direction)} is no direction.", "Give a tensor (dim,), or @name for one.")
        super().__post_init__()

    def writer(self, place: Place) -> Writer:
        demand_width(self.direction, place)
        return everywhere(lambda hidden: hidden + self.strength * _like(self.direction, hidden, self.at))


@dataclass(frozen=True, eq=False)
class Noise(Edit):
    """Add normal noise of `std` times the standard deviation of the hidden states there.

    Drawn from a generator of its own, so neither torch's global RNG nor a second run with this seed is disturbed.
    """

    std: float = 0.1
    seed: int = field(default=0, metadata=OPTION)

    def __post_init__(self) -> None:
        demand_number(self.std)
        seeded(self.seed)
        super().__post_init__()

    def writer(self, place: Place) -> Writer:
        generator = seeded(self.seed)

        def write(hidden: Tensor, touched: Tensor | None = None) -> Tensor:
            drawn = torch.randn(hidden.shape, generator=generator, dtype=torch.float32)
            return hidden + self.std * _spread(hidden, touched) * drawn.to(hidden)

        return write


@dataclass(frozen=True, eq=False)
class Through(Edit):
    """Pass the hidden states through any module, called as a module, or any function of a tensor."""

    module: nn.Module | Callable[[Tensor], Tensor]

    def __post_init__(self) -> None:
        if not callable(self.module):
            raise EditError(
                f"{said(self.module)} cannot be called.", "Give a torch module or a function of one tensor."
            )
        super().__post_init__()

    def writer(self, place: Place) -> Writer:
        return everywhere(self.module)


def number_or_direction(value: Any) -> float | Tensor:
    """What Add takes, from a number, a text that spells one, or a tensor."""
    if isinstance(value, Tensor):
        return value
    try:
        return float(value)
    except (TypeError, ValueError):
        raise EditError(
            f"{said(value)} is neither a number nor a tensor.", "Give a number, or @name for a tensor."
        ) from None


def demand_number(value: object) -> None:
    if not isinstance(value, Real | Tensor):
        raise EditError(f"{said(value)} is no number.", "Give a number, such as 0.5.")


def demand_width(given: Tensor, place: Place, *, or_one: bool = False) -> None:
    """EditError where the last dimension is not as wide as the hidden states there, as far as that is known."""
    width = given.shape[-1] if given.ndim else 1
    if place.width not in (None, width) and not (or_one and width == 1):
        raise EditError(
            f"A direction of shape {tuple(given.shape)} does not fit {place.name}, which is {place.width} wide.",
            f"Give {place.width} numbers.",
        )


def _spread(hidden: Tensor, touched: Tensor | None) -> Tensor:
    """Standard deviation over the touched tokens; 0, not NaN, for a single value. Waits for no device."""
    if touched is None:
        return hidden.std(correction=0)
    wide = hidden.to(torch.promote_types(hidden.dtype, torch.float32))
    count = touched.expand_as(hidden).sum().clamp(min=1)
    mean = wide.where(touched, 0).sum() / count
    return ((wide - mean).square().where(touched, 0).sum() / count).sqrt().to(hidden)


def _like(direction: Tensor, hidden: Tensor, place: str) -> Tensor:
    try:
        return direction.to(hidden).expand_as(hidden)
    except RuntimeError:
        raise EditError(
            f"A direction of shape {tuple(direction.shape)} does not fit {place}, which is {tuple(hidden.shape)}.",
            f"Give one number, or {hidden.shape[-1]} of them.",
        ) from None
