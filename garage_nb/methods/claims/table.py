"""Table: every claim by its key. To add one: a file beside this, and its line here."""

from __future__ import annotations

from ...errors import InputError, nearest
from ..proposal import Proposal
from .capability_gap import CAPABILITY_GAP
from .debate_in_place import DEBATE_IN_PLACE
from .gated_over_identity import GATED_OVER_IDENTITY
from .place import INTERIOR_PEAK, LAYER_N_MINUS_4
from .projected_ffn import PROJECTED_FFN
from .router_bias import ROUTER_BIAS
from .router_calibration import ROUTER_CALIBRATION
from .same_dimension import SAME_DIMENSION
from .sparse_pathways import SPARSE_PATHWAYS
from .synergy import CROSS_DOMAIN_INTERFERENCE, SAME_DOMAIN_SYNERGY

_ALL = (
    LAYER_N_MINUS_4,
    INTERIOR_PEAK,
    SAME_DIMENSION,
    CAPABILITY_GAP,
    GATED_OVER_IDENTITY,
    SAME_DOMAIN_SYNERGY,
    CROSS_DOMAIN_INTERFERENCE,
    ROUTER_BIAS,
    PROJECTED_FFN,
    ROUTER_CALIBRATION,
    *SPARSE_PATHWAYS,
    DEBATE_IN_PLACE,
)
PROPOSALS = {one.key: one for one in _ALL}


def proposal(key: str) -> Proposal:
    if key not in PROPOSALS:
        raise InputError(f"There is no claim {key!r}.", f"Nearest: {nearest(key, PROPOSALS)}.")
    return PROPOSALS[key]
