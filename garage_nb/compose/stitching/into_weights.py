"""Into weights: the maps around a guest multiplied into its own first and last matrices, so that no adapter is left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from torch import Tensor
from torch.nn import functional as F

from ...registry.part_spec import PartType
from ..layout.fitting import fit
from ..layout.ingredients import Ingredient, Made, Taken
from ..layout.layout import Occupant, names_inside
from .matrices import Matrix, matrices
from .stitch import Stitch

_NO_MATTER = {"width", "neurons", "weights", "settings"}  # what maps bridge; all is proved after building


def why_not(guest: Occupant, host: Occupant, there: Mapping[str, Ingredient]) -> str:
    """Why maps around the guest could not become weights of the host's shape; empty where they can."""
    differing = [label for label in fit(guest, host).differing if label not in _NO_MATTER]
    if guest.part.part_type not in (PartType.ATTENTION, PartType.FFN):
        return f"a {guest.part.part_type.value.replace('_', ' ')} is no chain of matrices"
    if differing:
        return f"{fit(guest, host).reason}"
    names = {inner for inner, _ in names_inside(guest.part, guest.donor.tensors)}
    if names != set(there) or not any(matrix.last for matrix in matrices(guest)):
        return "its weights are of other names"
    if (guest.part.intermediate_dim or 0) > (host.part.intermediate_dim or 0):
        return f"it has {guest.part.intermediate_dim} neurons, and the place room for {host.part.intermediate_dim}"
    return ""


def mapped(stitch: Stitch, there: Mapping[str, Ingredient]) -> dict[str, Ingredient]:
    """The tensors of the place, by the names inside it. Neurons that the guest lacks are zero."""
    donor = stitch.guest.donor
    own = {inner: Taken(donor, name) for inner, name in names_inside(stitch.guest.part, donor.tensors)}
    made: dict[str, Ingredient] = {inner: Made((there[inner], found), _fitted) for inner, found in own.items()}
    return {**made, **dict(_mapped(stitch, there, own))}


def _mapped(
    stitch: Stitch, there: Mapping[str, Ingredient], own: Mapping[str, Taken]
) -> Iterator[tuple[str, Ingredient]]:
    for matrix in matrices(stitch.guest):
        weight, bias = f"{matrix.inner}.weight", f"{matrix.inner}.bias"
        if not (matrix.first or matrix.last):
            continue
        change = _weight_in if matrix.first else _weight_out
        yield weight, Made((there[weight], own[weight]), partial(change, stitch, matrix))
        if bias in own:
            shift = _bias_in if matrix.first else _bias_out
            yield bias, Made((there[bias], own[bias], own[weight]), partial(shift, stitch, matrix))


def _weight_in(stitch: Stitch, matrix: Matrix, there: Tensor, weight: Tensor) -> Tensor:
    return _fitted(there, matrix.turned(matrix.turned(weight) @ stitch.maps.into.T.to(weight)))


def _bias_in(stitch: Stitch, matrix: Matrix, there: Tensor, bias: Tensor, weight: Tensor) -> Tensor:
    return _fitted(there, bias + matrix.turned(weight) @ stitch.maps.shift.to(bias))


def _weight_out(stitch: Stitch, matrix: Matrix, there: Tensor, weight: Tensor) -> Tensor:
    return _fitted(there, matrix.turned(stitch.maps.out.T.to(weight) @ matrix.turned(weight)))


def _bias_out(stitch: Stitch, matrix: Matrix, there: Tensor, bias: Tensor, weight: Tensor) -> Tensor:
    return bias @ stitch.maps.out.to(bias)


def _fitted(there: Tensor, found: Tensor) -> Tensor:
    """With zeros behind it in every dimension that is shorter than the place has it."""
    more = [have - got for have, got in zip(there.shape, found.shape, strict=True)]
    return F.pad(found, [side for size in reversed(more) for side in (0, size)])
