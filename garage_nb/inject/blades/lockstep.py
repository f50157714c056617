"""Lockstep: the source's cache of keys and values, as long as the target's and row by row of the same texts.

Whoever shuffles the target's rows between two calls (beam search), or takes tokens back (assisted generation), would
leave the source behind without a word, so both are looked for.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...core.standing import Standing
from ...errors import EditError


class Lockstep:
    def __init__(self) -> None:
        self._cache: Any = None
        self._length = 0
        self._mark: tuple[int, Tensor] | None = None  # the newest keys of the target a call ago, and where they stand

    def began(self, standing: Standing) -> None:
        """A call of the target begins: its cache is as the last one left it. EditError where that is another's."""
        call, cache = standing.call, standing.cache
        if call is None or call.past == 0:
            self._cache, self._length, self._mark = None, 0, None
            return
        if cache is not None and hasattr(cache, "get_seq_length") and int(cache.get_seq_length()) != call.past:
            raise EditError("The target took tokens back.", "Generate without an assistant.")
        if len(call.tokens) > 1:
            self._mark = self._demand_in_order(cache, call.past)

    def given(self, standing: Standing) -> dict[str, Any]:
        """What to call the source with beside its tokens. EditError where it is not at the same token."""
        past = 0 if standing.call is None else standing.call.past
        if past != self._length:
            raise EditError(
                f"The source has read {self._length} tokens of this text, the target {past}.",
                "Begin with the whole prompt: generate does, or give the first call a cache too.",
            )
        if standing.cache is None:
            return {"use_cache": False}
        return {"use_cache": True, "past_key_values": self._cache}

    def made(self, standing: Standing | None, output: Any) -> None:
        """The source has run."""
        if standing is None or standing.cache is None or standing.call is None:
            return
        self._cache = getattr(output, "past_key_values", None)
        if self._cache is None:
            raise EditError(f"{type(output).__name__} brings no cache.", "Generate with use_cache=False.")
        self._length = standing.call.past + standing.call.seq

    def _demand_in_order(self, cache: Any, past: int) -> tuple[int, Tensor]:
        keys = _keys(cache)
        if keys is None or (self._mark is not None and not _still(self._mark, keys, past)):
            raise EditError(
                "The target shuffles the texts of its batch, or its cache does not tell.",
                "Generate without beams, or one text at a time.",
            )
        return past - 1, keys[:, :, -1].clone()


def _still(mark: tuple[int, Tensor], keys: Tensor, past: int) -> bool:
    """Whether those keys stand where they stood. What has slid out of a window cannot be asked any more."""
    at, before = mark
    back = past - at
    return back <= keys.shape[2] and torch.equal(keys[:, :, -back], before)


def _keys(cache: Any) -> Tensor | None:
    """(batch, heads, tokens, dim) of the last layer that a growing cache has."""
    from transformers.cache_utils import DynamicCache

    layers: list[Any] = cache.layers if type(cache) is DynamicCache else []
    grown = [layer.keys for layer in layers if isinstance(getattr(layer, "keys", None), Tensor) and layer.keys.numel()]
    return max(reversed(grown), key=lambda keys: keys.shape[2]) if grown else None
