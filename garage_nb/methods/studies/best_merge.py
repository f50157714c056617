"""Best merge: the weights of two models in one, in the shares that do best on the items to choose by."""

from __future__ import annotations

from ...registry.lift import Lifted
from .answering import alone, merged
from .choosing import chosen
from .ground import Ground

SHARES = (0.25, 0.5, 0.75)  # of the source


def best_merge(ground: Ground, source: Lifted) -> Lifted:
    """BuildError for models of unlike shapes."""
    several = [merged(ground.target, source, share) for share in SHARES]
    return chosen([(one, alone(one)) for one in several], ground.target, ground.choose[ground.domain])
