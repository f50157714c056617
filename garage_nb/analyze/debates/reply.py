"""Reply: what one arm predicts on a sheet of exercises, and how that is marked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...core.stats import exact
from ...errors import NotFiniteError
from ..judging.sheets import Sheet

MARKS = ("right", "log_prob", "sure", "apart")


@dataclass(frozen=True, eq=False)
class Reply:
    """At every place `predicted` is written, and `sure` is its probability. `logs` are those of the tokens that come
    next in the sheet, None where there are no probabilities. `each` is what every perspective would have said, or
    every draw.
    """

    predicted: Int[Tensor, "rows seq"]
    sure: Float[Tensor, "rows seq"]
    logs: Float[Tensor, "rows next"] | None
    each: Int[Tensor, "k rows seq"] | None = None

    def marks(self, sheet: Sheet) -> Float[Tensor, "rows marks"]:
        """As in MARKS, row by row: 1 where all answers are right; log-probability of the answers, NaN without; product
        of how sure their tokens were; 1 where `each` were not of one mind at one of them, NaN without.
        """
        here = sheet.answers[:, 1:]
        right = sheet.right(self.predicted).double()
        lost = torch.full_like(right, math.nan)
        log_prob = lost if self.logs is None else torch.where(here, self.logs, 0.0).sum(1)
        sure = torch.where(here, self.sure[:, :-1], 1.0).prod(1)
        apart = lost if self.each is None else ((self.each != self.each[0]).any(0)[:, :-1] & here).any(1).double()
        return torch.stack([right, log_prob, sure, apart], 1)


def reply(
    logs: Float[Tensor, "rows seq vocab"], ids: Int[Tensor, "rows seq"], each: Int[Tensor, "k rows seq"] | None = None
) -> Reply:
    """Of log-probabilities, or logits; the likeliest token is written. On the host, NotFiniteError for NaN."""
    known = exact(logs).log_softmax(dim=-1)
    if bool(known.isnan().any()):
        raise NotFiniteError("The logits hold NaN.", "Give less strength, or load in float32.")
    best = known.max(dim=-1)
    following = known[:, :-1].gather(-1, ids[:, 1:, None].to(known.device))[..., 0]
    told = None if each is None else each.cpu()
    return Reply(best.indices.cpu(), best.values.exp().double().cpu(), following.double().cpu(), told)


def voted(drawn: Int[Tensor, "k rows seq"]) -> Reply:
    """The most frequent is written, of several the one that was drawn first; sure as the share of the draws."""
    votes = (drawn[:, None] == drawn[None]).sum(1)  # (k, rows, seq)
    winner = votes.argmax(0, keepdim=True)  # the first of equals
    return Reply(drawn.gather(0, winner)[0], votes.gather(0, winner)[0].double() / len(drawn), None, drawn)


def by_exercise(
    marks: Float[Tensor, "rows marks"], numbers: Int[Tensor, " rows"], count: int
) -> Float[Tensor, "exercises marks"]:
    """An exercise is right in any of its ways, and as likely as all of them together; the rest is of its surest way."""
    return torch.stack([_joined(marks[numbers == number]) for number in range(count)])


def _joined(ways: Float[Tensor, "ways marks"]) -> Float[Tensor, " marks"]:
    surest = ways[ways[:, 2].argmax()]
    return torch.stack([ways[:, 0].max(), ways[:, 1].logsumexp(0), surest[2], surest[3]])


def measured(
    marks: Sequence[Float[Tensor, "exercises marks"]], untouched: Float[Tensor, "exercises marks"]
) -> dict[str, Float[Tensor, " exercises"]]:
    """Means over draws: `accuracy`, `log_prob`, the Brier score (sure − right)², `overconfidence` sure − right,
    `flipped` where an exercise is right here and wrong untouched or the other way round, `disagreement` as `apart`.
    """
    right, log_prob, sure, apart = torch.stack(list(marks)).unbind(-1)  # (draws, exercises) each
    found = {
        "accuracy": right,
        "log_prob": log_prob,
        "brier": (sure - right).square(),
        "overconfidence": sure - right,
        "flipped": (right != untouched[:, 0]).double(),
        "disagreement": apart,
    }
    return {name: values.mean(0) for name, values in found.items()}
