"""Variants: a model with one of its parts exchanged, put together without the proofs of a build.

They are what `compose.assembly.build` makes of the same graft, from the same layout and by the same steps, and share
memory with their donors; a study that tries dozens of them proves once what it keeps.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ...core.seed import spawned
from ..assembly.build import assembled
from ..assembly.wrapping import wrapped
from ..graft import Adapter, Stack, Swap
from ..layout.donors import Donor
from ..layout.grafting import grafted
from ..layout.ingredients import Ingredient, Made
from ..layout.layout import Layout, Occupant
from ..layout.whole import finished
from ..ref import Ref

GUEST = "guest"


def with_guest(
    base: Donor, place: str, guest: Donor, name: str, adapter: Adapter = "none", texts: Sequence[str] = ()
) -> Any:
    """The base with part `name` of the guest at `place`. BuildError where it does not fit there, with the reason."""
    swap = Swap(place, Ref(GUEST, name), adapter)
    return _put_together(grafted(swap, Layout.of(base, tuple(texts)), {"": base, GUEST: guest}))


def with_random(base: Donor, place: str, seed: int) -> Any:
    """The base with random weights at `place`: the numbers of each tensor there in another order, drawn by `seed`.

    So they have the shapes, the mean and the spread of the trained ones, and nothing of what was learned.
    """
    layout = Layout.of(base)
    inside = sorted(layout.at(place).items())
    found = {inner: _shuffled(there, f"{place}/{inner}", seed) for inner, there in inside if _is_weight(there)}
    return _put_together(layout.having(place, Occupant(base, place), found))


def with_layers(base: Donor, layers: Sequence[int]) -> Any:
    """The base with those of its blocks alone, from bottom to top. BuildError where its config cannot say so."""
    stack = Stack((Ref("", ",".join(map(str, layers))),))
    return _put_together(grafted(stack, Layout.of(base), {"": base}))


def _put_together(layout: Layout) -> Any:
    done = finished(layout)
    return wrapped(assembled(done), done, done.apart)


def _is_weight(there: Ingredient) -> bool:
    return there.first.is_floating_point()


def _shuffled(there: Ingredient, name: str, seed: int) -> Made:
    """Each tensor in an order of its own."""
    return Made((there,), partial(_reordered, generator_of=partial(spawned, seed, name)))


def _reordered(tensor: Tensor, *, generator_of: Any) -> Tensor:
    order = torch.randperm(tensor.numel(), generator=generator_of())
    return tensor.flatten()[order.to(tensor.device)].reshape(tensor.shape)
