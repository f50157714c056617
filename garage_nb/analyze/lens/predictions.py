"""Reading logits as predictions, position by position, with no more of them in double precision than a budget."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...core.stats import exact
from ...errors import NotFiniteError

CHUNK = 1 << 26  # bytes of log-probabilities at a time


@dataclass(frozen=True, eq=False)
class Predictions:
    """On the host. `ids` are the likeliest tokens, the first one first; entropy and divergence are in nats.

    `divergence` is Kullback–Leibler KL(final ‖ this) over the whole vocabulary. `rank` counts from 1.
    """

    ids: Int[Tensor, "seq top"]
    probabilities: Float[Tensor, "seq top"]
    entropy: Float[Tensor, " seq"]
    divergence: Float[Tensor, " seq"]
    target: Float[Tensor, " seq"]
    rank: Int[Tensor, " seq"]


def predictions(
    logits: Float[Tensor, "seq vocab"], final: Float[Tensor, "seq vocab"], *, top: int, target: int
) -> Predictions:
    """NotFiniteError for NaN and infinity: the likeliest of NaNs would look like any other token."""
    if not bool(logits.isfinite().all()):
        raise NotFiniteError(
            "What the model makes of these hidden states holds NaN or infinity.",
            "Take the last edit back, or load the model in float32.",
        )
    rows = max(1, CHUNK // (logits.shape[-1] * 8))
    pieces = zip(logits.split(rows), final.split(rows), strict=True)
    columns = zip(*(_read(piece, last, top, target) for piece, last in pieces), strict=True)
    return Predictions(*(torch.cat(column).cpu() for column in columns))


def _read(logits: Tensor, final: Tensor, top: int, target: int) -> tuple[Tensor, ...]:
    log, log_final = (exact(one).log_softmax(-1) for one in (logits, final))
    share, share_final = log.exp(), log_final.exp()
    best = share.topk(top, dim=-1)
    apart = torch.where(share_final > 0, share_final * (log_final - log), 0.0)
    aim = log[:, target]
    rank = (log > aim[:, None]).sum(-1) + 1
    return best.indices, best.values, torch.special.entr(share).sum(-1), apart.sum(-1), aim.exp(), rank
