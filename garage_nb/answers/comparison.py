"""Comparison: what two predictions of the next token have and do not have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jaxtyping import Float
from torch import Tensor

from ..core.chain import Chain
from ..core.memory import Memory
from ..core.run import NO_CHAIN, logits
from ..errors import InputError
from ..inject.recipe import Recipe
from ..plain import shorten
from ..registry.lift import Lifted
from ..view.bars import Column, Table
from ..view.figure import Plot
from ..view.frames import framed
from ..view.palette import AMBER, PLOT_LINE, PLOT_OTHER
from ..view.shown import Drawn
from .text import demand_finite, one_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

TOP = 5
LABEL = 24  # characters of a model's name in a caption
TUNED, UNTOUCHED = "tuned", "untouched"


@dataclass(frozen=True, repr=False)
class Comparison(Drawn):
    """The likeliest next tokens of two predictions: `a` and `b` are probabilities in the order of `tokens`.

    `divergence` is Kullback–Leibler KL(a ‖ b) over the whole vocabulary, in nats; `changed` says which of the two has
    edits in force.
    """

    prompt: str
    labels: tuple[str, str]
    tokens: tuple[str, ...]
    a: tuple[float, ...]
    b: tuple[float, ...]
    divergence: float
    changed: tuple[bool, bool] = (False, False)

    @property
    def likeliest(self) -> tuple[str, str]:
        """The token each of the two gives the most."""
        a, b = (max(range(len(shares)), key=shares.__getitem__) for shares in (self.a, self.b))
        return self.tokens[a], self.tokens[b]

    def frame(self) -> pd.DataFrame:
        """One row a token, one column a prediction."""
        return framed("token", self.tokens, self.labels, zip(self.a, self.b, strict=True))

    def plot(self, ax: Axes | None = None) -> Plot:
        """Both probabilities of every token, joined; the tuned model in amber."""
        from ..view.pairs import pairs

        plain = (PLOT_LINE, PLOT_OTHER)
        colors = tuple(AMBER if tuned else color for tuned, color in zip(self.changed, plain, strict=True))
        tokens, across = [repr(token) for token in self.tokens], "probability of the next token, logarithmic"
        drawn = pairs(tokens, (self.a, self.b), self.labels, (colors[0], colors[1]), across=across, ax=ax)
        words = f"probabilities of {len(tokens)} tokens after {self.prompt!r}, {self.labels[0]} and {self.labels[1]}"
        return Plot(drawn, words, self.frame)

    def picture(self) -> Table:
        columns = [
            Column(label, share, bar=True, top=1.0, changed=changed)
            for label, share, changed in zip(self.labels, (self.a, self.b), self.changed, strict=True)
        ]
        a, b = (shorten(label, LABEL) for label in self.labels)
        caption = f"KL({a} ‖ {b}) = {self.divergence:.3g} nats"
        return Table([repr(token) for token in self.tokens], columns, title=f"{self.prompt} …", caption=caption)


def tuned_and_untouched(lifted: Lifted, prompt: str, recipe: Recipe, memory: Memory | None = None) -> Comparison:
    """The next token with the recipe in force and without it, which a `memory` knows from the last time."""
    ahead = lifted.spec.chain.towards(tap.site for tap in recipe.taps(lifted.spec))
    a = (memory or Memory()).once(lifted.model, ("next", prompt), lambda: _next(lifted, prompt, Recipe(), ahead))
    b = _next(lifted, prompt, recipe, lifted.spec.chain)
    return _comparison(prompt, (UNTOUCHED, TUNED), (a, b), (False, len(recipe) > 0), lifted.tokenizer)


def two_models(mine: Lifted, other: Lifted, prompt: str, recipe: Recipe) -> Comparison:
    """The next token of two models with one tokenizer; the recipe acts on the first."""
    if mine.spec.extra_info.get("tokenizer") != other.spec.extra_info.get("tokenizer"):
        raise InputError(
            f"{mine.spec.model_id} and {other.spec.model_id} number their tokens differently.",
            "Predictions can be compared between models with one tokenizer.",
        )
    tuned = len(recipe) > 0
    both = (_next(mine, prompt, recipe), _next(other, prompt, Recipe()))
    return _comparison(prompt, _labels(mine, other, tuned), both, (tuned, False), mine.tokenizer)


def _labels(mine: Lifted, other: Lifted, tuned: bool) -> tuple[str, str]:
    """Two, whatever the models are called."""
    a, b = mine.spec.model_id, other.spec.model_id
    if tuned:
        return f"{a}, {TUNED}", b
    return (a, b) if a != b else (f"{a}, first", f"{b}, second")


def _next(lifted: Lifted, prompt: str, recipe: Recipe, chain: Chain = NO_CHAIN) -> Float[Tensor, " vocab"]:
    batch = one_text(prompt, lifted)
    found = logits(lifted.model, batch, recipe.taps(lifted.spec), last=1, chain=chain)[0, -1]
    demand_finite(found)
    return found


def _comparison(
    prompt: str, labels: tuple[str, str], pair: tuple[Tensor, Tensor], changed: tuple[bool, bool], tokenizer: Any
) -> Comparison:
    """Over the likeliest tokens of both, those of the first in front."""
    log_a, log_b = (logits.double().cpu().log_softmax(-1) for logits in pair)
    shown = list(dict.fromkeys([*log_a.topk(TOP).indices.tolist(), *log_b.topk(TOP).indices.tolist()]))
    return Comparison(
        prompt=prompt,
        labels=labels,
        tokens=tuple(tokenizer.decode([token]) for token in shown),
        a=tuple(log_a[shown].exp().tolist()),
        b=tuple(log_b[shown].exp().tolist()),
        divergence=float((log_a.exp() * (log_a - log_b)).sum()),
        changed=changed,
    )
