"""Runs whose truth is known: items of unlike difficulty, seeds that differ, and effects put there by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from garage_nb.methods.claim import Arm, Claim, Effort, Role
from garage_nb.methods.outcomes import Item, Marks, Outcomes
from garage_nb.methods.rules.beats import Beats
from garage_nb.methods.rules.rule import Rule


@dataclass(frozen=True, kw_only=True)
class World:
    """`effects` are added to the log-odds of an arm's answers; every arm has a new `luck` under every seed."""

    effects: Mapping[str, float]
    items: int = 60
    seeds: int = 5
    luck: float = 0.2
    noise: float = 0.5
    shares: Mapping[str, float] = field(default_factory=dict)

    def outcomes(self, count: int, seed: int = 0) -> Iterator[Outcomes]:
        """So many tables of runs of this one truth."""
        made = torch.Generator().manual_seed(seed)
        size = (count, self.seeds, len(self.effects), self.items)
        hard = torch.randn(count, 1, 1, self.items, generator=made)
        luck = self.luck * torch.randn(*size[:3], 1, generator=made)
        odds = hard + torch.tensor([*self.effects.values()])[:, None] + luck
        odds = odds + self.noise * torch.randn(size, generator=made)
        drawn = torch.rand(size, generator=made)
        shares = torch.tensor([self.shares.get(arm, 0.0) for arm in self.effects])[:, None]
        share = 0.25 + shares + 0.1 * torch.randn(size, generator=made)
        for place in range(count):
            yield self._one(odds[place], drawn[place], share[place].double())

    def _one(self, odds: Tensor, drawn: Tensor, share: Tensor) -> Outcomes:
        return Outcomes(
            key="planted",
            model_id="none",
            items=named(self.items),
            arms=tuple(self.effects),
            seeds=tuple(range(self.seeds)),
            right=drawn < odds.sigmoid(),
            log_probs=torch.nn.functional.logsigmoid(odds.double()),
            readings={"share": share},
        )


def named(count: int, domains: Sequence[str] = ("sums",)) -> tuple[Item, ...]:
    return tuple(Item(domain, f"{domain} {place}") for domain in domains for place in range(count))


ARMS = (
    Arm("target", Role.NO_OP),
    Arm("itself", Role.NO_OP),
    Arm("gated", Role.TREATMENT),
    Arm("ensemble", Role.BASELINE),
    Arm("shuffled", Role.CONTROL, "the source's states in another order"),
)


def claim(rule: Rule | None = None, **more: object) -> Claim:
    wanted = rule or Beats(treatment="gated", controls=("shuffled",), margin=0.05)
    said = {"statement": "A gate helps.", "source": "nobody", "protocol": "Items are drawn."}
    given = {"key": "gated-over-shuffled", "arms": ARMS, "rule": wanted, "target": ("sums",), "quick": Effort(40, 3)}
    return Claim(**{**said, **given, **more})  # type: ignore[arg-type]


@dataclass(frozen=True)
class Planted:
    """A study without a model: `gated` is right more often on sums, and loses stories."""

    gain: float = 2.0
    model_id: str = "none"

    def items(self, count: int) -> Sequence[Item]:
        return named(count, ("sums", "stories"))

    def arms(self, seed: int, items: Sequence[Item]) -> Iterator[tuple[str, Marks]]:
        target = torch.tensor([item.domain == "sums" for item in items]).float()
        hard = torch.randn(len(items), generator=torch.Generator().manual_seed(7))
        for number, (arm, gain) in enumerate(self._gains(target).items()):
            made = torch.Generator().manual_seed(1000 * seed + number)
            touched = 0.0 if arm in ("target", "itself") else 0.3
            odds = (hard + gain + touched * torch.randn(len(items), generator=made)).double()
            yield arm, Marks(right=odds > 0, log_probs=torch.nn.functional.logsigmoid(odds))

    def _gains(self, target: Tensor) -> dict[str, Tensor]:
        """By arm."""
        none = torch.zeros_like(target)
        gated = self.gain * target - (1 - target)
        return {"target": none, "itself": none, "shuffled": none, "gated": gated, "ensemble": 2 * target}
