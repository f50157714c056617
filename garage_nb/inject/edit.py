"""Edit: a value saying what to do to the hidden states leaving a place. It knows nothing of hooks.

To add a kind: a frozen dataclass with `at` first, and a line in `kinds`. Its `writer` answers a function from hidden
states (batch, seq, dim), and a mask of the tokens that will be taken from its answer, to hidden states of the same
shape; the function leaves its arguments as they are. Whatever can be refused before a run, `writer` refuses.
"""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, fields
from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn

from ..core.sites import Write, Writer
from ..core.tokens import EVERY, Tokens
from ..errors import EditError
from ..registry.specs import ModelSpec
from .place import Place, place_of

OPTION = {"option": True}  # of a field that is said as `--seed 3`, and only where it is not the default


@dataclass(frozen=True, eq=False)
class Edit(ABC):
    """`at` is any name the model's spec understands, `layer_3` or `attention_2.head_1`.

    `tokens` says which tokens, as `Tokens` or as the text that one is made of. Two edits are equal when they say the
    same, tensors number by number. Tensors are copied, but for those that are being learned; NumPy's numbers become
    Python's.
    """

    at: str
    tokens: Tokens = field(default=EVERY, kw_only=True, metadata=OPTION)

    def __post_init__(self) -> None:
        """EditError for NaN and infinity: all that follows would be NaN, and still look like an answer."""
        if not isinstance(self.at, str):
            raise EditError(f"{said(self.at)} names no part.", "Name one: layer_3, attention_2.head_1.")
        if not isinstance(self.tokens, Tokens):
            self._set("tokens", Tokens(str(self.tokens)))
        for name, value in self.values().items():
            _demand_finite(value)
            if isinstance(value, Tensor) and not value.requires_grad:
                self._set(name, value.detach().clone())
            elif isinstance(value, Real):
                self._set(name, _native(value))

    @abstractmethod
    def writer(self, place: Place) -> Writer:
        """A fresh function for one pass or one open block; any state in it (a generator) starts anew.

        EditError for what cannot be done at this place.
        """

    def tap(self, spec: ModelSpec) -> Write:
        """What to attach for one pass. Errors as of `place_of` and `writer`."""
        place = place_of(spec, self.at)
        return Write(place.site, self.writer(place), str(self), self.tokens, self if self.is_constant else None)

    def values(self) -> dict[str, Any]:
        """All that it says, by name."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    def to_json(self) -> dict[str, Any]:
        """What `kinds.edit_from` reads. Tensors are left to `tensors`. EditError for a module of the user's own."""
        return {"edit": self.verb, **{name: self._plain(value) for name, value in self.values().items()}}

    def tensors(self) -> dict[str, Tensor]:
        """Those it holds, under the names that `to_json` gives them: equal ones have one."""
        return {name_of(value): value for value in self.values().values() if isinstance(value, Tensor)}

    @property
    def verb(self) -> str:
        return type(self).__name__.lower()

    @property
    def is_constant(self) -> bool:
        """Whether it does the same in every run: a module of the user's own may have learned something meanwhile."""
        return not any(map(_may_change, self.values().values()))

    def __str__(self) -> str:
        """What the user said: `scale layer_3 0.5 --tokens prompt`."""
        options = [
            item for item in fields(self) if item.metadata and not _alike(getattr(self, item.name), item.default)
        ]
        options.sort(key=lambda item: item.name == "tokens")  # last
        given = [short(getattr(self, item.name)) for item in fields(self) if not item.metadata]
        return " ".join([self.verb, *given, *(f"--{item.name} {short(getattr(self, item.name))}" for item in options)])

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and all(
            _alike(value, getattr(other, name)) for name, value in self.values().items()
        )

    def __hash__(self) -> int:
        return hash((type(self), self.at, self.tokens))

    def _plain(self, value: Any) -> Any:
        if value is None or isinstance(value, str | int | float):
            return value
        if isinstance(value, Tensor):
            return {"tensor": name_of(value)}
        if isinstance(value, Tokens):
            return str(value)
        if isinstance(value, tuple):
            return [self._plain(item) for item in value]
        if isinstance(value, Real):
            return float(value)
        raise EditError(
            f"The edit {str(self)!r} holds a {short(value)} of your own, which a file cannot keep.",
            "Save the recipe without it, and the module by torch's own means.",
        )

    def _set(self, name: str, value: Any) -> None:
        """While it is being made: frozen from then on."""
        object.__setattr__(self, name, value)


def said(value: object) -> str:
    """For an error's one line: a text of the user's may hold several."""
    return repr(value) if isinstance(value, str) else short(value)


def short(value: Any) -> str:
    """A value in a word: `0.5`, `0,2`, `tensor(32,)`, `Tanh`."""
    if isinstance(value, Tensor):
        return f"tensor{tuple(value.shape)}"
    if isinstance(value, tuple):
        return ",".join(map(short, value[:8])) + (",…" if len(value) > 8 else "")
    if isinstance(value, str | Real | Tokens):
        return f"{value:g}" if isinstance(value, float) else str(value)
    return str(getattr(value, "__name__", type(value).__name__))


def name_of(tensor: Tensor) -> str:
    """The same for equal tensors."""
    plain = tensor.detach().cpu().contiguous()
    bits = plain.reshape(-1).view(torch.uint8).numpy().tobytes()
    return hashlib.sha256(f"{plain.dtype} {list(plain.shape)} ".encode() + bits).hexdigest()[:32]


def _native(number: Any) -> Any:
    """As Python writes it: a line that is copied must run without NumPy."""
    if type(number) in (bool, int, float):
        return number
    return number.item() if hasattr(number, "item") else float(number)


def _demand_finite(value: object) -> None:
    if isinstance(value, Tensor):
        finite = bool(value.isfinite().all())
    elif isinstance(value, tuple):
        finite = all(math.isfinite(item) for item in value)
    else:
        finite = not isinstance(value, Real) or math.isfinite(value)
    if not finite:
        raise EditError(f"{said(value)} is not finite.", "Give numbers without NaN or infinity.")


def _may_change(value: object) -> bool:
    return value.requires_grad if isinstance(value, Tensor) else isinstance(value, nn.Module) or callable(value)


def _alike(a: object, b: object) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b.to(a.device))
    return not isinstance(a, Tensor) and not isinstance(b, Tensor) and a == b
