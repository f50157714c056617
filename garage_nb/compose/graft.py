"""Grafts: how a hybrid differs from its base, one small value each. They say what, not how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from .blends.blend import Blend
from .blends.methods import blend_from
from .ref import Ref

Adapter = Literal["none", "fit", "untrained"]
WHOLE = "all"  # of a merge: every weight of the model, not its layers alone
BOTTOM, TOP = "bottom", "top"  # of a swap or merge: what stands before the blocks, and what follows them


@dataclass(frozen=True)
class Stack:
    """The blocks of the result, bottom to top, in place of the base's: `0:4 b[2:6]`. They may repeat."""

    layers: tuple[Ref, ...]
    verb: ClassVar[str] = "stack"

    @classmethod
    def of(cls, text: str) -> Stack:
        """`Stack.of("0:4 b[2:6]")`."""
        return cls(tuple(map(Ref.of, text.split())))

    @property
    def refs(self) -> tuple[Ref, ...]:
        return self.layers

    def __str__(self) -> str:
        return " ".join(["stack", *map(str, self.layers)])


@dataclass(frozen=True)
class Swap:
    """Another part in the place of one of the result. A selector of several takes as many of the donor's, in order.

    `adapter`: linear maps around it where widths differ: fitted on texts ("fit"), or as drawn ("untrained").
    """

    at: str
    source: Ref
    adapter: Adapter = "none"
    verb: ClassVar[str] = "swap"

    @classmethod
    def of(cls, at: str, source: str, adapter: Adapter = "none") -> Swap:
        """`Swap.of("attention_1", "b[attention_3]")`."""
        return cls(at, Ref.of(source), adapter)

    @property
    def refs(self) -> tuple[Ref, ...]:
        return (self.source,)

    def __str__(self) -> str:
        return f"swap {self.at} {self.source}" + ("" if self.adapter == "none" else f" --adapter {self.adapter}")


@dataclass(frozen=True)
class Merge:
    """The weights of places in the result, blended with those of others of the same shapes."""

    at: str
    sources: tuple[Ref, ...]
    blend: Blend
    verb: ClassVar[str] = "merge"

    @classmethod
    def of(cls, at: str, *sources: str, method: str = "linear", **parameters: Any) -> Merge:
        """`Merge.of("all", "b", method="slerp", t=0.3)`; parameters as `blends.methods.blend_from` takes them."""
        return cls(at, tuple(map(Ref.of, sources)), blend_from(method, parameters))

    @property
    def refs(self) -> tuple[Ref, ...]:
        return self.sources

    def __str__(self) -> str:
        return " ".join(["merge", self.at, ",".join(map(str, self.sources)), str(self.blend)])


@dataclass(frozen=True)
class Adapt:
    """An adapter of PEFT's, multiplied into the weights of the result after all other grafts. Its file says where."""

    folder: str
    scale: float = 1.0
    verb: ClassVar[str] = "adapt"

    @property
    def refs(self) -> tuple[Ref, ...]:
        return ()

    def __str__(self) -> str:
        return f"adapt {self.folder}" + ("" if self.scale == 1 else f" --scale {self.scale:g}")


Graft = Stack | Swap | Merge | Adapt
