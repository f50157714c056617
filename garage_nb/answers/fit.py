"""Fit: which kinds of parts of two models would run in either."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..view.cards import Card
from ..view.shown import Shown

_PAIRS = ("families", "hidden_dims", "layers", "heads", "vocab_sizes")


@dataclass(frozen=True, repr=False)
class Fit(Shown):
    """What `ModelRegistry.compare` answers, as a card."""

    facts: Mapping[str, Any]

    @property
    def compatible_parts(self) -> list[str]:
        return list(self.facts["compatible_parts"])

    def picture(self) -> Card:
        facts = self.facts
        rows = {key.replace("_", " "): " · ".join(map(str, facts[key])) for key in _PAIRS}
        rows["tokenizers"] = facts["tokenizers"]
        rows["parts that fit"] = ", ".join(self.compatible_parts) or "none"
        rows.update({f"{kind} does not": reason for kind, reason in facts["reasons"].items()})
        return Card(" · ".join(facts["models"]), rows)
