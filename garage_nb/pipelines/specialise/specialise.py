"""specialise: blades of every kind at every place are fitted, one is chosen on validation, and it is tested once."""

from __future__ import annotations

from dataclasses import replace

from ...errors import REFUSALS, InputError
from ...methods.blades.blade_card import BladeCard
from ...methods.blades.making import HOW, SOURCE, Making
from ...methods.blades.place_sweep import PlaceSweep
from ...methods.blades.sweeping import swept
from ...methods.studies.ground import Ground
from .choosing import best
from .specialised import Specialised

ALONE, BESIDE = ("low_rank", "direction"), ("gated", "transplant", "projected", "ffn_output")


def specialise(ground: Ground, *, steps: int = 40, seed: int = 0) -> Specialised:
    """For the ground's domain. Kinds that read a second model are tried where the ground has one; what cannot be made
    on these models is left out, with the reason. InputError where none can be made; CancelledError on the way.
    """
    sweeps: dict[str, PlaceSweep] = {}
    left_out: dict[str, str] = {}
    how = replace(HOW, steps=steps, seed=seed)
    for kind in (*(BESIDE if SOURCE in ground.others else ()), *ALONE):
        try:
            sweeps[kind] = swept(Making(name=f"{ground.domain}-{kind}", kind=kind, training=how), ground)
        except REFUSALS as error:
            left_out[kind] = error.what
    if not sweeps:
        raise InputError(f"No blade can be made for {ground.domain}: {next(iter(left_out.values()))}", "Try fit_blade.")
    card = BladeCard(blade=best(sweeps), ground=ground).measured(ground, seed=seed)
    return Specialised(sweeps=sweeps, left_out=left_out, card=card)
