"""Standing: which tokens of which prompts the call under way is about, from one call of a model to the next.

A call of generation brings one token and the cache of all before it. What is at which position, what belongs to the
prompt and what is padding is read off the arguments the model was called with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from .parts import ENCODER
from .tokens import PADDING, Stand

_CACHES = ("past_key_values", "cache_params")


@dataclass(frozen=True)
class Prompts:
    """What a run knows before it calls the model: the mask of its prompts, and whether that hides anything."""

    mask: Tensor
    padded: bool


@dataclass(frozen=True, eq=False)
class Called:
    """One call of the model: the tensor that brings its tokens, the mask beside it, and how many came before."""

    tokens: Tensor
    mask: Any
    past: int
    decodes: bool

    @property
    def seq(self) -> int:
        return self.tokens.shape[1]

    def stand(self, padded: bool | None) -> Stand:
        batch, whole = self.tokens.shape[0], self.past + self.seq
        return replace(_stand(self.mask, batch, whole, self.tokens.device, padded), seq=self.seq)


class Standing:
    """Told of every call of the model itself; asked by the writes inside it.

    `passes` counts the calls; `cache` is what the latest one kept its keys and values in, None without. `given` is what
    it was called with, by name; `call` what that brings, None where it is no tokens.
    """

    def __init__(self, prompts: Prompts | None = None) -> None:
        self.passes = 0
        self.cache: Any = None
        self._known = prompts
        self.given: Mapping[str, Any] = {}
        self.call: Called | None = None
        self._first: Called | None = None
        self._stands: dict[str | None, Stand | None] = {}

    def called(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """The model has been called with these."""
        self.passes += 1
        self.given = {**({"input_ids": args[0]} if args else {}), **kwargs}
        self._stands = {}
        self.call = self._read(self.given)
        if self.call is not None and (self._first is None or self.call.past == 0):
            self._first = self.call

    def at(self, stack: str | None) -> Stand | None:
        """Where the call stands for parts of this stack; None when the model itself was not called."""
        if stack not in self._stands:
            self._stands[stack] = self._of_encoder() if stack == ENCODER else self._here()
        return self._stands[stack]

    def _here(self) -> Stand | None:
        call, first = self.call, self._first
        if call is None or first is None:
            return None
        if self._known is None or call.decodes:  # a decoder writes alike for all: none of it is padding
            return replace(call.stand(None), prompt=first.stand(None).prompt)
        lengths = self._known.mask.sum(dim=1)
        prompt = lengths.repeat_interleave(call.tokens.shape[0] // len(lengths))  # generation may multiply rows
        return replace(call.stand(self._known.padded), prompt=prompt)

    def _read(self, given: Mapping[str, Any]) -> Called | None:
        decodes = _tensor(given, "decoder_input_ids", "decoder_inputs_embeds") is not None
        whose = "decoder_" if decodes else ""
        tokens = _tensor(given, f"{whose}input_ids", f"{whose}inputs_embeds")
        return (
            None if tokens is None else Called(tokens, given.get(f"{whose}attention_mask"), self._past(given), decodes)
        )

    def _past(self, given: Mapping[str, Any]) -> int:
        """How many tokens of each row came in earlier calls: counted, for not every cache can say it."""
        before, self.cache = self.cache, next((it for name in _CACHES if (it := given.get(name)) is not None), None)
        if self.cache is None:
            return 0
        if self.cache is before and self.call is not None:
            return self.call.past + self.call.seq
        return _tokens_in(self.cache)

    def _of_encoder(self) -> Stand | None:
        """An encoder reads its prompt whole. In generation it runs before the model itself is called."""
        if self._known is not None:
            known = self._known.mask
            return _stand(known, known.shape[0], known.shape[1], known.device, self._known.padded)
        tokens = _tensor(self.given, "input_ids", "inputs_embeds")
        if tokens is None:
            return None
        mask = self.given.get("attention_mask")
        return _stand(mask, tokens.shape[0], tokens.shape[1], tokens.device, None)


def _tokens_in(cache: Any) -> int:
    """Of a cache that is met for the first time; 0 for one of states, which have no length: it is a new one."""
    try:
        return int(cache.get_seq_length()) if hasattr(cache, "get_seq_length") else 0
    except ValueError:
        return 0


def _tensor(call: Mapping[str, Any], *names: str) -> Tensor | None:
    return next((item for name in names if isinstance(item := call.get(name), Tensor)), None)


def _stand(mask: Any, batch: int, seq: int, device: torch.device, padded: bool | None) -> Stand:
    """From a mask (batch, seq), which may be missing or of a form that says nothing about padding."""
    whole = torch.arange(seq, device=device).expand(batch, seq)
    tells = isinstance(mask, Tensor) and mask.shape == (batch, seq)
    if not tells or padded is False or (padded is None and bool(mask.all())):
        return Stand(whole, whole.new_full((batch,), seq), padded=False, seq=seq)
    real = mask.to(device).bool()
    positions = torch.where(real, real.long().cumsum(dim=1) - 1, PADDING)
    return Stand(positions, real.sum(dim=1), padded=True, seq=seq)
