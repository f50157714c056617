"""Rule 2: hidden states go over from one model to another where both are as wide.

That they cannot go over as they are where widths differ is arithmetic. What can be tried is the other half: that width
is enough. A model from another random start has as many dimensions, and no reason to use them alike: if its states as
they are do no more than the same states in random directions, width is not what carries them. A copy of the target that
was trained further is the positive control: what goes over from it shows that the setup can tell. A stranger need not
know more than the target (its own accuracy is that of the source), but the copy does, and its states after a rotation
are what a model that can all it can would have, with other axes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ...inject.blades.edit import BladeEdit
from ...inject.blades.kinds.projected import fit_projected
from ...registry.lift import Lifted
from ..claim import Arm, Effort, Role
from ..measure import LOG_PROB
from ..proposal import Design, Proposal
from ..rules.beats import Beats
from ..studies.answering import alone
from ..studies.choosing import chosen
from ..studies.course import Course, Run
from ..studies.ground import OTHER_CLASS, SIBLING, STRANGER, Ground, fourth_last, place_of
from ..studies.mixing import mixed_in
from ..studies.placebos import turned
from ..studies.usual import TARGET, USUAL, usual

DOSES, MARGIN = (0.1, 0.25, 0.5, 1.0), 0.1
AS_IT_IS, TURNED = "stranger as it is", "stranger turned"
OTHER, OTHER_TURNED = "other architecture as it is", "other architecture turned"
KIN, KIN_TURNED = "sibling as it is", "sibling turned"
ROTATED, FITTED = "stranger, best rotation", "stranger, affine map"

ARMS = (
    *USUAL,
    Arm(AS_IT_IS, Role.TREATMENT, "states of a model of the same width from another random start"),
    Arm(OTHER, Role.TREATMENT, "states of a model of another architecture and the same width"),
    Arm(TURNED, Role.CONTROL, "the same, after a random rotation"),
    Arm(OTHER_TURNED, Role.CONTROL, "the same, after a random rotation"),
    Arm(KIN, Role.BASELINE, "states of a copy that was trained further: the positive control"),
    Arm(KIN_TURNED, Role.CONTROL, "the same, after a random rotation"),
    Arm(ROTATED, Role.BASELINE, "the stranger's, after the rotation that fits best (Procrustes)"),
    Arm(FITTED, Role.BASELINE, "the stranger's, after an affine map by ridge regression"),
)


def _design(ground: Ground) -> Design:
    return Design(
        protocol=f"States of the fourth layer from the end go to {place_of(ground)}. The dose of every source is the"
        " one of four that does best on items that neither fit nor test; turned states have the dose of those as they"
        " are, and a new rotation under every seed. Maps are fitted on every token of the items to fit on.",
        arms=ARMS,
        rule=Beats(treatment=AS_IT_IS, controls=(TURNED, TARGET), margin=MARGIN, measure=LOG_PROB),
    )


@dataclass(frozen=True, eq=False)
class _Mixed:
    """One source, at the dose that validation likes best."""

    ground: Ground
    role: str

    @property
    def source(self) -> Lifted:
        return self.ground.other(self.role)

    @cached_property
    def edit(self) -> BladeEdit:
        return self._best([self.of(self.source, dose) for dose in DOSES])

    def of(self, source: Lifted, dose: float) -> BladeEdit:
        there = fourth_last(self.source)
        return mixed_in(self.ground.target, place_of(self.ground), source, dose, source_place=there)

    def mapped(self, how: str) -> BladeEdit:
        """InputError and EditError as of `fit_projected`: too few tokens for so many dimensions."""
        target, place, there = self.ground.target, place_of(self.ground), fourth_last(self.source)
        texts = [text for domain in self.ground.fit for text in self.ground.lessons(domain).texts]
        blade = fit_projected(how, target, place, self.source, texts, source_place=there, how=how)
        return self._best([BladeEdit(blade.place, blade, dose, self.source) for dose in DOSES])

    def _best(self, several: list[BladeEdit]) -> BladeEdit:
        ground = self.ground
        asked = ((one, alone(ground.target, one)) for one in several)
        return chosen(asked, ground.target, ground.choose[ground.domain])


def _study(ground: Ground, effort: Effort) -> Course:
    target = ground.target
    stranger, other, kin = (_Mixed(ground, role) for role in (STRANGER, OTHER_CLASS, SIBLING))
    runs = usual(ground, [stranger.source], lambda made: [stranger.of(made(stranger.source), stranger.edit.alpha)])
    return Course(
        ground,
        [
            *runs,
            Run(AS_IT_IS, lambda seed: alone(target, stranger.edit)),
            Run(OTHER, lambda seed: alone(target, other.edit)),
            Run(TURNED, lambda seed: alone(target, turned(stranger.edit, seed)), is_drawn=True),
            Run(OTHER_TURNED, lambda seed: alone(target, turned(other.edit, seed)), is_drawn=True),
            Run(KIN, lambda seed: alone(target, kin.edit)),
            Run(KIN_TURNED, lambda seed: alone(target, turned(kin.edit, seed)), is_drawn=True),
            Run(ROTATED, lambda seed: alone(target, stranger.mapped("procrustes"))),
            Run(FITTED, lambda seed: alone(target, stranger.mapped("least_squares"))),
        ],
    )


SAME_DIMENSION = Proposal(
    key="same-dimension",
    statement="Hidden states of another model go over directly where both are as wide.",
    source="Model Garage, rules of blade injection, 2: same hidden dimension for direct transfer",
    design=_design,
    study=_study,
    needs=(STRANGER, OTHER_CLASS, SIBLING),
)
