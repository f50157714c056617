"""Projected: as a transplant, but what comes from the source first passes an affine map to the target's dimensions.

============= ========================================================================================================
least_squares ridge regression of the target's states on the source's ("model stitching": Bansal et al., 2021)
procrustes    the rotation that fits best (Schönemann, 1966); semi-orthogonal between two widths
truncation    the source's dimensions of the largest mean |x|, in their order, and zeros where the target has more
============= ========================================================================================================
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ....core.regression import Linear, Sums
from ....errors import EditError
from ....registry.lift import Lifted
from ..blade import Blade
from ..card import FitCard, ModelCard
from ..fitting.captures import Captured, captured, data_hash
from ..fitting.pairing import paired
from .kind import Act, Kind, Tensors, demand_settings, of_source

RIDGE = 1e-3  # of the mean variance of a dimension of the source


def projection_shapes(blade: Blade) -> dict[str, tuple[int, ...]]:
    return {"weight": (blade.source_width, blade.width), "bias": (blade.width,)}


def projected(tensors: Tensors, source: Tensor) -> Tensor:
    """In the target's dimensions."""
    return source @ tensors["weight"] + tensors["bias"]


def _shapes(blade: Blade) -> dict[str, tuple[int, ...]]:
    demand_settings(blade, ["method"])
    return projection_shapes(blade)


def _act(blade: Blade) -> Act:
    def act(tensors: Tensors, hidden: Tensor, source: Tensor | None, alpha: float) -> Tensor:
        return torch.lerp(hidden, projected(tensors, of_source(source)), alpha)

    return act


PROJECTED = Kind("projected", True, _shapes, _act)


def fit_projected(
    name: str,
    target: Lifted,
    place: str,
    source: Lifted,
    prompts: Sequence[str],
    *,
    source_place: str | None = None,
    how: str = "least_squares",
    kind: Kind = PROJECTED,
) -> Blade:
    """On every token of the prompts, in float64, rounded once to float32. EditError for other tokens, or for fewer of
    them than a map has rows.
    """
    started, ends = time.perf_counter(), paired(target, place, source, source_place)
    projection = projection_of(captured(target, source, ends, prompts), how)
    return Blade(
        name=name,
        kind=kind.name,
        place=ends.place,
        width=ends.width,
        tensors={"weight": projection.weight.float(), "bias": projection.bias.float()},
        settings={"method": how},
        target=ModelCard.of(target),
        source=ModelCard.of(source),
        source_place=ends.source_place,
        source_width=ends.source_width,
        fit=FitCard(data=data_hash(prompts), n=len(prompts), seconds=time.perf_counter() - started),
    )


def projection_of(both: Captured, how: str) -> Linear:
    """From the source's states to the target's. EditError for a way that is none."""
    if how not in PROJECTIONS:
        raise EditError(f"There is no projection {how!r}.", f"There are: {', '.join(PROJECTIONS)}.")
    return PROJECTIONS[how](both)


def _least_squares(both: Captured) -> Linear:
    return _enough(both).solved(RIDGE)


def _procrustes(both: Captured) -> Linear:
    return _enough(both).turned()


def _truncation(both: Captured) -> Linear:
    width, kept = both.width, min(both.width, len(both.magnitudes))
    chosen = both.magnitudes.topk(kept).indices.sort().values
    weight = torch.zeros(len(both.magnitudes), width, dtype=torch.float64)
    weight[chosen, torch.arange(kept)] = 1.0
    return Linear(weight, torch.zeros(width, dtype=torch.float64))


PROJECTIONS: dict[str, Callable[[Captured], Linear]] = {
    "least_squares": _least_squares,
    "procrustes": _procrustes,
    "truncation": _truncation,
}


def _enough(both: Captured) -> Sums:
    rows = max(both.width, len(both.magnitudes))
    if both.sums.count <= rows:
        raise EditError(
            f"{both.sums.count:,} tokens are too few to fit a map of {rows:,} dimensions.",
            f"Give prompts of more than {rows:,} tokens; ten times as many as a rule.",
        )
    return both.sums
