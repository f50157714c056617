"""Debating: a value saying where the stream parts into perspectives, how far those run on, and how they meet again."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...core.chain import Link
from ...core.seed import seeded
from ...errors import EditError
from ...registry.specs import ModelSpec
from ..edit import said, short
from ..rounds import Debate
from .gate import Gate

NOISE = "perturb-and-merge noise: nothing ran between parting and meeting"


@dataclass(frozen=True)
class Span:
    """The blocks from the one behind which the stream parts to the one behind which it is one again."""

    links: tuple[Link, ...]

    @property
    def start(self) -> Link:
        return self.links[0]

    @property
    def end(self) -> Link:
        return self.links[-1]

    @property
    def blocks(self) -> int:
        """How many run in between."""
        return len(self.links) - 1

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(link.name for link in self.links)


@dataclass(frozen=True)
class Debating:
    """At the layer `at` the stream parts into as many perspectives as there are `seeds`. Each runs on through the next
    `blocks` blocks, None for all there are, and then they are reconciled: their hidden states, not their answers.

    Equal perspectives are joined to the bit, so strength 0 changes nothing but what a batch n + 1 times as large rounds
    otherwise, in float32 within 1e-5 of the largest logit.

    `divergence`, `strength` and `reconciliation` are those of `Debate`, of n perspectives in place of two: confidence
    is the softmax over all of them, gated that of a `gate`. With None a random gate stands in for it. What a
    perspective draws for a token depends on its seed and the token's position in its text alone: not on padding, on
    other texts, or on what comes later.

    With 0 blocks nothing runs between parting and meeting: that is a debate in name, and only noise.
    """

    at: str
    blocks: int | None = None
    divergence: str = "dropout"
    reconciliation: str = "average"
    strength: float = 0.1
    seeds: tuple[int, ...] = (0, 1)
    gate: Gate | None = None

    def __post_init__(self) -> None:
        Debate(self.at, self.divergence, self.reconciliation, self.strength)  # refuses what it does not know
        if self.blocks is not None and (type(self.blocks) is not int or self.blocks < 0):
            raise EditError(f"{said(self.blocks)} is no number of blocks.", "Give 0, 1, 2 …, or None for to the end.")
        object.__setattr__(self, "seeds", tuple(self.seeds))
        if len(self.seeds) < 2 or len(set(self.seeds)) < len(self.seeds):
            raise EditError(f"The seeds {short(self.seeds)} are no debate.", "Give two or more, each another.")
        for seed in self.seeds:
            seeded(seed)
        self._demand_gate()

    def span(self, spec: ModelSpec) -> Span:
        """In this model. EditError for a place that no whole block leaves, for too few blocks behind it, and for a gate
        of another width.
        """
        name = spec.name(self.at)
        start = next((link for link in spec.chain.links if link.name == name), None)
        if start is None:
            raise EditError(f"No whole block leaves {name}.", "Name a layer: layer_3, layer_-2.")
        later = [link for link in spec.chain.links if link.stack == start.stack]
        later = later[later.index(start) :]
        blocks = len(later) - 1 if self.blocks is None else self.blocks
        if blocks >= len(later):
            raise EditError(
                f"After {name} there are {len(later) - 1} blocks, not {blocks}.", "Ask for fewer, or None for all."
            )
        if self.gate is not None and self.gate.width != spec.hidden_dim:
            raise EditError(
                f"The gate is {self.gate.width} wide, {name} is {spec.hidden_dim}.", "Fit one on this model."
            )
        return Span(tuple(later[: blocks + 1]))

    def within(self, spec: ModelSpec) -> Debating:
        """The same by the layer's own name and with its blocks counted: what does the same in this model is equal.
        EditError as of `span`.
        """
        span = self.span(spec)
        return replace(self, at=span.start.name, blocks=span.blocks)

    def status(self, blocks: int | None) -> str:
        """What must be said of it, where it runs on for so many blocks."""
        trained = "untrained" if self.reconciliation == "gated" else "no gate"
        if self.gate is not None and self.gate.fit is not None:
            trained = f"gate fitted on {self.gate.fit.n:,} texts" if self.is_own_gate else "gate of another debate"
        return f"{trained}; {NOISE}" if blocks == 0 else trained

    @property
    def is_own_gate(self) -> bool:
        return self.gate is not None and self.gate.debate == self.settings

    @property
    def settings(self) -> str:
        """All but the gate, in words."""
        far = "to the end" if self.blocks is None else f"for {self.blocks}"
        how = f"{self.divergence} {self.reconciliation} {self.strength:g}"
        return f"debating {self.at} {far} {how} {','.join(map(str, self.seeds))}"

    def __str__(self) -> str:
        return f"{self.settings} ({self.status(self.blocks)})"

    def _demand_gate(self) -> None:
        if self.gate is None:
            return
        if self.reconciliation != "gated":
            raise EditError(f"A gate was given, but {self.reconciliation} has none.", 'Use reconciliation "gated".')
        if self.gate.count != len(self.seeds):
            raise EditError(
                f"The gate weighs {self.gate.count} perspectives, there are {len(self.seeds)}.", "Give as many seeds."
            )
