"""Finding: one measure of one model in one domain, and how the judged model compares with it there."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .contest import LEVEL
from .redrawn import NONE, Estimate

SAME, BETTER, WORSE = "undecided", "better", "worse"


@dataclass(frozen=True)
class Measure:
    """`said` is what it is called, `defined` what its axis says. `order` is 1 where more is better, -1 where less is.

    Models are compared by a ratio or a difference. A measure that `is_of_pair` is one of the judged model and another;
    one that `is_whole` has no domains. `sure` says what low and high are; a table multiplies by `scale`.
    """

    said: str
    defined: str
    order: int = 0
    is_ratio: bool = False
    is_of_pair: bool = False
    is_whole: bool = False
    sure: str = "95 % intervals"
    scale: float = 1.0

    @property
    def change(self) -> Callable[[Tensor, Tensor], Tensor]:
        return torch.div if self.is_ratio else torch.sub

    @property
    def compared(self) -> str:
        return "" if self.is_of_pair else "ratio" if self.is_ratio else "difference"


MEASURES = {
    "perplexity": Measure("perplexity", "perplexity, exp of nats per token", -1, is_ratio=True),
    "surprise": Measure("nats per byte", "−log p, nats per byte of what is predicted", -1),
    "divergence": Measure("KL(other ‖ judged)", "KL(other ‖ judged), nats per token", is_of_pair=True),
    "other": Measure("likeliest differs", "share of tokens whose likeliest is another", is_of_pair=True),
    "accuracy": Measure("accuracy", "accuracy, share of items", 1),
    "parameters": Measure("parameters, M", "parameters", is_ratio=True, is_whole=True, sure="counted", scale=1e-6),
    "memory": Measure(
        "memory, MB", "weights and buffers, bytes", is_ratio=True, is_whole=True, sure="counted", scale=1e-6
    ),
    "passes": Measure("passes per token", "forward passes per token", is_ratio=True, is_whole=True, sure="counted"),
    "milliseconds": Measure(
        "one pass, ms", "one forward pass, ms", -1, is_ratio=True, is_whole=True, sure="median, fastest and slowest"
    ),
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """`estimate` of a model over `n` texts, items or rounds; `change` is the judged model's by it, or less it.

    `p` is McNemar's, `adjusted` Holm's over domains; `smallest` the difference that so many items would show 4 times
    in 5. `note` says why something is not there.
    """

    measure: str
    model: str
    domain: str
    estimate: Estimate
    n: int
    change: Estimate = NONE
    p: float = math.nan
    adjusted: float = math.nan
    smallest: float = math.nan
    note: str = ""

    @property
    def verdict(self) -> str:
        """Of the judged model: better, worse, undecided; empty where nothing is compared.

        By Holm's p of items at 0.05, by the interval of texts, by all rounds of timing.
        """
        kind = MEASURES[self.measure]
        if not kind.order or math.isnan(self.change.value):
            return ""
        even = 1.0 if kind.is_ratio else 0.0
        told = self.change.low > even or self.change.high < even
        if not math.isnan(self.p):
            told = (self.p if math.isnan(self.adjusted) else self.adjusted) <= LEVEL
        if not told:
            return SAME
        return BETTER if (self.change.value - even) * kind.order > 0 else WORSE
