"""Attention: what each token looks at, head by head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...core.batch import Prompt
from ...core.sites import Tap
from ...errors import UnknownPartError, nearest
from ...registry.lift import Lifted
from ...registry.selecting import Selector
from ...view.bars import Column, Table
from ...view.figure import Plot
from ...view.frames import framed
from ...view.shown import Drawn
from ..texts.prompt import Words, one_prompt, said
from .patterns import Pattern, attending, demand_room, patterns, thumbnails

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

SIDE = 24  # squares of a thumbnail
SHOWN = 40  # rows of a table; the frame holds them all


@dataclass(frozen=True, eq=False, repr=False)
class Attention(Drawn):
    """Patterns by part, (heads, query, key) each. A row is what one token gives to the others; it sums to 1, or to less
    where a head can look at nobody (a sink).
    """

    model_id: str
    prompt: str
    parts: dict[str, Pattern]

    def head(self, name: str) -> Tensor:
        """(query, key) of a head such as `attention_3.head_2`."""
        part, _, index = name.partition(".head_")
        heads = len(self.parts[part].weights) if part in self.parts else 0
        if not index.isdecimal() or int(index) >= heads:
            raise UnknownPartError(f"{name!r} is no head that was read.", f"Nearest: {nearest(name, self.heads)}.")
        return self.parts[part].weights[int(index)]

    @property
    def heads(self) -> list[str]:
        return [f"{name}.head_{index}" for name, one in self.parts.items() for index in range(len(one.weights))]

    def strongest(self, head: str, query: int = -1, top: int = 5) -> list[tuple[int, str, float]]:
        """What a token looks at most: position, token and weight."""
        row, keys = self.head(head)[query], self.parts[head.partition(".")[0]].keys
        best = row.topk(min(top, len(row)))
        return [(at, keys[at], share) for at, share in zip(best.indices.tolist(), best.values.tolist(), strict=True)]

    def thumbnails(self, side: int = SIDE) -> dict[str, Tensor]:
        """Part -> (heads, at most side, at most side); each square is the largest weight in it."""
        return {name: thumbnails(side)(one.weights) for name, one in self.parts.items()}

    def frame(self) -> pd.DataFrame:
        """One row a head and query: what it looks at most, and the entropy of its weights in nats."""
        columns = ["query_token", "key", "key_token", "weight", "entropy"]
        keys = [(name, index, at) for name, one in self._best.items() for index, at in _places(one.weight)]
        rows = [self._row(*key) for key in keys]
        return framed(("part", "head", "query"), keys, columns, rows)

    def plot(self, head: str | None = None, ax: Axes | None = None) -> Plot:
        """One head, queries by keys; all heads as thumbnails, layers by heads, when none is named."""
        from ...view.plots import grid

        if head is None:
            words = f"attention of {len(self.heads)} heads of {self.model_id} to {self.prompt!r}"
            return Plot(tiled(self.thumbnails(), ax), words, self.frame)
        weights, one = self.head(head), self.parts[head.partition(".")[0]]
        queries, keys = ([repr(token) for token in tokens] for tokens in (one.queries, one.keys))
        values = weights.flip(0).tolist()  # the first query on top, as everybody draws it
        drawn = grid(queries[::-1], keys, values, f"attention weight of {head}", across="looked at", top=1.0, ax=ax)
        return Plot(drawn, f"attention weights of {head}, {len(queries)} queries by {len(keys)} keys", self.frame)

    def picture(self) -> Table:
        """What the last token looks at."""
        heads = self.heads[:SHOWN]
        best = [self.strongest(head, top=1)[0] for head in heads]
        mean = [self._best[name].entropy[int(index)].mean().item() for name, index in (_split(head) for head in heads)]
        columns = [
            Column("last token looks at", [f"{token!r} at {at}" for at, token, _ in best]),
            Column("weight", [share for *_, share in best], bar=True, top=1.0),
            Column("entropy, nats, mean over tokens", mean),
        ]
        rest = len(self.heads) - len(heads)
        more = f" · {rest:,} more heads in .frame()" if rest else ""
        return Table(heads, columns, title=self.prompt, caption=f"{self.model_id}{more}")

    @cached_property
    def _best(self) -> Mapping[str, _Best]:
        return {name: _Best.of(one.weights) for name, one in self.parts.items()}

    def _row(self, name: str, head: int, query: int) -> list[object]:
        best, one = self._best[name], self.parts[name]
        key = int(best.key[head, query])
        share, entropy = float(best.weight[head, query]), float(best.entropy[head, query])
        return [one.queries[query], key, one.keys[key], share, entropy]


@dataclass(frozen=True, eq=False)
class _Best:
    """(heads, query) each."""

    weight: Tensor
    key: Tensor
    entropy: Tensor

    @classmethod
    def of(cls, weights: Tensor) -> _Best:
        best = weights.max(-1)
        return cls(best.values, best.indices, torch.special.entr(weights.double()).sum(-1))


def attention(lifted: Lifted, prompt: Prompt, edits: Sequence[Tap] = (), layers: Selector = "attention_*") -> Attention:
    """Every head of the parts named, in one pass. InputError when they would take more memory than the budget."""
    names = attending(lifted.spec, layers)
    batch = one_prompt(prompt, lifted)
    demand_room(lifted.spec, batch, names)
    found = patterns(lifted, batch, edits, names)
    return Attention(lifted.spec.model_id, said(prompt, batch, Words(lifted.tokenizer)), found)


def overview(
    lifted: Lifted, prompt: Prompt, edits: Sequence[Tap] = (), layers: Selector = "attention_*", side: int = SIDE
) -> dict[str, Pattern]:
    """Thumbnails of every head in one pass that keeps nothing else: for any number of layers, heads and tokens."""
    names = attending(lifted.spec, layers)
    batch = one_prompt(prompt, lifted)
    demand_room(lifted.spec, batch, names[:1])
    return patterns(lifted, batch, edits, names, thumbnails(side))


def tiled(tiles: Mapping[str, Tensor], ax: Axes | None = None) -> Axes:
    """Thumbnails by part as one picture, the output on top."""
    from ...view.mosaic import mosaic

    listed = {name: one.tolist() for name, one in tiles.items()}
    return mosaic(listed, "attention weight, the largest in a square", across="head", ax=ax)


def _places(weights: Tensor) -> list[tuple[int, int]]:
    return [(head, query) for head in range(weights.shape[0]) for query in range(weights.shape[1])]


def _split(head: str) -> tuple[str, str]:
    part, _, index = head.partition(".head_")
    return part, index
