"""Unit shares: what each head or neuron of a part adds to a logit: its own columns of the last projection.

Between the projection and the stream there may be a norm, whose scale is held as it was, and a multiplier. What the
projection's bias and the norm's add belongs to no unit. That all of it sums to what the part added is checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from ...core.sites import Site, Tap
from ...errors import UnsupportedModelError
from ...extract.source import in_memory
from ...registry.elementary import norm_of
from ...registry.lift import Lifted
from ...registry.part_spec import PartSpec
from .frozen import Frozen
from .passage import Passage


def inner_sites(lifted: Lifted, name: str, unit: str) -> list[Site]:
    """What has to be read for `shares`: what enters the projection, and the norm behind it where there is one."""
    post = _post(lifted, lifted.spec.parts[name])
    inner = lifted.spec.site(f"{name}.{unit}s")
    return [inner] if post is None else [inner, Site(post, "input", lifted.spec.site(name).turn)]


def shares(
    lifted: Lifted, seen: Passage, name: str, unit: str, direction: Float[Tensor, " dim"], edits: Sequence[Tap]
) -> tuple[Float[Tensor, " units"], float, float]:
    """By unit, what the biases add, and what edits behind the units change.

    UnsupportedModelError where units and biases do not sum to what the part adds and no edit says why.
    """
    part, site = lifted.spec.parts[name], lifted.spec.site(name)
    inner, *normed = inner_sites(lifted, name, unit)
    weight, bias = _projection(lifted, part, name)
    reads, added = site.times * direction, 0.0
    for place in normed:
        norm = Frozen.at(in_memory(lifted.model, place.path), seen.at[place], place.path)
        reads, added = norm.back(reads), float(norm.shift @ reads)
    through = seen.at[inner] * (weight.T @ reads)
    added += 0.0 if bias is None else float(bias @ reads)
    count = part.count_of(f"{unit}s") or len(through)
    told = through.reshape(count, -1).sum(1)
    whole = direction @ seen.at[site]
    size = float(direction.norm() * seen.at[site].norm())
    rest = float(whole - told.sum()) - added
    if abs(rest) <= seen.tolerance * size:
        return told, added, 0.0
    behind = {part.module_path, part.extra_info["projection"], site.path}
    if not any(tap.site.path in behind and tap.site.side == "output" for tap in edits):
        raise UnsupportedModelError(
            f"Between the {unit}s of {name} and the stream stands more than a projection and a norm.",
            "Attribute to whole parts instead: by halves.",
        )
    return told, added, rest


def _post(lifted: Lifted, part: PartSpec) -> str | None:
    path = part.read_at
    return path if path != part.module_path and norm_of(lifted.model.get_submodule(path)) is not None else None


def _projection(lifted: Lifted, part: PartSpec, name: str) -> tuple[Float[Tensor, "dim inner"], Tensor | None]:
    """Its weight as (out, in), in float64 on the host."""
    module: Any = in_memory(lifted.model, part.extra_info["projection"])
    weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
    plain = type(module) is nn.Linear or type(module).__name__ == "Conv1D"
    if not plain or not isinstance(weight, Tensor) or not weight.is_floating_point() or weight.is_meta:
        raise UnsupportedModelError(
            f"The last projection of {name} is {type(module).__name__}, whose columns cannot be read.",
            "Attribute to whole parts instead: by halves.",
        )
    exact = weight.detach().double().cpu()
    return exact if type(module) is nn.Linear else exact.T, None if bias is None else bias.detach().double().cpu()
