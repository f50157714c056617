"""Blade: a saved change of the hidden states at one place, what it was made from, and what it was measured to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from torch import Tensor

from ...errors import EditError
from ..edit import said
from .card import FitCard, ModelCard
from .evidence import Evidence

Setting = str | int | float


@dataclass(frozen=True, eq=False, kw_only=True)
class Blade:
    """`kind` says how the `tensors` act, `settings` whatever else it needs, `alpha` how strongly: 0 does nothing.

    `place` is a catalogue name of the target, where hidden states are `width` wide. Of a kind that reads a second
    model, `source` says which, `source_place` and `source_width` where and how wide. `evidence` is None until the blade
    has been measured, and until then it cannot be saved. Two blades are equal when they say the same, tensors number by
    number.
    """

    name: str
    kind: str
    place: str
    width: int
    tensors: Mapping[str, Tensor]
    target: ModelCard
    fit: FitCard
    settings: Mapping[str, Setting] = field(default_factory=dict)
    alpha: float = 1.0
    source: ModelCard | None = None
    source_place: str = ""
    source_width: int = 0
    evidence: Evidence | None = None

    def __post_init__(self) -> None:
        """EditError for NaN and infinity. Tensors are copied."""
        if not self.name.strip():
            raise EditError("A blade has a name.", "Give it one.")
        for name, tensor in self.tensors.items():
            if not isinstance(tensor, Tensor) or not tensor.is_floating_point() or not bool(tensor.isfinite().all()):
                raise EditError(f"{name} of the blade is {said(tensor)}.", "Give a tensor of finite numbers.")
        kept = {name: self.tensors[name].detach().cpu().clone() for name in sorted(self.tensors)}
        object.__setattr__(self, "tensors", kept)
        object.__setattr__(self, "settings", dict(self.settings))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Blade) and all(
            _alike(getattr(self, item.name), getattr(other, item.name)) for item in fields(self)
        )

    def __hash__(self) -> int:
        return hash((self.name, self.kind, self.place, self.fit))

    def __str__(self) -> str:
        return f"{self.name} ({self.kind} at {self.place})"

    @property
    def forwards(self) -> int:
        """Of models, for every token: the target's, and the source's where one is read."""
        return 1 if self.source is None else 2

    def measured(self, evidence: Evidence) -> Blade:
        """The same, and what was found of it."""
        return replace(self, evidence=evidence)


def _alike(a: Any, b: Any) -> bool:
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_alike(a[name], b[name]) for name in a)
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b)
    return bool(a == b)
