"""Does a model use its depth? What each block is worth, and at which depth each domain's answers can be read.

A model whose later blocks do nothing makes every layer experiment meaningless; `failures` is the gate against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..core.batch import Batch
from ..core.run import logits, read
from ..core.sites import Read, Site, Tap, Write, everywhere
from ..registry.decompose import spec_of
from ..registry.specs import ModelSpec
from . import corpus
from .domains import DOMAINS
from .evaluate import Predict, exercises, score

if TYPE_CHECKING:
    from tokenizers import Tokenizer

BLOCK_COSTS = 0.10  # accuracy that skipping any one block must cost somewhere
ABOVE_FLOOR = 0.15  # what counts as learned
MASTERED = 0.95  # above it differences hide, and the hard items take over
INDUCTION = 0.60  # copy and recall
AS_GOOD_AS_BEST = 0.02  # a domain has peaked at the first depth that is this near to its best one


@dataclass(frozen=True, kw_only=True)
class Depth:
    """Held-out accuracies by domain. `skipped` and `lens` have one number for each block, first to last."""

    n: int
    whole: dict[str, float]
    skipped: dict[str, tuple[float, ...]]
    lens: dict[str, tuple[float, ...]]

    @property
    def blocks(self) -> int:
        return len(next(iter(self.lens.values())))

    def drop(self, domain: str, block: int) -> float:
        """Accuracy lost when the block is skipped."""
        return self.whole[domain] - self.skipped[domain][block]

    def peak(self, domain: str) -> int:
        """The first block after which the answer can be read off as well as it ever can."""
        best = max(self.lens[domain])
        return next(block for block, share in enumerate(self.lens[domain]) if share >= best - AS_GOOD_AS_BEST)


def measure(
    model: nn.Module, tokenizer: Tokenizer, n: int, *, domains: Sequence[str] = tuple(DOMAINS), seed: int = 1
) -> Depth:
    """On `n` held-out items a domain, the same ones in every arm."""
    spec = spec_of(model)
    blocks = range(spec.num_layers)
    batches = {domain: exercises(tokenizer, corpus.items(domain, n=n, seed=seed)) for domain in domains}
    return Depth(
        n=n,
        whole={domain: score(_with(model, []), asked).accuracy for domain, asked in batches.items()},
        skipped={
            domain: tuple(score(_with(model, skip(spec, block)), asked).accuracy for block in blocks)
            for domain, asked in batches.items()
        },
        lens={
            domain: tuple(score(_read_off(model, spec, block), asked).accuracy for block in blocks)
            for domain, asked in batches.items()
        },
    )


def failures(depth: Depth) -> list[str]:
    """Why a model cannot carry layer experiments; empty when it can."""
    found = [
        f"skipping block {block} costs less than {BLOCK_COSTS:.0%} on every domain"
        for block in range(depth.blocks)
        if max(depth.drop(domain, block) for domain in depth.whole) < BLOCK_COSTS
    ]
    learned = {domain for domain in depth.whole if depth.whole[domain] >= corpus.floor(domain) + ABOVE_FLOOR}
    if len({depth.peak(domain) for domain in learned}) < 2:
        found.append("every domain peaks at the same depth")
    found += [
        f"{domain} is at {depth.whole[domain]:.0%}, induction needs {INDUCTION:.0%}"
        for domain in ("copy", "recall")
        if depth.whole[domain] < INDUCTION
    ]
    if len(learned) < 6:
        found.append(f"only {len(learned)} domains are {ABOVE_FLOOR:.0%} above what guessing scores")
    return found


def skip(spec: ModelSpec, block: int) -> list[Tap]:
    """Taps that let a block hand on what it was given."""
    given: list[Tensor] = []
    path = spec.site(f"layer_{block}").path
    return [Read(Site(path, "input"), given.append), Write(Site(path), everywhere(lambda _: given.pop()))]


def _with(model: nn.Module, taps: list[Tap]) -> Predict:
    return lambda ids: logits(model, _batch(ids), taps).argmax(-1)


def _read_off(model: Any, spec: ModelSpec, block: int) -> Predict:
    """The logit lens: the residual stream leaving a block, through the final norm and the output head."""
    norm = model.get_submodule(spec.site("layer_norm_final").path)
    head = model.get_output_embeddings()

    def predict(ids: Tensor) -> Tensor:
        left: list[Tensor] = []
        read(model, _batch(ids), [Read(spec.site(f"layer_{block}"), left.append)])
        with torch.no_grad():
            predicted: Tensor = head(norm(left[0])).argmax(-1)
        return predicted

    return predict


def _batch(ids: Tensor) -> Batch:
    # All ones: the padding stands on the right, where no counted token looks.
    return Batch(ids, torch.ones_like(ids))
