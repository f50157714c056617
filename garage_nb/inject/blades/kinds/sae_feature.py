"""SAE feature: features of a sparse autoencoder turned up or down, as the `sae` edit does; alpha is how far."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ....core.sites import Site, Writer
from ....errors import EditError
from ....registry.lift import Lifted
from ...place import Place
from ...sae import Sae
from ..blade import Blade
from ..card import FitCard, ModelCard
from ..fitting.pairing import place_at
from .kind import Act, Kind, Tensors, demand_settings

_TENSORS = ("encoder", "bias", "decoder", "after", "before", "threshold", "gain", "gain_bias")
_SETTINGS = ("k", "norm", "features", "error")


def _sae(blade: Blade) -> Sae:
    """EditError for tensors and settings that are of no autoencoder."""
    demand_settings(blade, _SETTINGS)
    if missing := [name for name in ("encoder", "bias", "decoder", "after") if name not in blade.tensors]:
        raise EditError(f"The blade {blade.name!r} has no {missing[0]}.", "Fit the blade again.")
    if odd := sorted({*blade.tensors} - {*_TENSORS}):
        raise EditError(f"An autoencoder has no {odd[0][:40]!r}.", "It was saved by another version.")
    said: dict[str, Any] = {**blade.tensors, **blade.settings}
    return Sae(blade.place, **said)


def _writer(blade: Blade) -> Writer:
    return _sae(blade).writer(Place(blade.place, Site(blade.place), blade.width))


def _shapes(blade: Blade) -> dict[str, tuple[int, ...]]:
    _writer(blade)
    return {name: tuple(tensor.shape) for name, tensor in blade.tensors.items()}


def _act(blade: Blade) -> Act:
    turn = _writer(blade)

    def act(tensors: Tensors, hidden: Tensor, source: Tensor | None, alpha: float) -> Tensor:
        return torch.lerp(hidden, turn(hidden, None), alpha)

    return act


SAE_FEATURE = Kind("sae_feature", False, _shapes, _act)


def sae_blade(name: str, target: Lifted, sae: Sae) -> Blade:
    """Of an `sae` edit, which is not fitted here. EditError where it does not fit its place."""
    at, width = place_at(target, sae.at)
    values = sae.values()
    first = Blade(
        name=name,
        kind=SAE_FEATURE.name,
        place=at,
        width=width,
        tensors={one: values[one] for one in _TENSORS if values[one] is not None},
        settings={one: values[one] for one in _SETTINGS},
        target=ModelCard.of(target),
        fit=FitCard.none(),
    )
    SAE_FEATURE.demand(first)
    return first
