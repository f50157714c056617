"""Ends: what stands outside the blocks. `bottom` is before them, `top` behind them; a tied head is the bottom's."""

from __future__ import annotations

from ...core.parts import parse
from ..graft import BOTTOM, TOP
from .layout import Layout

_LAST = {"layer_norm_final", "output_head"}
_HEAD = "output_head"


def places_of(layout: Layout, at: str) -> list[str]:
    """The places of the result that `bottom`, `top` or a selector names. LookupError as of `select`."""
    if at not in (BOTTOM, TOP):
        return layout.spec.select(at)
    tied = bool(layout.config.get_text_config().tie_word_embeddings)
    last = _LAST - {_HEAD} if tied else _LAST
    return [name for name in layout.spec.parts if _is_outside(name) and (name in last) == (at == TOP)]


def _is_outside(name: str) -> bool:
    address = parse(name)
    return address is not None and address.layer is None and address.kind != "rotary_emb"
