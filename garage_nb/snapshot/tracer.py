"""Tracer: parts at every token that passes, in numbers, from the very passes that read and write the text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from queue import SimpleQueue
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..core.parts import ENCODER, parse
from ..core.sites import Read, Reader
from ..core.tokenwise import NUMBERS, reduce_each, token_rows
from ..errors import InputError
from ..registry.specs import ModelSpec

Pass = dict[str, Tensor]


class Stretch(NamedTuple):
    """Tokens that are read at once, the first of them `known` from an earlier run."""

    tokens: int
    known: int


class Tracer:
    """Reads `parts` in one run after another. Numbers stay on the device until `taken`, also by another thread."""

    def __init__(self, spec: ModelSpec, parts: Sequence[str], edges: Sequence[float]) -> None:
        self.spec, self.parts, self.edges = spec, tuple(parts), tuple(edges)
        self._passes: SimpleQueue[Pass] = SimpleQueue()
        self._open: Pass = {}

    @property
    def encoding(self) -> tuple[str, ...]:
        """Those of the parts that read the prompt in a stack of its own."""
        addresses = {name: parse(name) for name in self.parts}
        return tuple(name for name, address in addresses.items() if address and address.stack == ENCODER)

    def taps(self, read: Stretch, encoded: Stretch) -> Iterator[Read]:
        """For one run, which begins with these tokens and reads one a pass after that; an encoder's are apart."""
        self._passes, self._open, encoding = SimpleQueue(), {}, self.encoding
        for name in self.parts:
            yield Read(self.spec.site(name), self._reader(name, encoded if name in encoding else read))

    def end_of_pass(self) -> None:
        """What was read since the last one is one pass."""
        self._passes.put(self._open)
        self._open = {}

    def taken(self) -> np.ndarray:
        """The oldest pass that is not taken yet, (parts, new tokens, numbers), the encoder's tokens first. What a part
        did not read is NaN: of the prompt, the output head works out the last token alone.
        """
        rows, encoding = self._passes.get_nowait(), self.encoding
        lines = _on_host(list(rows.values())) if rows else np.empty((0, NUMBERS + len(self.edges)))
        encoded = max((len(one) for name, one in rows.items() if name in encoding), default=0)
        read = max((len(one) for name, one in rows.items() if name not in encoding), default=0)
        block = np.full((len(self.parts), encoded + read, lines.shape[1]), np.nan)
        for name, one in rows.items():
            end = encoded if name in encoding else encoded + read
            block[self.parts.index(name), end - len(one) : end], lines = lines[: len(one)], lines[len(one) :]
        return block

    def _reader(self, name: str, first: Stretch) -> Reader:
        site, stretch = self.spec.site(name), first

        def read(hidden: Tensor) -> None:
            nonlocal stretch
            rows = token_rows(site, hidden)
            if name in self._open or len(rows) not in (stretch.tokens, 1):
                raise InputError(f"{name} does not read one token after the other.", "Leave it out of what is watched.")
            fresh = min(stretch.tokens - stretch.known, len(rows))
            self._open[name] = reduce_each(rows[len(rows) - fresh :], self.edges)
            stretch = Stretch(1, 0)

        return read


def _on_host(rows: list[Tensor]) -> np.ndarray:
    """All of them one below the other, in one transfer."""
    lines: np.ndarray = torch.cat([one.to(rows[0].device) for one in rows]).cpu().numpy()
    return lines
