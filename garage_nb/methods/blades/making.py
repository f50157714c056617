"""Making: what a blade is made by, whatever its kind, so that it can be made at any place, and anew by another seed.

What is trained is trained on the answers of the items to fit on; maps between two models are fitted on whole texts, of
the domain and of others. How strongly a blade acts that is not trained is the dose that does best on the items to
choose by.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import zip_longest

from ...analyze.judging.exercise import Exercise
from ...errors import InputError, nearest
from ...inject.blades.blade import Blade
from ...inject.blades.card import FitCard
from ...inject.blades.edit import BladeEdit
from ...inject.blades.fitting.training import Training
from ...inject.blades.kinds.direction import fit_direction
from ...inject.blades.kinds.ffn_output import fit_ffn_output
from ...inject.blades.kinds.gated import fit_gated
from ...inject.blades.kinds.low_rank import fit_low_rank
from ...inject.blades.kinds.projected import fit_projected
from ...inject.blades.kinds.transplant import transplant
from ...registry.lift import Lifted
from ..studies.answering import alone
from ..studies.choosing import chosen
from ..studies.ground import Ground
from ..studies.papers import Answering

SOURCE = "source"  # what the second model is to the target, whichever it is
HOW = Training(steps=40, rate=0.05)  # what gates want
DOSES = (0.1, 0.25, 0.5, 0.75, 1.0)
PLAIN, MAP = "none", "least_squares"


@dataclass(frozen=True, kw_only=True)
class Making:
    """`source_place` is where the source is read, the same name where it is None. `projection` is the map from its
    dimensions to the target's; kinds that must have one take the least squares where it is none. `gate`, `rank` and
    `training` mean something for kinds that are trained, `method` and `positions` for a direction.
    """

    name: str
    kind: str
    source_place: str | None = None
    gate: str = "input"
    projection: str = PLAIN
    rank: int = 4
    method: str = "mean"
    positions: str = "-1"
    training: Training = HOW

    def __post_init__(self) -> None:
        if self.kind not in _FITS:
            raise InputError(f"No {self.kind!r} is fitted.", f"Nearest: {nearest(self.kind, _FITS)}.")

    @classmethod
    def of(cls, blade: Blade) -> Making | None:
        """That of a blade; None where none can be made anew."""
        if blade.kind not in _FITS:
            return None
        said, reads = blade.settings, blade.source is not None
        return cls(
            name=blade.name,
            kind=blade.kind,
            source_place=blade.source_place or None,
            gate=str(said.get("gate", "input")),
            projection=str(said.get("projection", said.get("method", PLAIN) if reads else PLAIN)),
            rank=int(said.get("rank", 4)),
            method="mean" if reads else str(said.get("method", "mean")),
            positions=str(said.get("positions", "-1")),
            training=_training(blade.fit),
        )

    @property
    def is_trained(self) -> bool:
        return self.kind in TRAINED

    @property
    def reads_source(self) -> bool:
        return self.kind in WITH_SOURCE

    def at(self, place: str, ground: Ground) -> Blade:
        """Made of the ground's items. InputError without a source that it reads; other errors as of its kind."""
        if self.reads_source:
            source_of(ground)
        blade = _FITS[self.kind](self, place, ground)
        return blade if self.is_trained else self._dosed(blade, ground)

    def seeded(self, seed: int) -> Making:
        return replace(self, training=replace(self.training, seed=seed))

    def _dosed(self, blade: Blade, ground: Ground) -> Blade:
        several = ((one, answering(ground.target, one, ground.others.get(SOURCE))) for one in _doses(blade))
        return chosen(several, ground.target, ground.choose[ground.domain])


def answering(target: Lifted, blade: Blade, source: Lifted | None) -> Answering:
    """The target with the blade in force, on whatever source of the right width."""
    return alone(target, BladeEdit(blade.place, blade, blade.alpha, source if blade.source is not None else None))


def source_of(ground: Ground) -> Lifted:
    """InputError where there is none."""
    if SOURCE not in ground.others:
        raise InputError("This blade reads a second model, and none was given.", "Name it as the source.")
    return ground.others[SOURCE]


def sides(ground: Ground) -> tuple[list[Exercise], list[Exercise]]:
    """Items to fit on: those of the domain, and of the others together as many, in turns; none where there are none."""
    ours = list(ground.fit[ground.domain])
    others = [several for domain, several in ground.fit.items() if domain != ground.domain]
    in_turns = [one for turn in zip_longest(*others) for one in turn if one is not None]
    return ours, in_turns[: len(ours)]


def _training(fit: FitCard) -> Training:
    """The usual one for what was not trained."""
    return Training(steps=fit.steps, rate=fit.rate, batch=fit.batch, seed=fit.seed) if fit.steps else HOW


def _doses(blade: Blade) -> list[Blade]:
    return [replace(blade, alpha=dose) for dose in DOSES]


def _map(making: Making) -> str:
    return MAP if making.projection == PLAIN else making.projection


def _texts(ground: Ground) -> list[str]:
    return [one.text for side in sides(ground) for one in side]


def _direction(making: Making, place: str, ground: Ground) -> Blade:
    """From what stands before the answers of the others to what does in the domain."""
    ours, theirs = ([one.ways[0][0] for one in side] for side in sides(ground))
    if not theirs:
        raise InputError(
            f"A direction leads from other domains to {ground.domain!r}, and there is no other.",
            "Give items of two domains or more.",
        )
    how, positions = making.method, making.positions
    return fit_direction(making.name, ground.target, place, ours, theirs, how=how, positions=positions)


def _low_rank(making: Making, place: str, ground: Ground) -> Blade:
    lessons = ground.lessons()
    return fit_low_rank(making.name, ground.target, place, lessons, rank=making.rank, how=making.training)


def _transplant(making: Making, place: str, ground: Ground) -> Blade:
    return transplant(making.name, ground.target, place, source_of(ground), source_place=making.source_place)


def _gated(making: Making, place: str, ground: Ground) -> Blade:
    return fit_gated(
        making.name, ground.target, place, source_of(ground), ground.lessons(),
        source_place=making.source_place, gate=making.gate, projection=making.projection, how=making.training,
    )  # fmt: skip


def _projected(making: Making, place: str, ground: Ground) -> Blade:
    source, there = source_of(ground), making.source_place
    return fit_projected(
        making.name, ground.target, place, source, _texts(ground), source_place=there, how=_map(making)
    )


def _ffn_output(making: Making, place: str, ground: Ground) -> Blade:
    source, there = source_of(ground), making.source_place
    return fit_ffn_output(
        making.name, ground.target, place, source, _texts(ground), source_place=there, how=_map(making)
    )


_FITS: dict[str, Callable[[Making, str, Ground], Blade]] = {
    "direction": _direction,
    "low_rank": _low_rank,
    "transplant": _transplant,
    "gated": _gated,
    "projected": _projected,
    "ffn_output": _ffn_output,
}
TRAINED = ("low_rank", "gated")
WITH_SOURCE = ("transplant", "gated", "projected", "ffn_output")
