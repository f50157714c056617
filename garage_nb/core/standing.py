"""Standing: which tokens of which prompts the call under way is about, from one call of a model to the next.

A call of generation brings one token and the cache of all before it. What is at which position, what belongs to the
prompt and what is padding is read off the arguments the model was called with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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


class Standing:
    """Told of every call of the model itself; asked by the writes inside it."""

    def __init__(self, prompts: Prompts | None = None) -> None:
        self._known = prompts
        self._call: Mapping[str, Any] | None = None
        self._stands: dict[str | None, Stand | None] = {}
        self._cache: object = None
        self._written = 0
        self._prompt: Tensor | None = None

    def called(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """The model has been called with these."""
        self._call = {**({"input_ids": args[0]} if args else {}), **kwargs}
        self._stands = {}
        self._stands[None] = self._here(self._call)

    def at(self, stack: str | None) -> Stand | None:
        """Where the call stands for parts of this stack; None when the model itself was not called."""
        if stack not in self._stands:
            self._stands[stack] = self._of_encoder() if stack == ENCODER else None
        return self._stands[stack]

    def _here(self, call: Mapping[str, Any]) -> Stand | None:
        decoder = "decoder_" if _tensor(call, "decoder_input_ids", "decoder_inputs_embeds") is not None else ""
        tokens = _tensor(call, f"{decoder}input_ids", f"{decoder}inputs_embeds")
        if tokens is None:
            return None
        batch, seq = tokens.shape[:2]
        past = self._past(call)
        self._written = past + seq
        mask = call.get(f"{decoder}attention_mask")
        stand = _stand(mask, batch, past + seq, tokens.device, self._padded if not decoder else None)
        if self._prompt is None or past == 0:
            self._prompt = stand.prompt if self._known is None or decoder else self._known_lengths(batch)
        return Stand(stand.positions, self._prompt, stand.padded, seq)

    def _past(self, call: Mapping[str, Any]) -> int:
        """How many tokens of each row came in earlier calls: counted, for not every cache can say it."""
        cache = next((cache for name in _CACHES if (cache := call.get(name)) is not None), None)
        if cache is None:
            return 0
        if cache is not self._cache:
            self._cache = cache
            return int(cache.get_seq_length()) if hasattr(cache, "get_seq_length") else 0
        return self._written

    @property
    def _padded(self) -> bool | None:
        return None if self._known is None else self._known.padded

    def _known_lengths(self, batch: int) -> Tensor:
        """Of rows that generation may have multiplied."""
        assert self._known is not None
        lengths = self._known.mask.sum(dim=1)
        return lengths.repeat_interleave(batch // len(lengths))

    def _of_encoder(self) -> Stand | None:
        """An encoder reads its prompt whole. In generation it runs before the model itself is called."""
        if self._known is not None:
            mask: Tensor | None = self._known.mask
            batch, seq, device = *self._known.mask.shape, self._known.mask.device
        else:
            tokens = None if self._call is None else _tensor(self._call, "input_ids", "inputs_embeds")
            if self._call is None or tokens is None:
                return None
            mask, (batch, seq), device = self._call.get("attention_mask"), tokens.shape[:2], tokens.device
        return _stand(mask, batch, seq, device, self._padded)


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
