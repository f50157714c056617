"""Patch: hidden states of another prompt, or of other positions, put in place of those of this one."""

from __future__ import annotations

from dataclasses import InitVar, dataclass, field
from typing import Any

from torch import Tensor

from ..core.sites import Writer
from ..core.tokens import Tokens
from ..errors import EditError
from .edit import OPTION, Edit
from .edits import demand_width
from .place import Place
from .sources import chosen_rows, rows_in


@dataclass(frozen=True, eq=False)
class Patch(Edit):
    """Put the rows of `source` at the touched tokens, in their order; a single row at all of them.

    `source` is a tensor (tokens, dim) or a snapshot of one prompt with hidden states; `positions` says which of its
    tokens, as `tokens` does here: `Patch("layer_3", other, "-1", tokens="2")`. The whole prompt is touched unless
    `tokens` says less, and as many tokens as there are rows must be.
    """

    source: Any
    positions: InitVar[str | Tokens] = "all"
    tokens: Tokens = field(default=Tokens("prompt"), kw_only=True, metadata=OPTION)

    def __post_init__(self, positions: str | Tokens) -> None:
        wanted = positions if isinstance(positions, Tokens) else Tokens(str(positions))
        self._set("source", chosen_rows(rows_in(self.source), wanted))
        super().__post_init__()

    def writer(self, place: Place) -> Writer:
        demand_width(self.source, place)

        def write(hidden: Tensor, touched: Tensor | None) -> Tensor:
            rows = self.source.to(hidden)
            if len(rows) == 1:
                return rows[0].expand_as(hidden)
            if touched is None:
                raise EditError(
                    f"The edit {str(self)!r} has {len(rows)} rows for all tokens, those yet to be written too.",
                    "Say which: --tokens prompt, or --tokens 0:3.",
                )
            return _put(rows, hidden, touched, str(self))

        return write


def _put(rows: Tensor, hidden: Tensor, touched: Tensor, edit: str) -> Tensor:
    """Each text's touched tokens get the rows in turn. Where batch and seq are one dimension there must be one text."""
    texts = touched.reshape(hidden.shape[0] if hidden.ndim > 2 else 1, -1)
    counts = texts.sum(dim=1).tolist()
    if hidden.ndim > 3 or not set(counts) <= {0, len(rows)}:
        raise EditError(
            f"The edit {edit!r} has {len(rows)} rows for {max(counts)} tokens.",
            "Name as many positions of the source as tokens here, or one for all of them.",
        )
    turns = (texts.cumsum(dim=1) - 1).clamp(min=0) % len(rows)
    return rows[turns].reshape(hidden.shape)
