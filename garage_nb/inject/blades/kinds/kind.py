"""Kind: how a blade acts. To add one: a file beside this, and a line in `table`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor

from ....errors import EditError
from ...edit import said
from ..blade import Blade, Setting

Tensors = Mapping[str, Tensor]
Act = Callable[[Tensors, Tensor, Tensor | None, float], Tensor]
"""From a blade's tensors, the hidden states (…, dim), those of the source (…, source dim) and alpha, to hidden states.

All in one dtype, float32 or wider, on one device; gradients pass.
"""


@dataclass(frozen=True)
class Kind:
    """`act` answers an Act for one blade; `shapes` what its tensors must be, given how wide target and source are."""

    name: str
    reads_source: bool
    shapes: Callable[[Blade], Mapping[str, tuple[int, ...]]]
    act: Callable[[Blade], Act]

    def demand(self, blade: Blade) -> None:
        """EditError unless its tensors are of this kind, and a source is named where one is read."""
        wanted = self.shapes(blade)
        for name in sorted({*wanted, *blade.tensors}):
            given = blade.tensors.get(name)
            if name not in wanted or given is None or tuple(given.shape) != wanted[name]:
                there = "missing" if given is None else said(given)
                raise EditError(
                    f"The {name[:40]} of the {self.name} blade {blade.name!r} is {there}.",
                    f"It has {', '.join(f'{one} {shape}' for one, shape in wanted.items())}.",
                )
        if self.reads_source != (blade.source is not None and bool(blade.source_place)):
            needs = "reads a source, and says where" if self.reads_source else "reads no second model"
            raise EditError(f"A {self.name} blade {needs}.", "Fit the blade again.")


def of_source(source: Tensor | None) -> Tensor:
    assert source is not None
    return source


def setting(blade: Blade, name: str, known: Iterable[Setting] | None = None) -> Setting:
    """EditError where it is missing, or none of those known; without any known it is a whole number from 1 on."""
    value = blade.settings.get(name)
    right = isinstance(value, int) and value >= 1 if known is None else value in list(known)
    if value is None or not right:
        raise EditError(f"The {name} of the blade {blade.name!r} is {value!r}.", "Fit the blade again.")
    return value


def demand_settings(blade: Blade, names: Iterable[str]) -> None:
    """EditError for one that this kind does not have."""
    if odd := sorted({*blade.settings} - {*names}):
        raise EditError(f"A {blade.kind} blade has no {odd[0][:40]!r}.", "It was saved by another version.")
