"""Delivery: what every answer can do that has made a model: hand it over, and save it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from ...view.shown import Shown
from .built import Built
from .proof import Proofs
from .saving import save

Own = TypeVar("Own", bound="Delivery")


@dataclass(frozen=True, eq=False, repr=False)
class Delivery(Shown):
    """Abstract."""

    made: Built

    @property
    def name(self) -> str:
        return self.made.name

    @property
    def model(self) -> Any:
        """In evaluation mode; a weight that is whole in a model it was made of is one memory with it."""
        return self.made.model

    @property
    def tokenizer(self) -> Any:
        return self.made.tokenizer

    @property
    def proofs(self) -> Proofs:
        return self.made.proofs

    def saved(self: Own, folder: str | Path) -> Own:
        """Saved, and with the proof that it loads again. Errors as of `save_pretrained`."""
        _, proof = save(self.made, folder)
        proofs = replace(self.proofs, rows=(*self.proofs.rows, proof))
        return replace(self, made=replace(self.made, proofs=proofs))

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write a folder that `AutoModelForCausalLM.from_pretrained` opens with no garage installed; returns it.

        Edits that are not in the weights are kept beside them, for `Garage.load` to put in force.
        It takes its place whole, and only after plain transformers has given the same logits from it. BuildError where
        the folder holds what was not built here, or cannot be written; what was there stays.
        """
        return save(self.made, folder)[0]
