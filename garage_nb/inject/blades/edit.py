"""BladeEdit: a blade in force, as one edit of a recipe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from ...core.sites import Write
from ...core.tokens import EVERY, Tokens
from ...errors import EditError
from ...registry.lift import Lifted
from ...registry.specs import ModelSpec
from ..edit import OPTION, Edit, name_of, said
from ..place import Place, place_of
from .beside import Beside
from .blade import Blade
from .card import ModelCard, demand_same_tokens, demand_source, demand_target
from .kinds.table import kind_of
from .written import blade_from_json, blade_to_json

_SAVED = {"at", "tokens", "alpha", "blade", "parts"}


@dataclass(frozen=True, eq=False)
class BladeEdit(Edit):
    """Let a blade act at `at`, `alpha` times; 0 changes no bit. `in_force` makes one with the blade's own place.

    `source` is the second model, of a kind that reads one: it runs beside on the same tokens, in generation with a
    cache of its own, and stays as it is. An edit that was read from a file has none until `beside` gives it.
    """

    at: str = field(metadata=OPTION)
    blade: Blade
    alpha: float = field(metadata=OPTION)
    source: Lifted | None = field(default=None, metadata=OPTION)

    def __post_init__(self) -> None:
        if not isinstance(self.blade, Blade):
            raise EditError(f"{said(self.blade)} is no blade.", "Fit one, or load_blade a saved one.")
        if not isinstance(self.alpha, Real) or isinstance(self.alpha, bool):
            raise EditError(f"{said(self.alpha)} is no strength.", "Give a number: 0 does nothing, 1 all of it.")
        super().__post_init__()
        kind_of(self.blade)
        if self.source is not None and self.blade.source is None:
            raise EditError(f"The blade {self.blade.name!r} reads no second model.", "Leave the source out.")

    @property
    def verb(self) -> str:
        return "blade"

    @property
    def is_constant(self) -> bool:
        """A source may be changed by whoever holds it."""
        return self.blade.source is None

    def beside(self, source: Lifted) -> BladeEdit:
        """With the model to read from. EditError unless it is the one that the blade was made from."""
        if self.blade.source is not None:
            demand_source(self.blade.source, ModelCard.of(source))
        return replace(self, source=source)

    def tap(self, spec: ModelSpec) -> Write:
        place = place_of(spec, self.at)
        self._demand_fit(spec, place)
        acting = self._acting()
        told = None if acting.beside is None else acting.beside.told
        return Write(place.site, acting, str(self), self.tokens, self if self.is_constant else None, told)

    def writer(self, place: Place) -> Acting:
        self._demand_wide(place)
        return self._acting()

    def to_json(self) -> dict[str, Any]:
        """BladeFileError without evidence. The source is not kept, but what it must be is."""
        parts = {name: {"tensor": name_of(tensor)} for name, tensor in self.blade.tensors.items()}
        blade = {"blade": blade_to_json(self.blade), "parts": parts}
        return {"edit": self.verb, "at": self.at, "tokens": str(self.tokens), "alpha": self.alpha, **blade}

    def tensors(self) -> dict[str, Tensor]:
        return {name_of(tensor): tensor for tensor in self.blade.tensors.values()}

    def __str__(self) -> str:
        tokens = "" if self.tokens == EVERY else f" --tokens {self.tokens}"
        return f"{self.verb} {self.blade.name} --at {self.at} --alpha {self.alpha:g}{tokens}"

    def _acting(self) -> Acting:
        if not self.alpha or self.blade.source is None:
            return Acting(self.blade, self.alpha, None)
        if self.source is None:
            raise EditError(
                f"The blade {self.blade.name!r} reads {self.blade.source.model_id}, which is not here.",
                "Load that model and give it: edit.beside(lift(name)).",
            )
        return Acting(self.blade, self.alpha, Beside(self.source, self.blade.source_place))

    def _demand_fit(self, spec: ModelSpec, place: Place) -> None:
        self._demand_wide(place)
        if self.source is not None:
            demand_same_tokens(spec, self.source.spec)

    def _demand_wide(self, place: Place) -> None:
        if place.width != self.blade.width or place.routes:
            raise EditError(
                f"The blade {self.blade.name!r} is {self.blade.width} wide, {place.name} is {place.width}.",
                f"It was made for {self.blade.place} of {self.blade.target.model_id}.",
            )


class Acting:
    """One pass, or all calls of one generation."""

    def __init__(self, blade: Blade, alpha: float, beside: Beside | None) -> None:
        self._tensors, self._act, self._alpha = blade.tensors, kind_of(blade).act(blade), alpha
        self.beside = beside

    def __call__(self, hidden: Tensor, touched: Tensor | None = None) -> Tensor:
        if not self._alpha:
            return hidden
        wide = hidden.to(torch.promote_types(hidden.dtype, torch.float32))
        tensors = {name: tensor.to(wide) for name, tensor in self._tensors.items()}
        source = None if self.beside is None else self.beside.states(hidden)
        return self._act(tensors, wide, source, self._alpha).to(hidden)


def in_force(
    blade: Blade,
    *,
    source: Lifted | None = None,
    alpha: float | None = None,
    tokens: str | Tokens = EVERY,
    at: str | None = None,
) -> BladeEdit:
    """The edit that lets a blade act: at its own place and strength unless another is said. EditError for another
    source than it was made from.
    """
    strength, place = blade.alpha if alpha is None else alpha, blade.place if at is None else at
    edit = BladeEdit(place, blade, strength, tokens=tokens if isinstance(tokens, Tokens) else Tokens(str(tokens)))
    return edit if source is None else edit.beside(source)


def demand_made_for(edits: Iterable[Edit], lifted: Lifted) -> None:
    """EditError where a blade among them was made for other weights: it would act all the same, and mean nothing."""
    if blades := [edit.blade for edit in edits if isinstance(edit, BladeEdit)]:
        live = ModelCard.of(lifted)
        for blade in blades:
            demand_target(blade.target, live)


def values_in(given: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """What an edit is made of, from what `to_json` wrote of it. EditError or BladeFileError for anything else."""
    if odd := sorted(map(str, given.keys() ^ _SAVED)):
        raise EditError(f"The edit blade has another {odd[0][:40]!r}.", "It was saved by another version.")
    parts = given["parts"] if isinstance(given["parts"], dict) else {"": None}
    blade = blade_from_json(given["blade"], {name: _tensor(part, tensors) for name, part in parts.items()})
    return {"at": given["at"], "blade": blade, "alpha": given["alpha"], "tokens": given["tokens"]}


def _tensor(part: Any, tensors: Mapping[str, Tensor]) -> Tensor:
    named = part["tensor"] if isinstance(part, dict) and part.keys() == {"tensor"} else None
    if not isinstance(named, str) or named not in tensors:
        raise EditError("A tensor of this edit is missing.", "Keep the file of tensors beside the recipe.")
    return tensors[named]
