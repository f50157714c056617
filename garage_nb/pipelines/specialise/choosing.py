"""Choosing: the best blade of several sweeps, by what validation says of it."""

from __future__ import annotations

from collections.abc import Mapping

from ...inject.blades.blade import Blade
from ...methods.blades.place_sweep import PlaceSweep


def best(sweeps: Mapping[str, PlaceSweep]) -> Blade:
    """The largest gain of those that each sweep chose and that lose little elsewhere; of all where every one loses
    more.
    """
    fair = [sweep for sweep in sweeps.values() if sweep.keeps(sweep.chosen.place)]
    found = max(fair or sweeps.values(), key=lambda sweep: sweep.gains[sweep.chosen.place].value)
    return found.chosen
