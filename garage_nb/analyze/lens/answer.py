"""Lens: what a model would say after each of its layers, token by token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import InputError
from ...view.bars import Column, Table, number
from ...view.figure import Plot
from ...view.frames import framed
from ...view.shown import Drawn
from .predictions import Predictions
from .translators import Translators

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

SHOWN = 6  # columns of a table; the frame holds them all
MEASURES = {
    "probability": "probability of the likeliest token",
    "target": "probability of {target!r}",
    "entropy": "entropy of the prediction, nats",
    "divergence": "KL from the model's own answer, nats",
}


@dataclass(frozen=True, eq=False, repr=False)
class Lens(Drawn):
    """Predictions by layer, from the input to the output. `tokens` are what is read at each position.

    `target` is the token that is followed: the model's own answer at the end unless another was asked for. A tuned
    lens has the maps that its hidden states went through, to be given to another; that of the last layer does nothing.
    """

    model_id: str
    prompt: str
    tokens: tuple[str, ...]
    target: str
    layers: dict[str, Predictions]
    texts: dict[int, str]
    translators: Translators | None = None

    def best(self, layer: str, position: int = -1) -> list[tuple[str, float]]:
        """The likeliest tokens there and their probabilities."""
        row = self.layers[layer]
        pairs = zip(row.ids[position].tolist(), row.probabilities[position].tolist(), strict=True)
        return [(self.texts[token], share) for token, share in pairs]

    def values_of(self, measure: str) -> list[list[float]]:
        """Layers by positions: probability (of the likeliest token), target, entropy or divergence."""
        if measure not in MEASURES:
            raise InputError(f"A lens has no {measure!r}.", f"There are: {', '.join(MEASURES)}.")
        rows = self.layers.values()
        return [(row.probabilities[:, 0] if measure == "probability" else vars(row)[measure]).tolist() for row in rows]

    def frame(self) -> pd.DataFrame:
        """One row a layer and position; the likeliest tokens stand beside each other, the first one first. Entropy and
        divergence are in nats.
        """
        top = next(iter(self.layers.values())).ids.shape[1]
        guesses = [name for place in range(1, top + 1) for name in (f"token_{place}", f"probability_{place}")]
        columns = ["reads", *guesses, "entropy", "divergence", "target", "target_probability", "target_rank", "tuned"]
        keys = [(name, position) for name in self.layers for position in range(len(self.tokens))]
        return framed(("layer", "position"), keys, columns, [self._row(*key) for key in keys])

    def plot(self, measure: str = "probability", ax: Axes | None = None) -> Plot:
        """One measure, layers by positions."""
        from ...view.plots import grid

        label = MEASURES.get(measure, "").format(target=self.target)
        top = 1.0 if measure in ("probability", "target") else None
        tokens = [repr(token) for token in self.tokens]
        label = f"{label}, tuned lens" if self.translators else label
        drawn = grid(list(self.layers), tokens, self.values_of(measure), label, across="token read", top=top, ax=ax)
        return Plot(drawn, f"{label}, {len(self.layers)} layers by {len(tokens)} tokens of {self.prompt!r}", self.frame)

    def picture(self) -> Table:
        """Output on top, as the model is drawn."""
        names, maps = list(reversed(self.layers)), self.translators
        first = max(0, len(self.tokens) - SHOWN)
        shown = range(first, len(self.tokens))
        columns = [Column(repr(self.tokens[at]), [self._cell(name, at) for name in names]) for at in shown]
        rest = f" · the last {len(shown)} of {len(self.tokens)} tokens, all in .frame()" if first else ""
        tuned = f" · tuned on {maps.tokens:,} tokens" if maps else ""
        rows = [f"{name} tuned" if maps else name for name in names]
        return Table(rows, columns, title=self.prompt, caption=f"likeliest token, its probability{tuned}{rest}")

    def _cell(self, layer: str, position: int) -> str:
        token, share = self.best(layer, position)[0]
        return f"{number(share)} {token!r}"

    def _row(self, layer: str, position: int) -> list[object]:
        row = self.layers[layer]
        measured = [float(values[position]) for values in (row.entropy, row.divergence)]
        followed = [self.target, float(row.target[position]), int(row.rank[position]), self.translators is not None]
        guesses = [item for guess in self.best(layer, position) for item in guess]
        return [self.tokens[position], *guesses, *measured, *followed]
