"""Registered: the models whose parts are catalogued on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..registry.specs import ModelSpec
from ..view.bars import Column, Table
from ..view.cards import Card
from ..view.frames import framed
from ..view.shown import Picture, Shown

if TYPE_CHECKING:
    import pandas as pd

MEASURES = ("family", "layers", "width", "heads", "vocabulary", "positions")


def measures(spec: ModelSpec) -> tuple[str, int, int, int, int, int | None]:
    """A model in six words and numbers, in the order of MEASURES."""
    return spec.family.value, spec.num_layers, spec.hidden_dim, spec.num_heads, spec.vocab_size, spec.max_seq_len


@dataclass(frozen=True, repr=False)
class Registered(Shown):
    specs: tuple[ModelSpec, ...]

    def frame(self) -> pd.DataFrame:
        """One row a model."""
        names = [spec.model_id for spec in self.specs]
        frame = framed("model", names, MEASURES, map(measures, self.specs))
        frame["positions"] = frame["positions"].astype("Int64")  # a model may have no limit
        return frame

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
