"""Sweeping: one blade is made at each of several places, and all are read on the items to choose by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ...analyze.judging.exercise import Exercise
from ...core.cancel import cancel_in_force, cancellable
from ...core.progress import progress
from ...errors import InputError
from ...inject.blades.blade import Blade
from ..outcomes import Item, Outcomes
from ..studies.answering import alone
from ..studies.ground import Ground
from ..studies.papers import Papers
from .making import SOURCE, Making, answering
from .place_sweep import TARGET, PlaceSweep

OTHERS = 20  # items of each domain that should stay as it is
DEEPEST = 32  # places of a sweep that nobody named; of a deeper model they are spread over it


def sweep_places(fit: Callable[[str], Blade], ground: Ground, places: Sequence[str], *, seed: int = 0) -> PlaceSweep:
    """`fit` makes the blade at a place. The untouched target is read too. InputError without a place, or for one that
    comes twice; CancelledError between two of them.
    """
    if not places:
        raise InputError("There is no place to try.", "Name one or more: layer_0, layer_1.")
    asked = list(_asked(ground))
    papers, blades = Papers.of(ground.target, [one for _, one in asked]), list[Blade]()
    marks = {TARGET: papers.marked(alone(ground.target))}
    with cancellable(cancel_in_force()) as cancel, progress("trying places", "place", len(places)) as bar:
        for place in places:
            cancel.demand_not_asked()
            blade = fit(place)
            if blade.place in marks:
                raise InputError(f"{blade.place} is named twice.", "Name every place once.")
            marks[blade.place] = papers.marked(answering(ground.target, blade, ground.others.get(SOURCE)))
            blades.append(blade)
            bar.update()
    items = [Item(domain, f"{place}: {one.text}") for place, (domain, one) in enumerate(asked)]
    outcomes = Outcomes.of("place", ground.model_id, items, {seed: marks})
    return PlaceSweep(blades=tuple(blades), outcomes=outcomes, domain=ground.domain, seed=seed)


def swept(making: Making, ground: Ground) -> PlaceSweep:
    """Over every layer, or ffn, that both models have, counted from the end."""
    places, seed = places_of(making, ground), making.training.seed
    return sweep_places(lambda place: making.at(place, ground), ground, places, seed=seed)


def places_of(making: Making, ground: Ground) -> list[str]:
    """From input to output."""
    models = [ground.target, *([ground.others[SOURCE]] if making.reads_source and SOURCE in ground.others else [])]
    depth = min(one.spec.num_layers for one in models)
    step = -(-depth // DEEPEST)
    return [f"{kind_of_place(making.kind)}_{back}" for back in range(-1, -depth - 1, -step)][::-1]


def first_place(making: Making, ground: Ground) -> str:
    """Where a blade begins: the fourth from the end, which the rules of the field name; the first of fewer."""
    return f"{kind_of_place(making.kind)}_{-min(4, len(places_of(making, ground)))}"


def kind_of_place(kind: str) -> str:
    return "ffn" if kind == "ffn_output" else "layer"


def _asked(ground: Ground) -> Iterator[tuple[str, Exercise]]:
    for domain in dict.fromkeys([ground.domain, *ground.choose]):
        several = ground.choose[domain]
        for one in several if domain == ground.domain else several[:OTHERS]:
            yield domain, one
