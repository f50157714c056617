"""Together: all claims that can be tried on what there is, and why the others cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..errors import REFUSALS, InputError
from .proposal import Proposal
from .studies.ground import Ground
from .trial import Trial
from .trials import Trials


def tried_together(
    proposals: Iterable[Proposal], ground_for: Callable[[tuple[str, ...]], Ground], *, full: bool = False, seed: int = 0
) -> Trials:
    """Each on the ground for the models it needs. What is refused, before its run or in it, is left out with the reason
    and takes no other with it. InputError where none could be tried; other errors as of `Proposal.tried`.
    """
    trials: list[Trial] = []
    left_out: dict[str, str] = {}
    for one in proposals:
        try:
            trials.append(one.tried(ground_for(one.needs), full=full, seed=seed))
        except REFUSALS as error:
            left_out[one.key] = error.what
    if not trials:
        key, why = next(iter(left_out.items()))
        raise InputError(f"None of {len(left_out)} claims can be tried on this; {key}: {why}", "Try one by its name.")
    return Trials.of(trials, left_out)
