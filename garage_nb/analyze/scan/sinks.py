"""Sinks: what heads give to the first token of a text, over any number of texts; of the patterns only sums are kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.batch import Batch
from ...core.room import sized
from ...core.sites import Read, Reader
from ...core.stats import wide
from ...registry.lift import Lifted
from ...registry.room import bytes_of
from ..attention.patterns import BUDGET
from .places import kind_of

PLAIN = (None, "eager", "sdpa")  # the attention under which a pattern can be had


@dataclass(frozen=True, eq=False)
class Sinks:
    """`scores` as attention/head_scores.py defines sink; `even` is that of a head which looks alike at all tokens up to
    its own.

    No other even head gives the first token more.
    """

    scores: Float[Tensor, " heads"]
    even: float

    def telling(self, threshold: float) -> bool:
        """Whether evenness alone stays far below the threshold."""
        return self.even <= threshold / 2


class SinkSums:
    """Of the attentions among `names`. `notes` say where nothing was looked for, and why."""

    def __init__(self, lifted: Lifted, names: Sequence[str]) -> None:
        self.spec, self.notes = lifted.spec, list[str]()
        attending = [name for name in names if kind_of(name) == "attention"]
        missing = {name: reason for name in attending if (reason := self.spec.why_not(f"{name}.pattern"))}
        if missing:
            name, reason = next(iter(missing.items()))
            self.notes.append(f"sinks n/a at {len(missing)} attentions ({name}: {reason})")
        if not (plain := _attends_by(lifted.model) in PLAIN):
            self.notes.append(f"sinks n/a under {_attends_by(lifted.model)}")
        self._parts = [name for name in attending if plain and name not in missing]
        self._sums: dict[str, Float[Tensor, "3 heads"]] = {}
        self._long = 0

    def reads(self, batch: Batch) -> Iterator[Read]:
        """For one prompt; none for one whose patterns are beyond the budget, a part at a time."""
        patterns = {part: f"{part}.pattern" for part in self._parts}
        if any(bytes_of(self.spec, [name], batch, 4) > BUDGET for name in patterns.values()):
            self._long += 1
            return
        for part, name in patterns.items():
            yield Read(self.spec.site(name), self._adds(part))

    def told(self, threshold: float) -> dict[str, Sinks]:
        """By part; none where no text had a second token."""
        if self._long:
            self.notes.append(f"sinks not looked for in {self._long:,} prompts, whose patterns pass {sized(BUDGET)}")
        found = {part: _sinks(sums.cpu()) for part, sums in self._sums.items() if sums[1].any()}
        short = [part for part, one in found.items() if not one.telling(threshold)]
        if short:
            even = f"a head that looks evenly back gives the first token {found[short[0]].even:.2f} at {short[0]}"
            self.notes.append(f"sinks not flagged: the prompts are short, {even}")
        return found

    def _adds(self, part: str) -> Reader:
        def add(pattern: Tensor) -> None:
            first = pattern[0, :, 1:, 0].detach().to(wide(pattern.device))
            fine = first.isfinite()
            even = 1 / torch.arange(2, first.shape[1] + 2, device=first.device)  # of the second token, the third …
            rows = torch.stack([torch.where(fine, first, 0).sum(1), fine.sum(1), (fine * even).sum(1)])
            self._sums[part] = rows + self._sums.get(part, 0)

        return add


def _sinks(sums: Float[Tensor, "3 heads"]) -> Sinks:
    """From what was given, over how many tokens, and what evenness would have given."""
    given, count, even = sums.double()
    return Sinks(given / count, float((even / count).nanmean()))


def _attends_by(model: Any) -> str | None:
    return getattr(getattr(model, "config", None), "_attn_implementation", None)
