"""Resemblance: two prompts of one length, token by token: where and how deep a model tells them apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...core.batch import Prompt
from ...core.sites import Tap
from ...errors import InputError
from ...plain import shorten
from ...registry.lift import Lifted
from ...registry.selecting import Selector
from ...view.bars import Column, Table
from ...view.figure import Plot
from ...view.frames import framed
from ...view.shown import Drawn
from ..texts.prompt import Words, read_ids
from ..texts.prompts import single_prompt
from .alike import cosines, steps
from .similarity import read_rows

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

LABELS = {"cosine": "cosine of the two vectors of a token", "distance": "distance ‖b − a‖ / ‖a‖ of a token"}
OTHER = 40  # characters of the second prompt
SHOWN = 6  # columns of a table; the frame holds them all


@dataclass(frozen=True, eq=False, repr=False)
class Resemblance(Drawn):
    """`values[measure]` are layers by tokens; `tokens` are the pairs that stand at one place."""

    prompts: tuple[str, str]
    tokens: tuple[tuple[str, str], ...]
    layers: tuple[str, ...]
    values: dict[str, list[list[float]]]

    def frame(self) -> pd.DataFrame:
        """One row a layer and position."""
        keys = [(name, at) for name in self.layers for at in range(len(self.tokens))]
        rows = [
            [*self.tokens[at], *(self.values[measure][self.layers.index(name)][at] for measure in LABELS)]
            for name, at in keys
        ]
        return framed(("layer", "position"), keys, ["token", "other_token", *LABELS], rows)

    def plot(self, measure: str = "cosine", ax: Axes | None = None) -> Plot:
        """Layers by tokens."""
        from ...view.plots import grid

        if measure not in LABELS:
            raise InputError(f"There is no resemblance {measure!r}.", f"There are: {', '.join(LABELS)}.")
        names, values = [_pair(*tokens) for tokens in self.tokens], self.values[measure]
        drawn = grid(self.layers, names, values, LABELS[measure], across="tokens at one place", ax=ax)
        return Plot(drawn, f"{LABELS[measure]}, {self.prompts[0]!r} and {self.prompts[1]!r}", self.frame)

    def picture(self) -> Table:
        """Output on top."""
        first = max(0, len(self.tokens) - SHOWN)
        rows = list(reversed(self.values["cosine"]))
        columns = [Column(_pair(*self.tokens[at]), [row[at] for row in rows]) for at in range(first, len(self.tokens))]
        rest = f" · the last {SHOWN} of {len(self.tokens)} tokens, all in .frame()" if first else ""
        caption = f"cosine to {shorten(self.prompts[1], OTHER)!r}{rest}"
        return Table(list(reversed(self.layers)), columns, title=self.prompts[0], caption=caption)


def resemblance(
    lifted: Lifted, prompt: Prompt, against: Prompt, edits: Sequence[Tap] = (), layers: Selector = "layer_*"
) -> Resemblance:
    """InputError for prompts of unlike token length, which have no token at the same place."""
    words = Words(lifted.tokenizer)
    batches = [single_prompt(prompt, lifted, "first"), single_prompt(against, lifted, "second")]
    lengths = [len(read_ids(batch)) for batch in batches]
    if lengths[0] != lengths[1]:
        raise InputError(
            f"The prompts have {lengths[0]} and {lengths[1]} tokens.", "Give two of one length, token against token."
        )
    (mine, said), (theirs, other) = (read_rows(lifted, one, edits, layers) for one in (prompt, against))
    pairs = [(mine[name], theirs[name]) for name in mine]
    values = {
        "cosine": [cosines(a, b).tolist() for a, b in pairs],
        "distance": [steps(a, b).tolist() for a, b in pairs],
    }
    if any(a.tokens != lengths[0] for a, _ in pairs):
        raise InputError("These places read another text than the prompt's tokens.", "Name layers of one stack.")
    texts = [words.of(read_ids(batch).tolist()) for batch in batches]
    return Resemblance((said, other), tuple(zip(*texts, strict=True)), tuple(mine), values)


def _pair(token: str, other: str) -> str:
    return repr(token) if token == other else f"{token!r} | {other!r}"
