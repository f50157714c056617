"""Rule 4: a learned gate on another model's hidden states does more than those states put in as they are.

Both act after the layer that the rule names, the fourth from the end. The dose of the states as they are is the best of
five on validation, so what is chosen favours the other side.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property, lru_cache

from ...inject.blades.blade import Blade
from ...inject.blades.edit import BladeEdit, in_force
from ...inject.blades.fitting.training import Training
from ...inject.blades.kinds.gated import fit_gated
from ...inject.blades.kinds.low_rank import fit_low_rank
from ...inject.blades.kinds.transplant import transplant
from ...registry.lift import Lifted
from ..claim import Arm, Effort, Role
from ..measure import LOG_PROB
from ..proposal import Design, Proposal
from ..rules.beats import Beats
from ..studies.answering import alone, ensemble
from ..studies.best_merge import best_merge
from ..studies.choosing import chosen
from ..studies.course import Course, Run
from ..studies.ground import SIBLING, Ground, place_of
from ..studies.papers import Answering
from ..studies.placebos import Change, change_on, scrambled, silenced, twin

DOSES, RATE = (0.1, 0.25, 0.5, 0.75, 1.0), 0.05
GATED, BY_DIMENSION, IDENTITY, TARGET = "gated", "vector gate", "best identity", "target"
SHUFFLED, OF_SHUFFLED, SOURCE_FREE = "shuffled source", "fitted shuffled", "source-free gate"
SELF, SOURCE, ENSEMBLE, MERGE = "self-blade", "source", "logit ensemble", "weight merge"
ADAPTER, DIRECTION, NOISE = "equal adapter", "random direction", "noise"

ARMS = (
    Arm(TARGET, Role.NO_OP, "as it is"),
    Arm(SELF, Role.NO_OP, "the gate on a copy of the target"),
    Arm(GATED, Role.TREATMENT, "a gate that looks at both states of a token"),
    Arm(BY_DIMENSION, Role.TREATMENT, "a gate for each dimension, the same for all tokens"),
    Arm(IDENTITY, Role.BASELINE, "the source's states, mixed in by the dose that validation likes best"),
    Arm(SOURCE, Role.BASELINE, "the other model by itself"),
    Arm(ENSEMBLE, Role.BASELINE, "the mean of both models' logits, for the same two passes"),
    Arm(MERGE, Role.BASELINE, "a linear merge, its share chosen on validation, for one pass"),
    Arm(ADAPTER, Role.BASELINE, "a low-rank adapter of as many parameters, trained on the same items, for one pass"),
    Arm(SHUFFLED, Role.CONTROL, "the fitted gate, and a source that takes every token for another one"),
    Arm(OF_SHUFFLED, Role.CONTROL, "fitted and tried with that source"),
    Arm(SOURCE_FREE, Role.CONTROL, "fitted and tried with a source of zeros"),
    Arm(DIRECTION, Role.CONTROL, "as long as what the gate changes on the average token"),
    Arm(NOISE, Role.CONTROL, "drawn anew for every token, as long on the average"),
)


def _design(ground: Ground) -> Design:
    controls = (IDENTITY, SHUFFLED, OF_SHUFFLED, SOURCE_FREE)
    return Design(
        protocol=f"All act at {place_of(ground)}. The dose of the states as they are and the share of the merge are"
        " those that do best on items that neither fit nor test. Gates and adapter are trained on the same items.",
        arms=ARMS,
        rule=Beats(treatment=GATED, controls=controls, margin=0.1, measure=LOG_PROB),
    )


@dataclass(frozen=True, eq=False)
class _Fits:
    """What arms are made of: chosen once, or fitted once a seed."""

    ground: Ground
    steps: int

    @property
    def target(self) -> Lifted:
        return self.ground.target

    @property
    def source(self) -> Lifted:
        return self.ground.other(SIBLING)

    @property
    def place(self) -> str:
        return place_of(self.ground)

    @cached_property
    def identity(self) -> Blade:
        several = [transplant(IDENTITY, self.target, self.place, self.source, alpha=dose) for dose in DOSES]
        asked = [(one, self.with_blade(one, self.source)) for one in several]
        return chosen(asked, self.target, self.ground.choose[self.ground.domain])

    def gate(self, source: Lifted, seed: int, gate: str = "input") -> Blade:
        lessons, how = self.ground.lessons(), Training(steps=self.steps, rate=RATE, seed=seed)
        return fit_gated(GATED, self.target, self.place, source, lessons, gate=gate, how=how)

    def adapter(self, seed: int) -> Blade:
        """A matrix down to one dimension, its bias and one back: 2 · dim + 1 numbers, as the gate has."""
        lessons, how = self.ground.lessons(), Training(steps=self.steps, rate=RATE, seed=seed)
        return fit_low_rank("adapter", self.target, self.place, lessons, rank=1, how=how)

    def change(self, blade: Blade) -> Change:
        """What the blade does to items to choose by."""
        return change_on(self.ground, in_force(blade, source=self.source))

    def with_blade(self, blade: Blade, source: Lifted | None = None) -> Answering:
        """Whatever source it was made from."""
        return alone(self.target, BladeEdit(blade.place, blade, blade.alpha, source))


def _study(ground: Ground, effort: Effort) -> Course:
    fits = _Fits(ground, effort.steps)
    target, source = fits.target, fits.source
    gate = cache(lambda seed: fits.gate(source, seed))
    shuffled = lru_cache(1)(lambda seed: scrambled(source, seed))  # a whole model
    change = cache(lambda seed: fits.change(gate(seed)))
    silent = silenced(source)
    return Course(
        ground,
        [
            Run(TARGET, lambda seed: alone(target)),
            Run(SELF, lambda seed: fits.with_blade(gate(seed), twin(target)), is_drawn=True),
            Run(GATED, lambda seed: fits.with_blade(gate(seed), source), is_drawn=True),
            Run(BY_DIMENSION, lambda seed: fits.with_blade(fits.gate(source, seed, "vector"), source), is_drawn=True),
            Run(IDENTITY, lambda seed: fits.with_blade(fits.identity, source)),
            Run(SOURCE, lambda seed: alone(source)),
            Run(ENSEMBLE, lambda seed: ensemble([target, source])),
            Run(MERGE, lambda seed: alone(best_merge(ground, source))),
            Run(ADAPTER, lambda seed: fits.with_blade(fits.adapter(seed)), is_drawn=True),
            Run(SHUFFLED, lambda seed: fits.with_blade(gate(seed), shuffled(seed)), is_drawn=True),
            Run(OF_SHUFFLED, lambda seed: _on(fits, shuffled(seed), seed), is_drawn=True),
            Run(SOURCE_FREE, lambda seed: _on(fits, silent, seed), is_drawn=True),
            Run(DIRECTION, lambda seed: alone(target, change(seed).direction(seed)), is_drawn=True),
            Run(NOISE, lambda seed: alone(target, change(seed).noise(seed)), is_drawn=True),
        ],
    )


def _on(fits: _Fits, source: Lifted, seed: int) -> Answering:
    """A gate that is fitted and tried with one source."""
    return fits.with_blade(fits.gate(source, seed), source)


GATED_OVER_IDENTITY = Proposal(
    key="gated-over-identity",
    statement="A learned gate between two models' hidden states does more than the source's states as they are.",
    source="Model Garage, rules of blade injection, 4: gated over identity, +8.9 points",
    design=_design,
    study=_study,
    needs=(SIBLING,),
)
