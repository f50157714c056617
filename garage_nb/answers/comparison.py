"""Comparison: what two predictions of the next token have and do not have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jaxtyping import Float
from torch import Tensor

from ..core.chain import Chain
from ..core.run import NO_CHAIN, logits
from ..errors import InputError
from ..inject.recipe import Recipe
from ..registry.lift import Lifted
from ..view.bars import Column, Table
from ..view.shown import Shown
from .text import demand_finite, one_text

if TYPE_CHECKING:
    import pandas as pd

TOP = 5
TUNED = "tuned"


@dataclass(frozen=True, repr=False)
class Comparison(Shown):
    """The likeliest next tokens of two predictions: `a` and `b` are probabilities in the order of `tokens`.

    `divergence` is Kullback–Leibler KL(a ‖ b) over the whole vocabulary, in nats.
    """

    prompt: str
    labels: tuple[str, str]
    tokens: tuple[str, ...]
    a: tuple[float, ...]
    b: tuple[float, ...]
    divergence: float

    def frame(self) -> pd.DataFrame:
        """One row a token, one column a prediction."""
        import pandas as pd

        shares = list(zip(self.a, self.b, strict=True))
        frame: pd.DataFrame = pd.DataFrame(shares, columns=list(self.labels), index=pd.Index(self.tokens, name="token"))
        return frame

    def picture(self) -> Table:
        columns = [
            Column(label, share, bar=True, top=1.0, changed=label.split(", ")[-1] == TUNED)
            for label, share in zip(self.labels, (self.a, self.b), strict=True)
        ]
        caption = f"{self.prompt} …   KL({self.labels[0]} ‖ {self.labels[1]}) = {self.divergence:.3g} nats"
        return Table([repr(token) for token in self.tokens], columns, caption=caption)


def tuned_and_untouched(lifted: Lifted, prompt: str, recipe: Recipe) -> Comparison:
    """The next token with the recipe in force and without it."""
    ahead = [tap.site for tap in recipe.taps(lifted.spec)]
    a = _next(lifted, prompt, Recipe(), lifted.spec.chain.towards(ahead))
    b = _next(lifted, prompt, recipe, lifted.spec.chain)
    return _comparison(prompt, ("untouched", TUNED), (a, b), lifted.tokenizer)


def two_models(mine: Lifted, other: Lifted, prompt: str, recipe: Recipe) -> Comparison:
    """The next token of two models with one tokenizer; the recipe acts on the first."""
    if mine.spec.extra_info.get("tokenizer") != other.spec.extra_info.get("tokenizer"):
        raise InputError(
            f"{mine.spec.model_id} and {other.spec.model_id} number their tokens differently.",
            "Predictions can be compared between models with one tokenizer.",
        )
    labels = (f"{mine.spec.model_id}, {TUNED}" if len(recipe) else mine.spec.model_id, other.spec.model_id)
    return _comparison(prompt, labels, (_next(mine, prompt, recipe), _next(other, prompt, Recipe())), mine.tokenizer)


def _next(lifted: Lifted, prompt: str, recipe: Recipe, chain: Chain = NO_CHAIN) -> Float[Tensor, " vocab"]:
    batch = one_text(prompt, lifted)
    found = logits(lifted.model, batch, recipe.taps(lifted.spec), last=1, chain=chain)[0, -1]
    demand_finite(found)
    return found


def _comparison(prompt: str, labels: tuple[str, str], pair: tuple[Tensor, Tensor], tokenizer: Any) -> Comparison:
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
    )
