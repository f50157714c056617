"""Diagnosing: one section after the other, each by the analysis of that name; nothing of the model is changed."""

from __future__ import annotations

from collections.abc import Sequence

from ...analyze.judging.exercise import Exercise
from ...analyze.texts.domains import Domains
from ...core.batch import Prompt
from ...core.cancel import cancel_in_force
from ...core.progress import progress
from ...core.versions import made_with
from ...inject.recipe import Recipe
from ...registry.lift import Lifted
from .case import FULL, QUICK, Case, case
from .chapters.order import CHAPTERS
from .diagnosis import Diagnosis
from .section import Section, read


def diagnose(
    lifted: Lifted,
    recipe: Recipe,
    texts: Prompt | Domains | None = None,
    exercises: Sequence[Exercise] = (),
    *,
    quick: bool = False,
    seed: int = 0,
) -> Diagnosis:
    """By `texts`, by domain or not, and by `exercises` where there are some; by random ids where there are no texts.

    `quick` reads fewer of them and draws less often. The same seed gives the same report but for its times.
    InputError for texts that the model cannot read, CancelledError; a section that fails says so in its place.
    """
    asked = case(lifted, recipe, texts, exercises, QUICK if quick else FULL, seed)
    return Diagnosis(
        model_id=lifted.spec.model_id, seed=seed, about=_about(asked, quick), sections=tuple(_sections(asked))
    )


def _sections(asked: Case) -> list[Section]:
    found = []
    with progress("diagnosing", "section", len(CHAPTERS)) as bar:
        for chapter in CHAPTERS:
            cancel = cancel_in_force()
            if cancel is not None:
                cancel.demand_not_asked()
            found.append(read(chapter, asked))
            bar.update()
    return found


def _about(asked: Case, quick: bool) -> dict[str, str]:
    return {
        "made with": f"garage_nb {made_with()['garage_nb']}",
        "weights": asked.lifted.baseline.at_rest.digest,
        "read by": asked.counted,
        "mode": "quick" if quick else "full",
        "seed": str(asked.seed),
        "in force": str(asked.recipe),
    }
