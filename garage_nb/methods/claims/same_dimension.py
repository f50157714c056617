"""Rule 2: hidden states go over from one model to another where both are as wide.

That they cannot go over as they are where widths differ is arithmetic. What can be tried is the other half: that width
is enough. A model from another random start has as many dimensions, and no reason to use them alike: if its states as
they are leave no more than the same states in random directions do, width is not what carries them. It is asked of what
the target can answer, so that there is something to lose, and by answers: where it is at its floor, any change may make
a wrong answer a little less unlikely.

A copy of the target that was trained further is the witness: where its states leave no more than turned ones do, the
dose or the items tell nothing. The dose is a half: with a whole one hardly any state leaves an answer, and with a tenth
all do. It was chosen by a look at a hundred of the showroom's items, and so was the margin, about a sixth of what the
copy keeps over its turned self.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...inject.blades.edit import BladeEdit
from ...inject.blades.kinds.projected import fit_projected
from ...registry.lift import Lifted
from ..claim import Arm, Effort, Role
from ..measure import ACCURACY
from ..proposal import Design, Proposal
from ..rules.beats import Beats
from ..studies.answering import alone
from ..studies.course import Course, Run
from ..studies.ground import COPY, OTHER_CLASS, STRANGER, Ground, fourth_last, place_of
from ..studies.mixing import mixed_in
from ..studies.placebos import turned
from ..studies.usual import USUAL, usual

DOSE, MARGIN = 0.5, 0.1
SOURCES = {STRANGER: Role.TREATMENT, OTHER_CLASS: Role.TREATMENT, COPY: Role.BASELINE}
MAPS = {"procrustes": "stranger, best rotation", "least_squares": "stranger, affine map"}
SAID = {
    STRANGER: "states of a model of the same width from another random start",
    OTHER_CLASS: "states of a model of another architecture and the same width",
    COPY: "states of a copy that was trained further: the positive control",
    "procrustes": "the stranger's, after the rotation that fits best (Procrustes)",
    "least_squares": "the stranger's, after an affine map by ridge regression",
}


def as_it_is(role: str) -> str:
    return f"{role} as it is"


def turned_about(role: str) -> str:
    return f"{role} turned"


def whole(role: str) -> str:
    return f"{role}, whole dose"


def _arms() -> Iterator[Arm]:
    yield from USUAL
    for role, kind in SOURCES.items():
        yield Arm(as_it_is(role), kind, SAID[role])
        yield Arm(turned_about(role), Role.CONTROL, "the same, after a random rotation")
        yield Arm(whole(role), Role.BASELINE, "nothing of the target's own states is left")
    yield from (Arm(name, Role.BASELINE, SAID[how]) for how, name in MAPS.items())


def _design(ground: Ground) -> Design:
    return Design(
        protocol=f"{DOSE:.0%} of the target's states at {place_of(ground)} gives way to those of the source's fourth"
        " layer from the end; turned states have a new rotation under every seed. Maps are fitted on every token of the"
        " items to fit on.",
        arms=tuple(_arms()),
        rule=Beats(
            treatment=as_it_is(STRANGER),
            controls=(turned_about(STRANGER),),
            margin=MARGIN,
            measure=ACCURACY,
            witness=(as_it_is(COPY), turned_about(COPY)),
        ),
    )


@dataclass(frozen=True, eq=False)
class _Going:
    """One source's states on their way to the target."""

    ground: Ground
    role: str

    @property
    def source(self) -> Lifted:
        return self.ground.other(self.role)

    def edit(self, dose: float = DOSE, source: Lifted | None = None) -> BladeEdit:
        there = fourth_last(self.source)
        return mixed_in(self.ground.target, place_of(self.ground), source or self.source, dose, source_place=there)

    def mapped(self, how: str) -> BladeEdit:
        """InputError and EditError as of `fit_projected`: too few tokens for so many dimensions."""
        target, place, there = self.ground.target, place_of(self.ground), fourth_last(self.source)
        texts = [text for domain in self.ground.fit for text in self.ground.lessons(domain).texts]
        blade = fit_projected(how, target, place, self.source, texts, source_place=there, how=how)
        return BladeEdit(blade.place, blade, DOSE, self.source)

    def runs(self) -> Iterator[Run]:
        target = self.ground.target
        yield Run(as_it_is(self.role), lambda seed: alone(target, self.edit()))
        yield Run(turned_about(self.role), lambda seed: alone(target, turned(self.edit(), seed)), is_drawn=True)
        yield Run(whole(self.role), lambda seed: alone(target, self.edit(1.0)))


def _study(ground: Ground, effort: Effort) -> Course:
    target, stranger = ground.target, _Going(ground, STRANGER)
    runs = usual(ground, [stranger.source], lambda made: [stranger.edit(source=made(stranger.source))])
    return Course(
        ground,
        [
            *runs,
            *(run for role in SOURCES for run in _Going(ground, role).runs()),
            Run(MAPS["procrustes"], lambda seed: alone(target, stranger.mapped("procrustes"))),
            Run(MAPS["least_squares"], lambda seed: alone(target, stranger.mapped("least_squares"))),
        ],
    )


SAME_DIMENSION = Proposal(
    key="same-dimension",
    statement="Hidden states of another model go over directly where both are as wide.",
    source="Model Garage, rules of blade injection, 2: same hidden dimension for direct transfer",
    design=_design,
    study=_study,
    needs=(STRANGER, OTHER_CLASS, COPY),
    full=Effort(400, seeds=20),  # rotations differ more than items do
)
