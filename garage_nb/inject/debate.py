"""Self-debate: two disturbed views of the hidden states at one place, reconciled into what the model goes on with.

Nothing here has been trained to help. Where a gate decides, it is random until a fitted one is given, and everything
that reports a debate says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from torch import nn

from .layer import LayerInjector
from .rounds import Debate as Debate
from .rounds import Round


class SelfDebate:
    """A debate in force while the `with` block stands, after one layer of a model of any family."""

    def __init__(
        self,
        model: nn.Module,
        layer_idx: int,
        divergence_method: str = "dropout",
        reconciliation_method: str = "average",
        *,
        divergence_strength: float = 0.1,
        seed: int = 0,
        gate: nn.Module | None = None,
    ) -> None:
        """Negative layers count from the end. What the words mean is said at `Debate`."""
        self._injector = LayerInjector(model)
        place = self._injector.spec.name(f"layer_{layer_idx}")
        self.debate = Debate(place, divergence_method, reconciliation_method, divergence_strength, seed, gate)
        self._round = Round(self.debate)

    def __enter__(self) -> SelfDebate:
        self._round = Round(self.debate)
        self._injector.inject(self.debate.at, self._round, str(self.debate))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._injector.remove_all()

    def get_debate_info(self) -> Mapping[str, Any]:
        """How the debate is set, and `cosine` between the views in the latest pass: mean over tokens, None before."""
        cosines, debate = self._round.cosines, self.debate
        return {
            "layer": debate.at,
            "divergence": debate.divergence,
            "reconciliation": debate.reconciliation,
            "strength": debate.strength,
            "seed": debate.seed,
            "cosine": None if cosines is None else float(cosines.mean()),
            "trained": debate.trained,
            "status": debate.status,
        }

    def __repr__(self) -> str:
        return f"SelfDebate({self.debate})"
