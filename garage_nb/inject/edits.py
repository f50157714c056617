"""Edit: a value saying what to do to the hidden states leaving a place. It knows nothing of hooks.

To add a kind: a frozen dataclass with `at` first, and a `writer()` that answers a function from hidden states
(batch, seq, dim), and a mask of the tokens that will be taken from its answer, to hidden states of the same shape. It
leaves its arguments as they are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn

from ..core.seed import seeded
from ..core.sites import Writer, everywhere
from ..core.tokens import EVERY, Tokens
from ..errors import EditError


@dataclass(frozen=True)
class Edit(ABC):
    """`at` is any name the model's spec understands, `layer_3` or `attention_2.head_1`; `tokens` says which tokens."""

    at: str
    tokens: Tokens = field(default=EVERY, kw_only=True)

    def __post_init__(self) -> None:
        """EditError for NaN and infinity: all that follows would be NaN, and still look like an answer."""
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, float | Tensor) and not bool(torch.as_tensor(value).isfinite().all()):
                raise EditError(f"{_said(value)} is not finite.", "Give numbers without NaN or infinity.")

    @abstractmethod
    def writer(self) -> Writer:
        """A fresh function for one pass or one open block; any state in it (a generator) starts anew."""

    @property
    def verb(self) -> str:
        return type(self).__name__.lower()

    def __str__(self) -> str:
        """What the user said: `scale layer_3 0.5`."""
        given = [_short(getattr(self, item.name)) for item in fields(self) if item.name != "tokens"]
        return " ".join([self.verb, *given, *([f"--tokens {self.tokens}"] if self.tokens != EVERY else [])])

    @property
    def is_constant(self) -> bool:
        """Whether it does the same in every run: a module of the user's own may have learned something meanwhile."""
        return True


@dataclass(frozen=True)
class Scale(Edit):
    """Multiply by `factor`. 0 takes the part out of the residual stream, 1 leaves it."""

    factor: float

    def __post_init__(self) -> None:
        _demand_number(self.factor)
        super().__post_init__()

    def writer(self) -> Writer:
        return everywhere(lambda hidden: hidden * self.factor)


@dataclass(frozen=True)
class Add(Edit):
    """Add a number, or a direction of shape (dim,) or any shape that broadcasts to (batch, seq, dim)."""

    value: float | Tensor

    def writer(self) -> Writer:
        value = self.value
        if isinstance(value, Tensor):
            return everywhere(lambda hidden: hidden + _spread(value, hidden, self.at))
        return everywhere(lambda hidden: hidden + value)


@dataclass(frozen=True)
class Noise(Edit):
    """Add normal noise of `std` times the standard deviation of the hidden states there.

    Drawn from a generator of its own, so neither torch's global RNG nor a second run with this seed is disturbed.
    """

    std: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        _demand_number(self.std)
        seeded(self.seed)
        super().__post_init__()

    def writer(self) -> Writer:
        generator = seeded(self.seed)

        def write(hidden: Tensor, touched: Tensor | None = None) -> Tensor:
            drawn = torch.randn(hidden.shape, generator=generator, dtype=torch.float32)
            own = hidden if touched is None else hidden[touched.expand_as(hidden)]
            return hidden + self.std * own.std(correction=0) * drawn.to(hidden)  # 0, not NaN, for a single value

        return write


@dataclass(frozen=True)
class Through(Edit):
    """Pass the hidden states through any module, called as a module, or any function of a tensor."""

    module: nn.Module | Callable[[Tensor], Tensor]

    def __post_init__(self) -> None:
        if not callable(self.module):
            raise EditError(
                f"{_said(self.module)} cannot be called.", "Give a torch module or a function of one tensor."
            )

    def writer(self) -> Writer:
        return everywhere(self.module)

    @property
    def is_constant(self) -> bool:
        return False


def number_or_direction(value: Any) -> float | Tensor:
    """What Add takes, from a number, a text that spells one, or a tensor."""
    if isinstance(value, Tensor):
        return value
    try:
        return float(value)
    except (TypeError, ValueError):
        raise EditError(
            f"{_said(value)} is neither a number nor a tensor.", "Give a number, or @name for a tensor."
        ) from None


def _demand_number(value: object) -> None:
    if not isinstance(value, Real | Tensor):
        raise EditError(f"{_said(value)} is no number.", "Give a number, such as 0.5.")


def _spread(direction: Tensor, hidden: Tensor, place: str) -> Tensor:
    try:
        return direction.to(hidden).expand_as(hidden)
    except RuntimeError:
        raise EditError(
            f"A direction of shape {tuple(direction.shape)} does not fit {place}, which is {tuple(hidden.shape)}.",
            f"Give one number, or {hidden.shape[-1]} of them.",
        ) from None


def _said(value: object) -> str:
    """For an error's one line: a text of the user's may hold several."""
    return repr(value) if isinstance(value, str) else _short(value)


def _short(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"tensor{tuple(value.shape)}"
    if isinstance(value, str | Real):
        return f"{value:g}" if isinstance(value, float) else str(value)
    return str(getattr(value, "__name__", type(value).__name__))
