"""Together: all claims that can be tried on what there is, and why the others cannot, which is known before any run."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..errors import BuildError, EditError, InputError, UnavailablePartError, UnknownPartError, UnsupportedModelError
from .proposal import Proposal
from .studies.ground import Ground
from .trials import Trials

_REFUSALS = (BuildError, EditError, InputError, UnavailablePartError, UnknownPartError, UnsupportedModelError)


def tried_together(
    proposals: Iterable[Proposal], ground_for: Callable[[tuple[str, ...]], Ground], *, full: bool = False, seed: int = 0
) -> Trials:
    """Each on the ground for the models it needs. InputError where none can be; other errors as of `Proposal.tried`."""
    grounds: list[tuple[Proposal, Ground]] = []
    left_out: dict[str, str] = {}
    for one in proposals:
        try:
            ground = ground_for(one.needs)
            one.claim(ground)
        except _REFUSALS as error:
            left_out[one.key] = error.what
        else:
            grounds.append((one, ground))
    if not grounds:
        key, why = next(iter(left_out.items()))
        raise InputError(f"None of {len(left_out)} claims can be tried on this; {key}: {why}", "Try one by its name.")
    return Trials.of([one.tried(ground, full=full, seed=seed) for one, ground in grounds], left_out)
