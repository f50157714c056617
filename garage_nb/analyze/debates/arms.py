"""Arms: the debate in several forms, and what each of them must beat for as much, or less.

A new arm is one function here and its line in `arms`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from ...core.batch import Batch
from ...core.run import logits
from ...core.seed import seeded
from ...core.sites import Write
from ...core.stats import exact
from ...errors import NotFiniteError
from ...inject.debating.debating import Debating
from ...inject.debating.gate import Gate
from ...inject.debating.held import held
from ...inject.debating.perspectives import viewed
from ...inject.recipe import Recipe
from ...registry.lift import Lifted
from .reply import Reply, reply, voted

UNTOUCHED = "untouched"


@dataclass(frozen=True)
class Asked:
    """One sheet, put to the model with a recipe in force; `draw` counts how often it was asked by other seeds."""

    lifted: Lifted
    recipe: Recipe
    batch: Batch
    draw: int

    def logits(self, *more: Write) -> Tensor:
        spec = self.lifted.spec
        taps = [*self.recipe.taps(spec), *more]
        return logits(self.lifted.model, self.batch, taps, chain=spec.chain)


@dataclass(frozen=True)
class Arm:
    """`passes` of the model are run for a token; what is `by_chance` is another thing with every draw."""

    name: str
    passes: int
    answer: Callable[[Asked], Reply]
    by_chance: bool = True


def arms(debating: Debating, lifted: Lifted, gate: Gate | None) -> list[Arm]:
    """The untouched model first. `debating` says how far perspectives run in one arm; in others not at all, and to the
    end; where nothing runs, none is said to run. A `gate` makes one arm more.
    """
    whole, far = (replace(debating, blocks=blocks).span(lifted.spec).blocks for blocks in (None, debating.blocks))
    count = len(debating.seeds)
    names = {far: f"{far} block{'s' * (far != 1)} on", whole: "to the end", 0: "merged in place"}
    forms = {names[blocks]: replace(debating, blocks=blocks) for blocks in sorted({0, far, whole})}
    if gate is not None:
        forms[f"gated, {names[far]}"] = replace(debating, blocks=far, reconciliation="gated", gate=gate)
    found = [Arm(UNTOUCHED, 1, _bare, by_chance=False), Arm("one noise", 1, partial(_noise, debating))]
    found += [Arm(name, count + 1, partial(_debate, form)) for name, form in forms.items()]
    found.append(Arm("mean probabilities", count, partial(_mean, debating)))
    return [*found, Arm("vote of draws", 1, partial(_vote, count + 1, debating.seeds[0]))]


def matched(debating: Debating) -> float:
    """The strength at which one view strays as far, in mean square, as the mean of all perspectives where they part.

    Views stray independently, so their mean does 1/n as far. What dropout p adds has variance p / (1 − p) times x².
    """
    count = len(debating.seeds)
    if debating.divergence != "dropout":
        return debating.strength / math.sqrt(count)
    odds = debating.strength / (1 - debating.strength) / count
    return odds / (1 + odds)


def _bare(asked: Asked) -> Reply:
    return reply(asked.logits(), asked.batch.input_ids)


def _noise(debating: Debating, asked: Asked) -> Reply:
    """One view in place of the stream, as loud as the mean of the perspectives."""
    seed = _drawn(debating, asked.draw).seeds[0]
    return reply(_alone(replace(debating, strength=matched(debating)), seed, asked), asked.batch.input_ids)


def _debate(debating: Debating, asked: Asked) -> Reply:
    lifted = asked.lifted
    found = held(lifted.model, lifted.spec, asked.batch, _drawn(debating, asked.draw), asked.recipe)
    return reply(found.reconciled, asked.batch.input_ids, found.perspectives.argmax(dim=-1))


def _mean(debating: Debating, asked: Asked) -> Reply:
    """The mean of what perspectives that never meet would say: Gal & Ghahramani, "Dropout as a Bayesian Approximation",
    2016, where they differ by dropout.
    """
    each = torch.stack([_alone(debating, seed, asked) for seed in _drawn(debating, asked.draw).seeds])
    logs = exact(each).log_softmax(dim=-1).logsumexp(dim=0) - math.log(len(each))
    return reply(logs, asked.batch.input_ids, each.argmax(dim=-1))


def _vote(count: int, seed: int, asked: Asked) -> Reply:
    """Wang et al., "Self-Consistency Improves Chain of Thought Reasoning", 2022, token by token: of `count` draws from
    the untouched model, at temperature 1, the most frequent is written. All are drawn from one pass.
    """
    shares = exact(asked.logits()).softmax(dim=-1).cpu()
    if bool(shares.isnan().any()):
        raise NotFiniteError("The logits hold NaN.", "Take the last edit back, or load in float32.")
    generator = seeded(seed + asked.draw)
    drawn = torch.multinomial(shares.flatten(0, 1), count, replacement=True, generator=generator)  # (rows · seq, k)
    return voted(drawn.T.unflatten(1, shares.shape[:2]))


def _alone(debating: Debating, seed: int, asked: Asked) -> Tensor:
    """Logits of one view that takes the place of the stream."""
    spec, write = asked.lifted.spec, viewed(debating.divergence, debating.strength, seed)
    return asked.logits(Write(spec.site(debating.span(spec).start.name), write, "one view"))


def _drawn(debating: Debating, draw: int) -> Debating:
    """By seeds that no other draw has."""
    apart = max(debating.seeds) - min(debating.seeds) + 1
    return replace(debating, seeds=tuple(seed + draw * apart for seed in debating.seeds))
