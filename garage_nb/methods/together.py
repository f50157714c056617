"""Together: all claims that can be tried on what there is, and why the others cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..errors import REFUSALS, EngineError, InputError
from .proposal import Proposal
from .trial import Trial
from .trials import Trials


def tried_together(proposals: Iterable[Proposal], tried: Callable[[Proposal], Trial]) -> Trials:
    """What is refused, before its run or in it, or failed on a worker, is left out with the reason and takes no other
    with it. InputError where none could be tried; other errors as of `tried`.
    """
    trials: list[Trial] = []
    left_out: dict[str, str] = {}
    for one in proposals:
        try:
            trials.append(tried(one))
        except (*REFUSALS, EngineError) as error:
            left_out[one.key] = error.what
    if not trials:
        key, why = next(iter(left_out.items()))
        raise InputError(f"None of {len(left_out)} claims can be tried on this; {key}: {why}", "Try one by its name.")
    return Trials.of(trials, left_out)
