"""Held: a debate that has run once over whole texts, and what each of its perspectives would have said."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ...core.batch import Batch
from ...core.run import logits
from ...core.sites import Tap
from ...core.stats import exact
from ...errors import NotFiniteError
from ...registry.specs import ModelSpec
from ...view.bars import Column, Table
from ...view.frames import framed
from ...view.shown import Shown
from ..recipe import Recipe
from ..sweep import side_by_side
from .debating import Debating
from .perspectives import Perspectives

if TYPE_CHECKING:
    import pandas as pd

NO_EDITS = Recipe()
PAIRED = ("cosine", "KL first ‖ second", "KL second ‖ first", "likeliest the same")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Held(Shown):
    """One pass. `reconciled` are the logits of the stream that took what the perspectives came to, `perspectives` of
    each that went on by itself, as the model's own head has them. Cosines, shares and likeness as of `Perspectives`,
    likeness at `layers`. `real` says which positions are no padding, `met` the same of those where they met, which are
    others where an encoder debates.
    """

    debating: Debating
    layers: tuple[str, ...]
    reconciled: Float[Tensor, "batch seq vocab"]
    perspectives: Float[Tensor, "n batch seq vocab"]
    cosines: Float[Tensor, "pairs batch place"]
    shares: Float[Tensor, "n batch place"]
    likeness: Float[Tensor, "layers n batch place"]
    real: Bool[Tensor, "batch seq"]
    met: Bool[Tensor, "batch place"]

    @property
    def divergences(self) -> Float[Tensor, "n n batch seq"]:
        """Kullback–Leibler KL(i ‖ j) of what i and j would have said, in nats; not the same both ways."""
        logs = exact(self.perspectives).log_softmax(dim=-1)
        return torch.stack([torch.stack([_apart(a, b) for b in logs]) for a in logs])

    @property
    def status(self) -> str:
        return self.debating.status(len(self.layers) - 1)

    def frame(self) -> pd.DataFrame:
        """One row a pair of perspectives, means over the tokens that are no padding; KL in nats."""
        return framed("pair", self._pairs, PAIRED, self._rows())

    def picture(self) -> Table:
        values = zip(*self._rows(), strict=True)
        columns = [Column(head, column) for head, column in zip(PAIRED, values, strict=True)]
        weights = ", ".join(f"{float(share[self.met].mean()):.3f}" for share in self.shares)
        told = f"means over {int(self.real.sum()):,} tokens, KL in nats · weights: {weights} · {self.status}"
        return Table([f"perspectives {pair}" for pair in self._pairs], columns, told, title=self.debating.settings)

    @property
    def _pairs(self) -> list[str]:
        return [f"{a},{b}" for a, b in combinations(range(len(self.shares)), 2)]

    def _rows(self) -> list[list[float]]:
        apart, likeliest = self.divergences, self.perspectives.argmax(dim=-1)
        each = zip(combinations(range(len(self.shares)), 2), self.cosines, strict=True)
        return [
            [
                _mean(cosine, self.met),
                *(_mean(one, self.real) for one in (apart[a, b], apart[b, a], likeliest[a] == likeliest[b])),
            ]
            for (a, b), cosine in each
        ]


def held(
    model: nn.Module, spec: ModelSpec, batch: Batch, debating: Debating, recipe: Recipe = NO_EDITS, *, last: int = 0
) -> Held:
    """One pass over prompts that may be padded; of the `last` positions when given. The edits of the recipe act in the
    model's own stream and in every perspective, before the debate where they share a place. EditError as of
    `Debating.span`, NotFiniteError for NaN and infinity among the real tokens.
    """
    open_ = Perspectives(debating.within(spec))
    edits = side_by_side([recipe] * open_.rows, spec)
    wanted: list[Tap] = [*edits, *open_.taps(spec), *open_.reads(spec)]
    alone = recipe.taps(spec)
    found = logits(model, batch, wanted, last=last, chain=spec.chain, rows=open_.rows, alone=alone)
    own, *others = found.chunk(open_.rows)
    real = torch.ones(own.shape[:2], dtype=torch.bool, device=own.device)
    if batch.decoder_input_ids is None and batch.padding is not None:
        real = batch.padding[:, -own.shape[1] :].bool().to(own.device)
    if not all(bool(one[real].isfinite().all()) for one in (own, *others)):
        raise NotFiniteError(f"{str(debating)!r} leads to NaN or infinity.", "Give less strength, or load in float32.")
    kept = [one[..., -last:].to(own.device) for one in (open_.cosines, open_.shares, open_.likeness)]
    return Held(
        debating=open_.debating,
        layers=debating.span(spec).layers,
        reconciled=own,
        perspectives=torch.stack(others),
        cosines=kept[0],
        shares=kept[1],
        likeness=kept[2],
        real=real,
        met=real if kept[0].shape[1:] == real.shape else batch.attention_mask[:, -kept[0].shape[2] :].bool(),
    )


def _mean(values: Tensor, where: Tensor) -> float:
    return float(values[where].double().mean())


def _apart(a: Tensor, b: Tensor) -> Tensor:
    share = a.exp()
    return torch.where(share > 0, share * (a - b), 0.0).sum(dim=-1)
