"""Rule 7: an ffn that is cut to a fifteenth of its neurons by magnitude keeps what it does.

14336 to 960 are widths of neurons, so the same share is kept here. To keep a function is two things: the answers stay
as good as with the whole ffn, and they are better than by any other cut of the size; without the second, the ffn may
just not have mattered. So a cut that keeps nothing stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from ...analyze.pathways.keeping import counted, kept, masks
from ...core.stats import exact
from ...errors import UnsupportedModelError
from ...extract.cut import orientation
from ...inject.ablate import Ablate
from ...inject.edit import Edit
from ...inject.edits import Through
from ...registry.lift import Lifted
from ..claim import Arm, Effort, Role
from ..measure import LOG_PROB
from ..proposal import Design, Proposal
from ..rules.moves_without import MovesWithout
from ..studies.answering import alone
from ..studies.course import Course, Run
from ..studies.ground import Ground, place_of
from ..studies.neurons import Neurons, Scores
from ..studies.papers import Reading
from ..studies.strayed import divergence, relative_error

CLAIMED, KEEPS = 960 / 14336, (960 / 14336, 0.25, 0.5)
WHOLE, ALL_KEPT, NOTHING = "whole ffn", "mask that keeps all", "no ffn"
MAGNITUDE, ACTIVITY, RANK, RANDOM = "|a| · norm", "|a|", "rank", "random"
SAID = {
    MAGNITUDE: "largest mean |a| times the norm of the neuron's column",
    ACTIVITY: "largest mean |a|",
    RANK: "the last matrix at that rank, by its singular values; all neurons are computed",
    RANDOM: "drawn",
}
ROLES = {MAGNITUDE: Role.TREATMENT, ACTIVITY: Role.TREATMENT, RANK: Role.BASELINE, RANDOM: Role.CONTROL}


def cut(way: str, keep: float) -> str:
    return f"{way}, {100 * keep:.1f} %"


def ffn_of(ground: Ground) -> str:
    """Of the layer that the rules name."""
    return place_of(ground).replace("layer", "ffn")


def _design(ground: Ground) -> Design:
    part = ffn_of(ground)
    count, width = len(Neurons(ground).reaches[part]), ground.target.spec.hidden_dim
    sizes = ", ".join(f"{counted(count, keep)} of {count}" for keep in KEEPS)
    return Design(
        protocol=f"{part} alone is cut, to {sizes} neurons, chosen on items to fit on of {ground.domain}; those that go"
        f" are 0. A rank of {width} or more is the whole last matrix. Relative error is that of what leaves {part}.",
        arms=(
            Arm(WHOLE, Role.NO_OP, "nothing is cut"),
            Arm(ALL_KEPT, Role.NO_OP, "the same edit, and no neuron goes"),
            *(Arm(cut(way, keep), ROLES[way], about) for keep in KEEPS for way, about in SAID.items()),
            Arm(NOTHING, Role.CONTROL, "zeros in place of what the ffn adds"),
        ),
        rule=MovesWithout(
            treatment=cut(MAGNITUDE, CLAIMED),
            controls=(cut(RANDOM, CLAIMED), cut(RANK, CLAIMED), NOTHING),
            untouched=WHOLE,
            moved=LOG_PROB,
            moved_margin=0.1,
            margin=0.05,
        ),
    )


def _study(ground: Ground, effort: Effort) -> Course:
    target, part, neurons = ground.target, ffn_of(ground), Neurons(ground)
    run = partial(_run, target, part)

    def masked(scores: Scores, keep: float) -> list[Edit]:
        return [*masks(kept({part: scores[part]}, keep), {})]

    by: Mapping[str, Callable[[float, int], list[Edit]]] = {
        MAGNITUDE: lambda keep, seed: masked(neurons.products(ground.domain), keep),
        ACTIVITY: lambda keep, seed: masked(neurons.sizes(ground.domain), keep),
        RANK: lambda keep, seed: [low_rank(target, part, counted(len(neurons.reaches[part]), keep))],
        RANDOM: lambda keep, seed: masked(neurons.drawn(seed), keep),
    }
    return Course(
        ground,
        [
            run(WHOLE, lambda seed: []),
            run(ALL_KEPT, lambda seed: masked(neurons.reaches, 1.0)),
            *(run(cut(way, keep), partial(by[way], keep), way == RANDOM) for keep in KEEPS for way in SAID),
            run(NOTHING, lambda seed: [Ablate(part)]),
        ],
    )


def _run(target: Lifted, part: str, arm: str, edits: Callable[[int], Sequence[Edit]], is_drawn: bool = False) -> Run:
    def readings(seed: int) -> Mapping[str, Reading]:
        made = edits(seed)
        return {"relative_error": relative_error(target, part, *made), "kl": divergence(target, *made)}

    return Run(arm, lambda seed: alone(target, *edits(seed)), is_drawn, readings)


def low_rank(target: Lifted, part: str, rank: int) -> Edit:
    """What the ffn adds with its last matrix at this rank, its bias as it is. UnsupportedModelError without a matrix.

    The best matrix of the rank is U Uᵀ W, so what leaves W is projected onto the first left singular vectors.
    """
    last = target.model.get_submodule(str(target.spec.parts[part].extra_info["projection"]))
    weight = getattr(last, "weight", None)
    if not isinstance(weight, Tensor) or weight.ndim != 2:
        raise UnsupportedModelError(f"The last projection of {part} is no plain matrix.", "Take another model.")
    vectors = torch.linalg.svd(exact(weight.detach()).movedim(orientation(last), 0)).U[:, :rank]
    bias = getattr(last, "bias", None)
    shift = torch.zeros(len(vectors)) if bias is None else bias.detach()

    def projected(hidden: Tensor) -> Tensor:
        onto, apart = vectors.to(hidden), shift.to(hidden)
        found: Tensor = (hidden - apart) @ onto @ onto.T + apart
        return found

    return Through(part, projected)


PROJECTED_FFN = Proposal(
    key="projected-ffn",
    statement="An ffn cut to a fifteenth of its neurons by magnitude keeps its function.",
    source="Model Garage, rules of blade injection, 7: FFN projection, 14336 to 960",
    design=_design,
    study=_study,
    quick=Effort(200),
    full=Effort(400),
)
