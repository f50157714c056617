"""Fitted: a gate that was fitted, with what it was fitted on and where it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import EditError
from ...view.bars import number
from ...view.cards import Card
from ...view.frames import framed
from ...view.shown import Shown
from ..blades.card import FitCard
from .debating import Debating
from .files import load_gate
from .gate import Gate

if TYPE_CHECKING:
    import pandas as pd

CLAIM = "That it predicts these texts better says nothing of others: hold it against the average with debates."


@dataclass(frozen=True, repr=False, kw_only=True)
class FittedGate(Shown):
    """`debating` with its gate; `saved` is the file, None for one that is kept here alone."""

    model_id: str
    debating: Debating
    saved: Path | None = None

    @property
    def gate(self) -> Gate:
        assert self.debating.gate is not None
        return self.debating.gate

    @property
    def fit(self) -> FitCard:
        assert self.gate.fit is not None
        return self.gate.fit

    def frame(self) -> pd.DataFrame:
        """One row."""
        card = self.fit
        weights = "" if self.gate.model is None else self.gate.model.weights
        row = (self.gate.count, self.gate.width, card.n, card.steps, card.seed, card.loss, card.data, weights)
        heads = ["perspectives", "width", "texts", "steps", "seed", "loss", "data", "weights"]
        return framed("debate", [self.debating.settings], heads, [row])

    def picture(self) -> Card:
        card = self.fit
        facts = {
            "gate of": self.debating.settings,
            "of model": "not known" if self.gate.model is None else str(self.gate.model),
            "weighs": f"{self.gate.count} perspectives, {self.gate.width} wide",
            "fitted on": f"{card.n:,} texts {card.data[:8]}, {card.steps} steps, seed {card.seed}",
            "loss of the last step": f"{number(card.loss if card.loss is not None else float('nan'))} nats per token",
        }
        saved = {} if self.saved is None else {"saved to": str(self.saved)}
        return Card(self.model_id, {**facts, **saved}, CLAIM)


def gate_given(given: object) -> Gate | None:
    """A gate, one that was fitted, or the folder of one; None for None. EditError for anything else."""
    if given is None or isinstance(given, Gate):
        return given
    if isinstance(given, FittedGate):
        return given.gate
    if isinstance(given, str | Path):
        return load_gate(given)
    raise EditError(f"A {type(given).__name__} is no gate.", "Give what fit_gate returned, or the folder it wrote.")
