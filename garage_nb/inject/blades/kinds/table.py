"""Table: every kind of blade by its name."""

from __future__ import annotations

from ....errors import EditError, nearest
from ..blade import Blade
from .direction import DIRECTION
from .ffn_output import FFN_OUTPUT
from .gated import GATED
from .kind import Kind
from .low_rank import LOW_RANK
from .projected import PROJECTED
from .sae_feature import SAE_FEATURE
from .transplant import TRANSPLANT

KINDS = {
    kind.name: kind for kind in (DIRECTION, LOW_RANK, TRANSPLANT, GATED, PROJECTED, FFN_OUTPUT, SAE_FEATURE)
}  # fmt: skip


def kind_of(blade: Blade) -> Kind:
    """EditError for a kind that is none, or a blade that is not of its kind."""
    if blade.kind not in KINDS:
        raise EditError(f"There is no blade of kind {blade.kind[:40]!r}.", f"Nearest: {nearest(blade.kind, KINDS)}.")
    KINDS[blade.kind].demand(blade)
    return KINDS[blade.kind]
