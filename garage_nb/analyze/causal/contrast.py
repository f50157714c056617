"""Contrast: what a metric says of clean and of corrupt prompts, and how far between the two a patched run comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isclose

import torch
from jaxtyping import Float
from torch import Tensor

from ...errors import InputError
from .metrics import Metric

ALIKE = 1e-6  # of the larger baseline: a smaller difference is rounding in single precision


@dataclass(frozen=True)
class Span:
    """Tokens that are patched together: as they are said, and where that is a single one its text in the prompts.

    The text is empty where several pairs have different ones there.
    """

    said: str
    clean: str = ""
    corrupt: str = ""

    @property
    def name(self) -> str:
        """By its texts where there are any."""
        if not (self.clean and self.corrupt):
            return self.said
        return repr(self.clean) if self.clean == self.corrupt else f"{self.clean!r} for {self.corrupt!r}"


@dataclass(frozen=True, eq=False)
class Contrast:
    """Pairs of prompts, and what the metric says of the model untouched by patches under each."""

    clean: tuple[str, ...]
    corrupt: tuple[str, ...]
    label: str
    of_clean: Float[Tensor, " pairs"]
    of_corrupt: Float[Tensor, " pairs"]

    def __len__(self) -> int:
        return len(self.clean)

    def recovery(self, values: Float[Tensor, "pairs parts spans"]) -> Float[Tensor, "pairs parts spans"]:
        """(metric − corrupt) / (clean − corrupt): 0 where nothing changed, 1 where the clean answer is back."""
        low, high = self.of_corrupt[:, None, None], self.of_clean[:, None, None]
        return (values - low) / (high - low)

    @property
    def counted(self) -> str:
        return f"mean of {len(self)} pairs" if len(self) > 1 else ""


def baselines(metric: Metric, clean: Float[Tensor, " vocab"], corrupt: Float[Tensor, " vocab"]) -> tuple[float, float]:
    """What the metric says of the clean and of the corrupt run.

    InputError where that is the same: nothing is lost that could come back.
    """
    high, low = (float(metric(logits[None])[0]) for logits in (clean, corrupt))
    if isclose(high, low, rel_tol=ALIKE):
        raise InputError(
            f"{metric.label} is {high:.4g} under both prompts: there is nothing to bring back.",
            "Take prompts with different answers, or another metric, target or foil.",
        )
    return high, low


def contrasted(texts: Sequence[tuple[str, str]], label: str, ends: Sequence[tuple[float, float]]) -> Contrast:
    """Of pairs of prompts as they were said, and their baselines."""
    clean, corrupt = zip(*texts, strict=True)
    high, low = torch.tensor(ends, dtype=torch.float64).T
    return Contrast(clean, corrupt, label, high, low)
