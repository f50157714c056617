"""Tokens: which tokens of a prompt, and of what is written after it, an edit touches; and where a call stands.

Positions count from 0 at the first real token of each row, so padding on either side moves nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from torch.nn.functional import pad

from ..errors import EditError

SPANS = ("all", "prompt", "generated", "not_first")
_NUMBER = r"-?[0-9]{1,9}"
_PIECE = re.compile(rf"(?:{_NUMBER})?:(?:{_NUMBER})?|{_NUMBER}")
PADDING = -1


@dataclass(frozen=True)
class Stand:
    """One call of a model: what is at each place up to its end, and how many tokens each prompt had.

    `positions` are those in the row, PADDING where there is none. `padded` says whether there is any. The call brings
    the last `seq` of them; those before are in the cache.
    """

    positions: Int[Tensor, "batch whole"]
    prompt: Int[Tensor, " batch"]
    padded: bool
    seq: int


@dataclass(frozen=True)
class Tokens:
    """`said` is `all`, `prompt`, `generated`, `not_first`, or positions: `0`, `-1`, `2:6`, `0,3,-1`.

    Negative positions count from the end of the prompt. `not_first` leaves the first token alone, where BOS stands and
    where attention sinks. Padding is never touched.
    """

    said: str = "all"

    def __post_init__(self) -> None:
        if self.said not in SPANS and not all(_PIECE.fullmatch(piece) for piece in self._pieces()):
            raise EditError(
                f"{self.said!r} says no tokens.", "Say all, prompt, generated, not_first, or positions: 0, -1, 2:6."
            )

    def __str__(self) -> str:
        return self.said

    def touched(self, stand: Stand) -> Bool[Tensor, "batch whole"] | None:
        """Which tokens up to the end of the call; None where that is every one."""
        real = stand.positions != PADDING
        if self.said == "all":
            return real if stand.padded else None
        return real & self._spanned(stand.positions, stand.prompt[:, None])

    def _spanned(self, at: Tensor, prompt: Tensor) -> Tensor:
        if self.said == "prompt":
            return at < prompt
        if self.said == "generated":
            return at >= prompt
        if self.said == "not_first":
            return at > 0
        spans = [_span(piece, prompt) for piece in self._pieces()]
        return torch.stack([(at >= start) & (at < stop) for start, stop in spans]).any(dim=0)

    def _pieces(self) -> list[str]:
        return [piece.strip() for piece in self.said.split(",")]


def _span(piece: str, prompt: Tensor) -> tuple[Any, Any]:
    """Start and stop of `3`, `-1`, `2:6`, `:4` or `-2:`; a range that is open above goes on for ever."""
    if ":" not in piece:
        start = _counted(int(piece), prompt)
        return start, start + 1
    start, stop = piece.split(":")
    return _counted(int(start or 0), prompt), _counted(int(stop), prompt) if stop else torch.iinfo(torch.long).max


def _counted(number: int, prompt: Tensor) -> Any:
    return number if number >= 0 else prompt + number


EVERY = Tokens()


@dataclass(frozen=True)
class TokensByRow:
    """Which tokens each of as many equal shares of the batch touches."""

    each: tuple[Tokens, ...]

    def __str__(self) -> str:
        return " / ".join(dict.fromkeys(map(str, self.each)))

    def touched(self, stand: Stand) -> Bool[Tensor, "batch whole"]:
        """As `Tokens.touched`, share by share."""
        count = len(self.each)
        shares = zip(stand.positions.chunk(count), stand.prompt.chunk(count), strict=True)
        stands = [Stand(positions, prompt, stand.padded, stand.seq) for positions, prompt in shares]
        return torch.cat([touched_or_real(tokens, one) for tokens, one in zip(self.each, stands, strict=True)])


def touched_or_real(tokens: Tokens, stand: Stand) -> Bool[Tensor, "batch whole"]:
    """Which tokens are touched, also where that is every one."""
    touched = tokens.touched(stand)
    return stand.positions != PADDING if touched is None else touched


def spread(touched: Bool[Tensor, "batch whole"], seq: int, hidden: Tensor) -> Tensor | None:
    """The mask in a form that broadcasts to hidden states of (batch, seq, …) or (batch·seq, …); None for others.

    Where they hold what is in the cache too, (batch, whole, …), they are masked whole.
    """
    batch, whole = touched.shape
    for length, mask in ((seq, touched[:, whole - seq :]), (whole, touched)):
        if hidden.shape[:2] == (batch, length):
            return mask.reshape(batch, length, *[1] * (hidden.ndim - 2))
    if hidden.shape[0] == batch * seq:
        return touched[:, whole - seq :].reshape(-1, *[1] * (hidden.ndim - 1))
    return None


def held(touched: Bool[Tensor, "batch whole"], length: int) -> Bool[Tensor, "batch length"]:
    """The mask for a cache of this length: of the last tokens where it slides, with room where it is fixed."""
    whole = touched.shape[1]
    return touched[:, whole - length :] if length <= whole else pad(touched, (0, length - whole))
