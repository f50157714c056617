"""Merging: weights of the result blended with those of donors, tensor by tensor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor

from ...errors import BuildError
from ...registry.part_spec import PartType
from ..blends.blend import Spot, in_block
from ..graft import WHOLE, Merge
from ..ref import Ref
from .donors import Donor
from .ends import places_of
from .ingredients import Blended, Ingredient, Taken
from .layout import Layout, names_inside
from .pairing import demand_whole, paired

Donors = Mapping[str, Donor]
Names = dict[str, str]  # of a tensor in the result -> of one in a donor


def merged(layout: Layout, merge: Merge, donors: Donors) -> Layout:
    """BuildError where a donor has no weight of that name or shape, or where rows stand for other tokens."""
    merge.blend.demand(len(merge.sources))
    names = [_names(layout, merge.at, ref, donors) for ref in merge.sources]
    own = list(names[0]) if names else _own(layout, merge.at)
    if apart := next((name for name in own if layout.is_apart(name)), None):
        raise BuildError(f"A guest with adapters stands at {apart}, which has no weights to merge.", "Merge others.")
    depths = _depths(layout, own)
    made = {
        name: Blended(
            layout.tensors[name],
            [_alike(name, layout, donors[ref.donor], known) for ref, known in zip(merge.sources, names, strict=True)],
            merge.blend,
            Spot(name, depths[name], (layout.tensors[name].origin.name, *(known[name] for known in names))),
        )
        for name in own
    }
    for ref in merge.sources:
        _demand_tokens(layout, own, donors[ref.donor])
    return layout.grafted_on(made)


def _names(layout: Layout, at: str, ref: Ref, donors: Donors) -> Names:
    if at == WHOLE and not ref.parts:
        return {name: name for name in layout.tensors}
    donor = donors[ref.donor]
    found: Names = {}
    for place, name in paired(layout, at, ref, donors):
        theirs = dict(names_inside(donor.spec.part(name), donor.tensors))
        found |= {whole: theirs.get(inner, "") for inner, whole in _inside(layout, place)}
    return found


def _own(layout: Layout, at: str) -> list[str]:
    if at == WHOLE:
        return list(layout.tensors)
    places = places_of(layout, at)
    demand_whole(places, layout.spec)
    return [name for place in places for _, name in _inside(layout, place)]


def _inside(layout: Layout, place: str) -> Iterator[tuple[str, str]]:
    return names_inside(layout.spec.part(place), layout.tensors)


def _alike(name: str, layout: Layout, donor: Donor, names: Names) -> Ingredient:
    there = donor.tensors.get(names[name])
    here = layout.tensors[name].first
    if there is None or there.shape != here.shape:
        what = "has none there" if there is None else f"has {_shape(there)}"
        raise BuildError(
            f"{name} of the result is {_shape(here)}, and {donor.name} {what}.", "Merge models or parts of one shape."
        )
    if (there.dtype, there.device) != (here.dtype, here.device):
        raise BuildError(
            f"{name} of the result, {layout.base.name}, is {_kind(here)}, and that of {donor.name} is {_kind(there)}.",
            "Load them with one dtype and on one device.",
        )
    return Taken(donor, names[name])


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} on {tensor.device}"


def _shape(tensor: Tensor) -> str:
    return " × ".join(map(str, tensor.shape))


def _demand_tokens(layout: Layout, names: list[str], donor: Donor) -> None:
    """Rows of embeddings are merged only where both models number the same tokens alike, as far as that is known."""
    mine = layout.occupants["embedding"].donor if "embedding" in layout.occupants else layout.base
    ours, theirs = (who.spec.extra_info.get("tokenizer") for who in (mine, donor))
    if _spoken(layout) & set(names) and ours and theirs and ours["digest"] != theirs["digest"]:
        raise BuildError(
            f"{mine.name} and {donor.name} number their tokens differently, so their embeddings cannot be merged.",
            "Merge layer_* alone.",
        )


def _spoken(layout: Layout) -> set[str]:
    """Tensors with a row for each token."""
    places = [place for place in ("embedding", "output_head") if place in layout.spec.parts]
    return {name for place in places for _, name in _inside(layout, place)}


def _depths(layout: Layout, names: list[str]) -> dict[str, float]:
    """By tensor, as blends count them: along the layers of this merge, and 0 outside the blocks."""
    blocks = layout.spec.of_type(PartType.FULL_LAYER)
    layer_of = {name: part.layer_idx for part in blocks for _, name in names_inside(part, layout.tensors)}
    layers = list(dict.fromkeys(layer_of[name] for name in names if name in layer_of))
    return {name: in_block(layers.index(layer_of[name]), len(layers)) if name in layer_of else 0.0 for name in names}
