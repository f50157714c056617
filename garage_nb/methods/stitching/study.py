"""The study: every part of one model at every place of another, and the controls that stand beside it.

"Model stitching": Lenc & Vedaldi, "Understanding Image Representations by Measuring Their Equivariance and
Equivalence", 2015; Bansal et al., "Revisiting Model Stitching to Compare Neural Representations", 2021.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ...analyze.judging.lineup import apart
from ...analyze.judging.paper import Marks, Paper, paper
from ...analyze.judging.questions import Given
from ...analyze.texts.domains import Domains
from ...compose.graft import Adapter
from ...compose.layout.donors import opened
from ...core.batch import Prompt
from ...core.progress import progress
from ...core.singly import singly
from ...errors import (
    BuildError,
    EditError,
    HookError,
    InputError,
    NotFiniteError,
    UnavailablePartError,
    UnknownPartError,
)
from ...inject.recipe import Recipe
from ...registry.lift import Lifted
from ...registry.selecting import Selector
from .cells import Cells, Pair, Variant
from .matrix import StitchingMatrix
from .places import places_of

_REFUSALS = (BuildError, UnknownPartError, UnavailablePartError, EditError, HookError, NotFiniteError)


def stitching(
    host: Lifted,
    guest: Lifted,
    recipe: Recipe,
    parts: Selector = "layer_*",
    *,
    adapter: Adapter = "none",
    texts: Prompt | Domains | None = None,
    exercises: Given | None = None,
    fitted_on: Sequence[str] = (),
    seed: int = 0,
) -> StitchingMatrix:
    """Parts of the guest in the places of the host, one at a time, with the recipe in force in all of them.

    The guest may be the host itself: then parts change their places within one model. Adapters are fitted by least
    squares on `fitted_on`, of which none may be among the texts, or be an item with its answer. A pair that does not
    fit is n/a, with its reason; BuildError when all are. `seed` draws the random weights and the bootstrap.
    """
    if said := apart(host, guest):
        raise InputError(f"{guest.spec.model_id} reads other tokens: {said}.", "Stitch models of one tokenizer.")
    names, places = places_of(guest.spec, parts), places_of(host.spec, parts)
    asked = paper(host, texts, exercises)
    if adapter == "fit":
        _demand_others(host, asked, fitted_on)
    base = opened("host", host)
    donor = base if guest is host else opened("guest", guest)
    cells = Cells(base=base, guest=donor, recipe=recipe, adapter=adapter, fitted_on=fitted_on, seed=seed)
    untouched = asked.marks(host.model, cells.usual)
    marks, reasons = _marked(asked, dict(cells.all(names, places)))
    if not any(name in names for name, _ in marks):
        why = next(reason for (name, _), reason in reasons.items() if name in names)
        hint = "Try --adapter fit, or a model of that kind." if adapter == "none" else "Try a model of that kind."
        raise BuildError(f"No part of {guest.spec.model_id} fits in {host.spec.model_id}. {why}", hint)
    return StitchingMatrix(
        model_id=host.spec.model_id,
        guest_id=guest.spec.model_id,
        names=tuple(names),
        places=tuple(places),
        adapter=adapter,
        edits=len(recipe),
        paper=asked,
        untouched=untouched,
        marks=marks,
        reasons=reasons,
        seed=seed,
    )


def _marked(asked: Paper, cells: Mapping[Pair, Callable[[], Variant]]) -> tuple[dict[Pair, Marks], dict[Pair, str]]:
    """What each cell got, or why there is none."""
    marks: dict[Pair, Marks] = {}
    reasons: dict[Pair, str] = {}
    with progress("stitching", "pair", len(cells)) as bar:
        for pair, put_together in cells.items():
            try:
                marks[pair] = asked.marks(*put_together())
            except _REFUSALS as error:
                reasons[pair] = error.what
            bar.update()
    return marks, reasons


def _demand_others(host: Lifted, asked: Paper, fitted_on: Sequence[str]) -> None:
    """An adapter that was fitted on a text knows it."""
    if not fitted_on:
        raise InputError("There are no texts to fit adapters on.", "Give some: --fitted @texts.")
    read = {tuple(one.input_ids[0].tolist()) for one in singly(list(fitted_on), host.model, host.tokenizer)}
    for said, known in ((f"of {len(asked.read)} texts", asked.read), ("items with an answer", _answered(asked))):
        if both := read & known:
            raise InputError(
                f"{len(both)} {said} are among those that adapters are fitted on.",
                "Fit on other texts: --fitted @texts.",
            )


def _answered(asked: Paper) -> set[tuple[int, ...]]:
    """Every item with each right answer, as token ids."""
    rows = ((ids, mask) for sheet in asked.items for ids, mask in zip(sheet.ids, sheet.mask.bool(), strict=True))
    return {tuple(ids[mask].tolist()) for ids, mask in rows}
