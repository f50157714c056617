"""Sparse pathways: the neurons that are largest on a domain answer its items better than as many others do.

Three claims, at a half, 30 % and 15 % of the neurons of every ffn. The masks are chosen on items that do not test, and
are the same for every token; the contextual choice beside them looks at each token first, and is the ceiling.

What was also claimed, that specialisation grows with a model's size (r = .999 over three models), is not tried: it
takes a series of models of very different sizes, and the embedded ones are all of about a million parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from ...analyze.pathways.effects import Fills
from ...analyze.pathways.keeping import counted, kept, masks
from ...analyze.sparsity.thinning import smallest
from ...errors import InputError
from ...inject.edit import Edit
from ...inject.edits import Through
from ...inject.mask import Mask
from ..claim import Arm, Effort, Role
from ..proposal import Design, Proposal
from ..rules.beats import Beats
from ..studies.answering import alone
from ..studies.course import Course, Run
from ..studies.ground import Ground
from ..studies.neurons import Neurons, Scores

DENSE, ALL_KEPT, OWN, OWN_MEANS = "all neurons", "mask that keeps all", "own domain", "own domain, means"
GLOBAL, OTHER, RANDOM, RANDOM_MEANS = "all domains", "other domain", "random", "random, means"
COLUMNS, CONTEXTUAL = "largest columns", "largest of each token"
ZEROS: Fills = {}

ARMS = (
    Arm(DENSE, Role.NO_OP, "nothing is masked"),
    Arm(ALL_KEPT, Role.NO_OP, "the same edit, and no neuron goes"),
    Arm(OWN, Role.TREATMENT, "largest mean |a| on the domain; the others are 0"),
    Arm(OWN_MEANS, Role.TREATMENT, "the same neurons; the others are what they are on the average token"),
    Arm(GLOBAL, Role.BASELINE, "largest mean |a| on all domains alike"),
    Arm(COLUMNS, Role.BASELINE, "largest columns of the last matrix: no item is read"),
    Arm(CONTEXTUAL, Role.BASELINE, "largest |a| of each token by itself, known only after all were computed"),
    Arm(OTHER, Role.CONTROL, "largest mean |a| on another domain"),
    Arm(RANDOM, Role.CONTROL, "drawn"),
    Arm(RANDOM_MEANS, Role.CONTROL, "the same neurons as drawn; the others are what they are on the average token"),
)


def _design(keep: float, ground: Ground) -> Design:
    if not ground.other_domain:
        raise InputError("There is one domain, and no other to choose neurons by.", "Give items of two domains.")
    if not ground.fit.get(ground.other_domain):
        raise InputError(f"There are no items of {ground.other_domain!r} to fit on.", "Give more items of it.")
    return Design(
        protocol=f"{100 * keep:.0f} % of the neurons of every ffn stay, the same ones for all tokens, chosen on items"
        f" to fit on of {ground.domain}, of {ground.other_domain}, or of all domains. Neurons that go are 0, or their"
        " mean over tokens. That nothing is lost is not claimed: the arm of all neurons says what is. Masking is"
        " arithmetic here and saves no time.",
        arms=ARMS,
        rule=Beats(treatment=OWN, controls=(RANDOM, OTHER, GLOBAL), margin=0.05),
    )


def _study(keep: float, ground: Ground, effort: Effort) -> Course:
    neurons, target = Neurons(ground), ground.target

    def masked(scores: Scores, fills: Fills = ZEROS) -> list[Mask]:
        return masks(kept(scores, keep), fills)

    fixed: Mapping[str, Callable[[], list[Mask]]] = {
        ALL_KEPT: lambda: masks(kept(neurons.reaches, 1.0), ZEROS),
        OWN: lambda: masked(neurons.sizes(ground.domain)),
        OWN_MEANS: lambda: masked(neurons.sizes(ground.domain), neurons.means),
        GLOBAL: lambda: masked(neurons.sizes()),
        COLUMNS: lambda: masked(neurons.reaches),
        OTHER: lambda: masked(neurons.sizes(ground.other_domain)),
    }
    return Course(
        ground,
        [
            Run(DENSE, lambda seed: alone(target)),
            *(Run(arm, lambda seed, edits=edits: alone(target, *edits())) for arm, edits in fixed.items()),  # type: ignore[misc]
            Run(CONTEXTUAL, lambda seed: alone(target, *_by_token(neurons, keep))),
            Run(RANDOM, lambda seed: alone(target, *masked(neurons.drawn(seed))), is_drawn=True),
            Run(RANDOM_MEANS, lambda seed: alone(target, *masked(neurons.drawn(seed), neurons.means)), is_drawn=True),
        ],
    )


def _by_token(neurons: Neurons, keep: float) -> list[Edit]:
    return [_largest(name, len(one), keep) for name, one in neurons.reaches.items()]


def _largest(part: str, count: int, keep: float) -> Edit:
    """As many as a mask keeps."""
    return Through(f"{part}.neurons", partial(smallest, share=1 - counted(count, keep) / count))


def _proposal(keep: float) -> Proposal:
    return Proposal(
        key=f"sparse-pathways-{100 * keep:.0f}",
        statement=f"With {100 * keep:.0f} % of the neurons, a domain's own do better on it than as many others.",
        source="Model Garage, sparse pathways: skipping neurons that a domain does not use",
        design=partial(_design, keep),
        study=partial(_study, keep),
        quick=Effort(200),
        full=Effort(400),
    )


SPARSE_PATHWAYS = tuple(map(_proposal, (0.5, 0.3, 0.15)))
