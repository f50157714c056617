"""Stitched: a guest that no config describes, as a module between its maps, called as the one whose place it takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import skip_init

from ...core.sites import entering, leaving
from ...errors import InputError
from ...extract.part import ContextPart, ExtractedPart
from .maps import Maps


@dataclass(frozen=True)
class Manner:
    """How the place answers: with a tuple of so many `items`, 0 for the hidden states alone; `stream`: a whole layer,
    whose guest gives a stream of its own, of which only what it added counts.
    """

    items: int
    stream: bool


class Stitched(nn.Module):
    """Keeps no keys and values: at every step it reads the whole text, and refuses when it is given less."""

    def __init__(self, part: ExtractedPart, maps: Maps, manner: Manner, like: Tensor) -> None:
        """The maps get the dtype and device of `like`; the part has those it came with."""
        super().__init__()
        host, guest = maps.into.shape
        self.guest, self.manner = part.module, manner
        self._own = (part,)  # kept out of the tree of modules: what prepares its calls holds a decoder
        self.into = skip_init(nn.Linear, host, guest)  # the global random numbers are the user's
        self.out = skip_init(nn.Linear, guest, host, bias=False)
        self.take(maps)
        self.into.to(like)
        self.out.to(like)

    @property
    def part(self) -> ExtractedPart:
        return self._own[0]

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        """To another device or dtype, with what prepares the calls."""
        part: Any = self.part
        part._apply(fn, recurse)
        inner: Any = super()
        return inner._apply(fn, recurse)

    @torch.no_grad()
    def take(self, maps: Maps) -> None:
        self.into.weight.copy_(maps.into.T)
        self.into.bias.copy_(maps.shift)
        self.out.weight.copy_(maps.out.T)

    def maps(self, said: str) -> Maps:
        """As they are now."""
        weights = (self.into.weight.T, self.into.bias, self.out.weight.T)
        into, shift, out = (weight.detach().double().cpu() for weight in weights)
        return Maps(into, shift, out, said)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        hidden = entering(args, kwargs)
        given = [*args, *kwargs.values()]
        _demand_whole_text(hidden, given)
        came = self.into(hidden)
        gave = leaving(self._guest(came, _mask(hidden, given)))
        added = self.out(gave - came) + hidden if self.manner.stream else self.out(gave)
        return (added, *[None] * (self.manner.items - 1)) if self.manner.items else added

    def _guest(self, hidden: Tensor, mask: Tensor | None) -> Any:
        return self.part(hidden, mask) if isinstance(self.part, ContextPart) else self.part(hidden)


def _mask(hidden: Float[Tensor, "batch seq dim"], given: Iterable[Any]) -> Tensor | None:
    """(batch, seq), 1 for tokens: keys that any query sees. None where the host says nothing of padding."""
    batch, seq = hidden.shape[:2]
    for tensor in given:
        if isinstance(tensor, Tensor) and tensor.ndim == 4 and tensor.shape[-2:] == (seq, seq):
            seen = tensor if tensor.dtype == torch.bool else tensor == 0
            mask = seen.any(dim=2).any(dim=1).expand(batch, seq)
            return None if bool(mask.all()) else mask.long()
    return None


def _demand_whole_text(hidden: Tensor, given: Iterable[Any]) -> None:
    for cache in given:
        layers = getattr(cache, "layers", None)
        held = max((int(layer.get_seq_length()) for layer in layers), default=0) if isinstance(layers, list) else 0
        if held > hidden.shape[1]:
            raise InputError(
                "This hybrid keeps no keys and values, and was given one token after a cache.",
                "Call it with use_cache=False; generate does so by itself.",
            )


def guests(model: nn.Module) -> Mapping[str, Stitched]:
    """By path."""
    return {path: module for path, module in model.named_modules() if isinstance(module, Stitched)}
