"""On texts: how surprised each model is by their tokens, and how far the judged one's predictions are from it.

The divergence is Kullback–Leibler KL(model ‖ judged) over the whole vocabulary, in nats, at every token that is
predicted. Texts pass one by one; of each only sums are kept, in float64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.progress import progress
from ...core.stats import exact
from ...errors import NotFiniteError
from ...registry.lift import Lifted
from ..lens.predictions import CHUNK
from ..texts.token_loss import Item
from .lineup import Lineup


@dataclass(frozen=True, eq=False, kw_only=True)
class OnTexts:
    """Sums over the predicted tokens of each text, whose domains are `domains`, for each model.

    losses      −log p, nats
    tokens      how many they are; `bytes` as UTF-8, NaN where no tokenizer tells
    divergence  KL(model ‖ judged), nats; NaN where the two read other tokens
    others      tokens where the likeliest is not the judged model's; NaN as before
    """

    domains: tuple[str, ...]
    losses: Float[Tensor, "models texts"]
    tokens: Float[Tensor, "models texts"]
    bytes: Float[Tensor, "models texts"]
    divergence: Float[Tensor, "models texts"]
    others: Float[Tensor, "models texts"]


def on_texts(lineup: Lineup, domains: Sequence[str], read: Sequence[Sequence[Item]], alike: Sequence[bool]) -> OnTexts:
    """`read` are the texts as each model reads them; `alike` says for each name whether it reads the judged one's."""
    columns = []
    lifted = list(lineup.lifted.values())
    with progress("judging by texts", "text", len(domains)) as bar:
        for items in zip(*read, strict=True):
            answers = lineup.logits([item.batch for item in items])
            mine = [items[reader] for reader in lineup.readers]
            sizes = [[item.tokens, _bytes(item, lifted[at])] for item, at in zip(mine, lineup.readers, strict=True)]
            losses = [float(item.losses(logits)[0]) for item, logits in zip(mine, answers, strict=True)]
            apart = [_apart(items[0], logits, answers[0], same) for logits, same in zip(answers, alike, strict=True)]
            columns.append([[loss, *size, *far] for loss, size, far in zip(losses, sizes, apart, strict=True)])
            bar.update()
    sums = torch.tensor(columns, dtype=torch.float64).permute(2, 1, 0)
    losses, tokens, counted, divergence, others = sums
    return OnTexts(
        domains=tuple(domains), losses=losses, tokens=tokens, bytes=counted, divergence=divergence, others=others
    )


def _apart(item: Item, logits: Tensor, judged: Tensor, is_alike: bool) -> tuple[float, float]:
    """In pieces: double precision of a large vocabulary takes room."""
    if not is_alike:
        return math.nan, math.nan
    counted = item.counted
    rows, others = logits[0, :-1][counted], judged[0, :-1][counted].to(logits.device)
    size = max(1, CHUNK // (rows.shape[-1] * 8))
    found = [_far(*pair) for pair in zip(rows.split(size), others.split(size), strict=True)]
    total, unlike = (float(torch.stack(column).double().sum()) for column in zip(*found, strict=True))
    if not math.isfinite(total):
        raise NotFiniteError("A model rules out what another holds for possible.", "Judge without it, or in float32.")
    return total, unlike


def _far(rows: Float[Tensor, "tokens vocab"], judged: Float[Tensor, "tokens vocab"]) -> tuple[Tensor, Tensor]:
    """On the host: the divergence summed over tokens, and how many of them differ in their likeliest."""
    log, log_judged = (exact(one).log_softmax(-1) for one in (rows, judged))
    share = log.exp()
    far = torch.where(share > 0, share * (log - log_judged), 0.0)
    return far.sum().cpu(), (rows.argmax(-1) != judged.argmax(-1)).sum().cpu()


def _bytes(item: Item, lifted: Lifted) -> float:
    """Of what is predicted, as text."""
    if lifted.tokenizer is None:
        return math.nan
    text = lifted.tokenizer.decode(item.targets.tolist(), clean_up_tokenization_spaces=False)
    return float(len(str(text).encode("utf-8", "surrogatepass")))
