"""Activity: what neurons are on average over the tokens of items, with sign and without, and how far they reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.run import read
from ...core.sites import Read, Site, Tap
from ...core.stats import wide
from ...errors import UnsupportedModelError
from ...extract.cut import Uncuttable, orientation
from ...extract.source import in_memory
from ...inject.place import place_of
from ...registry.lift import Lifted
from ..judging.sheets import Sheet
from .half import Half

Hidden = dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class Activity:
    """Of one part: `mean` over the tokens of all items, and of |a| by domain."""

    mean: Float[Tensor, " neurons"]
    size: Float[Tensor, "domains neurons"]


def activity(half: Half, parts: Sequence[str]) -> dict[str, Activity]:
    """Padding is left out."""
    sums: dict[str, Tensor] = {}
    sizes: dict[str, Tensor] = {}
    counts = torch.zeros(len(half.domains), dtype=torch.float64)
    for sheet in half.sheets:
        seen: Hidden = {}
        taps: list[Tap] = [*half.recipe.taps(half.lifted.spec), *readers(half.lifted, parts, sheet, seen)]
        read(half.lifted.model, half.batch(sheet), taps, chain=half.lifted.spec.chain)
        domains = half.which[sheet.numbers]
        counts.index_add_(0, domains, sheet.mask.sum(1).double())
        for name in parts:
            hidden = seen[name].to(wide(seen[name].device)) * sheet.mask[..., None].to(seen[name].device)
            each = hidden.abs().sum(1).cpu().double()  # (rows, neurons)
            none = torch.zeros(len(half.domains), each.shape[1], dtype=torch.float64)
            sizes[name] = sizes.get(name, none).index_add(0, domains, each)
            sums[name] = sums.get(name, none[0]) + hidden.sum((0, 1)).cpu().double()
    return {name: Activity(sums[name] / counts.sum(), sizes[name] / counts[:, None]) for name in parts}


def readers(lifted: Lifted, parts: Sequence[str], sheet: Sheet, seen: Hidden) -> list[Read]:
    """They leave the neurons of each part in `seen`, (rows, seq, neurons)."""
    return [Read(site_of(lifted, name), _keeper(seen, name, sheet)) for name in parts]


def site_of(lifted: Lifted, part: str) -> Site:
    return place_of(lifted.spec, f"{part}.neurons").site


def reach(lifted: Lifted, part: str) -> Float[Tensor, " neurons"]:
    """The norm of what one unit of each neuron adds behind the last projection. UnsupportedModelError without a plain
    matrix there.
    """
    last: Any = in_memory(lifted.model, str(lifted.spec.parts[part].extra_info["projection"]))
    try:
        across = last.weight.detach().movedim(orientation(last), 0)  # (dim, neurons)
    except Uncuttable as error:
        what = f"The last projection of {part} cannot be read: {error}."
        raise UnsupportedModelError(what, "Load the model in float32 or bfloat16.") from None
    found: Tensor = across.to(wide(across.device)).norm(dim=0).cpu().double()
    return found


def shared_out(fills: Mapping[str, Tensor], name: str, like: Tensor) -> Tensor:
    """What stands in for the neurons of a part that go: zeros where nothing is said."""
    return fills[name].to(like) if name in fills else torch.zeros_like(like[..., :1])


def _keeper(seen: Hidden, name: str, sheet: Sheet) -> Any:
    def keep(hidden: Tensor) -> None:
        seen[name] = hidden.detach().reshape(*sheet.ids.shape, -1)

    return keep
