"""Registered: the models whose parts are catalogued on this machine."""

from __future__ import annotations

from dataclasses import dataclass

from ..registry.specs import ModelSpec
from ..view.bars import Column, Table
from ..view.cards import Card
from ..view.shown import Picture, Shown


@dataclass(frozen=True, repr=False)
class Registered(Shown):
    specs: tuple[ModelSpec, ...]

    def picture(self) -> Picture:
        if not self.specs:
            return Card("No model is catalogued yet.", note="Try: registry add showroom")
        columns = [
            Column("family", [spec.family.value for spec in self.specs]),
            Column("layers", [spec.num_layers for spec in self.specs]),
            Column("width", [spec.hidden_dim for spec in self.specs]),
            Column("heads", [spec.num_heads for spec in self.specs]),
            Column("vocabulary", [spec.vocab_size for spec in self.specs]),
        ]
        return Table([spec.model_id for spec in self.specs], columns)
